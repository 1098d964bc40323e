// Messages of calls between the page and a worker, and the names of errors that end a worker.

import { atLeast, number, string, unchecked, type Infer } from "./shape";
import type { Progress } from "./protocol";

export type CallMessage = Infer<typeof callMessage>;
export const callMessage = atLeast({ id: number, call: string, given: unchecked<unknown>() });

export type CancelMessage = Infer<typeof cancelMessage>;
export const cancelMessage = atLeast({ cancel: number });

export type ToWorker = CallMessage | CancelMessage;

export type FromWorker =
  | { id: number; progress: Progress }
  | { id: number; answer: unknown }
  | { id: number; failure: string; name: string };

/** For each call the types of what it is given and what it answers. */
export type Types<C> = { [K in keyof C]: { given: unknown; answer: unknown } };

/** The graphics device was lost: the worker is of no more use. */
export const LOST = "Lost";

/** The worker has stopped. */
export const STOPPED = "Stopped";
