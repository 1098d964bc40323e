// The messages between the worker and its helpers, which compute a model together, as protocol.ts describes the engine's.

import { modelFiles } from "./protocol";
import { atLeast, floats, instance, nullable, number, string, unchecked, type Infer } from "./shape";

/** A helper's part of two matrix products and the operations between them. */
export interface Task<Memory extends ArrayBufferLike = ArrayBuffer> {
  weight: string;
  x: Float32Array<Memory>;
  /** Batch and tokens; undefined for the first product alone. */
  through: [number, number] | undefined;
}

/** A message to a helper. */
export type HelperMessage = Infer<typeof helperMessage>;
export const helperMessage = atLeast({ id: number });

/** A helper's part of the model; with `memory` tasks come through it, otherwise as messages. */
export type HelperLoad = Infer<typeof helperLoad>;
export const helperLoad = atLeast({
  module: instance(WebAssembly.Module), model: modelFiles, member: number, members: number, memory: nullable(unchecked<SharedArrayBuffer>()),
});

/** A task for a helper. */
export type HelperTask = Infer<typeof helperTask>;
export const helperTask = atLeast({
  task: atLeast({ weight: string, x: floats(), through: unchecked<[number, number] | undefined>() }),
});

export type ToHelper = HelperLoad | HelperTask;

export type FromHelper = { id: number; answer: Float32Array<ArrayBuffer> | null } | { id: number; failure: string };
