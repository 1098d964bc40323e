// Errors as a program sees them: a sentence, and a word for what it is about.

import { LOST, STOPPED } from "../shared/calls";

/**
 * `io`: something could not be read. `hub`: a model could not be fetched. `config`, `checkpoint`: its files are no model
 * that is known. `image`: a photograph cannot be decoded. `input`: what was asked makes no sense. `device`: there is none,
 * or it is too small. `lost`: the graphics device went away twice. `stopped`: the worker did. `not_finite`: the result
 * holds NaN or infinity.
 */
export type ErrorKind = "io" | "hub" | "config" | "checkpoint" | "image" | "input" | "device" | "lost" | "stopped" | "not_finite";

/** What went wrong, in one sentence, and of what kind it is. */
export class ModelError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ModelError";
    this.kind = kind;
  }
}

/** Does some work; a failure becomes an error of a kind, unless it says itself of which. Where the signal ended it that is the signal's reason. */
export async function kinded<T>(kind: ErrorKind | ((message: string) => ErrorKind), signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    signal?.throwIfAborted();
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ModelError) throw error;
    const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
    throw new ModelError(kindBy(name, message) ?? (typeof kind === "function" ? kind(message) : kind), message, { cause: error });
  }
}

/** The kinds that any call may meet. */
function kindBy(name: string, message: string): ErrorKind | null {
  if (name === LOST) return "lost";
  if (name === STOPPED) return "stopped";
  return message.includes("holds NaN or infinity") ? "not_finite" : null;
}
