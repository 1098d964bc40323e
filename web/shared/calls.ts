// Calls from the page to a worker: promises, with progress on the way and a signal that cancels.

import type { Progress } from "./protocol";
import { misfit, type Shape } from "./shape";
import { spelled } from "./spelled";

/** For each call what it is given and what it answers. */
type Table<C> = { [K in keyof C]: { given: unknown; answer: unknown } };

export interface Options {
  signal?: AbortSignal;
  progress?: (progress: Progress) => void;
}

type ToWorker = { id: number; call: string; given: unknown } | { cancel: number };

type FromWorker =
  | { id: number; progress: Progress }
  | { id: number; answer: unknown }
  | { id: number; failure: string; name: string };

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
  progress: ((progress: Progress) => void) | undefined;
}

/** The page's side. */
export class Caller<C extends Table<C>> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #broken: Error | null = null;

  /** `stopped` is what the visitor reads once the worker answers no more. */
  constructor(worker: Worker, stopped: string) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => this.#receive(data));
    // The script did not arrive or threw where nothing catches: no call will be answered.
    const fail = () => {
      this.#broken = named(STOPPED, stopped);
      this.end();
    };
    for (const event of ["error", "messageerror"]) worker.addEventListener(event, fail);
  }

  /** Whether it answers no more. */
  get broken(): boolean {
    return this.#broken !== null;
  }

  /** Ends the worker; what it had still to do fails. */
  end() {
    this.#worker.terminate();
    this.#broken ??= named(STOPPED, "The worker was ended.");
    for (const { reject } of this.#waiting.values()) reject(this.#broken);
    this.#waiting.clear();
  }

  /** An aborted call goes on until the worker has really stopped. */
  ask<K extends keyof C & string>(call: K, given: C[K]["given"], { signal, progress }: Options = {}): Promise<C[K]["answer"]> {
    if (this.#broken) return Promise.reject(this.#broken);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = ++this.#lastId;
    const cancel = () => this.#post({ cancel: id });
    signal?.addEventListener("abort", cancel, { once: true });
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, progress });
      this.#post({ id, call, given });
    }).finally(() => signal?.removeEventListener("abort", cancel));
  }

  #post(message: ToWorker) {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker) {
    const waiting = this.#waiting.get(message?.id);
    if (!waiting) return; // nobody has asked for it
    if ("progress" in message) return waiting.progress?.(message.progress);
    this.#waiting.delete(message.id);
    if ("failure" in message) waiting.reject(named(message.name, message.failure));
    else waiting.resolve(message.answer);
  }
}

/** One call being answered. */
export interface Job {
  signal: AbortSignal;
  /** What the answer gives away instead of copying. */
  transfer: Transferable[];
  progress(progress: Progress): void;
}

/** Of each call's given. */
export type Shapes<C extends Table<C>> = { [K in keyof C]: Shape };

export type Handlers<C extends Table<C>> = { [K in keyof C]: (given: C[K]["given"], job: Job) => Promise<C[K]["answer"]> };

/** The worker's side: answers calls, also several at a time. */
export function serve<C extends Table<C>>(handlers: Handlers<C>, shapes: Shapes<C>) {
  const running = new Map<number, AbortController>();
  const post = (message: FromWorker, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

  async function answer({ id, call, given }: Extract<ToWorker, { call: string }>) {
    const abort = new AbortController();
    running.set(id, abort);
    const job: Job = { signal: abort.signal, transfer: [], progress: (progress) => post({ id, progress }) };
    try {
      if (!Object.hasOwn(handlers, call)) throw new Error(`There is no call ${call}.`);
      const wrong = misfit(given, shapes[call as keyof C], call);
      if (wrong) throw new Error(`${wrong}.`);
      // The compiler cannot see that a call and what it is given belong together.
      const handler = handlers[call as keyof C] as (given: unknown, job: Job) => Promise<unknown>;
      const result = await handler(given, job);
      post({ id, answer: result }, job.transfer);
    } catch (error) {
      post({ id, failure: sentence(error), name: nameOf(error) });
    } finally {
      running.delete(id);
    }
  }

  self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
    if (misfit(data, { cancel: "number" }, "") === null) running.get((data as { cancel: number }).cancel)?.abort();
    else if (misfit(data, { id: "number", call: "string" }, "") === null) void answer(data as { id: number; call: string; given: unknown });
    // Whatever has no number could not be answered.
  });
}

/** Names of errors after which a worker is of no more use: its graphics device is gone, or the worker itself. */
export const [LOST, STOPPED] = ["Lost", "Stopped"];

/** A trap leaves the module's memory in an unknown state: nothing more can be asked of it. */
const trapped = (error: unknown) => error instanceof WebAssembly.RuntimeError;

function nameOf(error: unknown): string {
  return trapped(error) ? STOPPED : error instanceof Error ? error.name : "Error";
}

/** Characters of a failure that are told at most. */
const MOST = 1000;

export function sentence(error: unknown): string {
  // It may hold names from files and addresses.
  const message = spelled(error instanceof Error ? error.message : String(error), MOST);
  return trapped(error) ? `The model stopped unexpectedly (${message}).` : message;
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
