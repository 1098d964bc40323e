// The worker's side of calls: answers each by a handler, reports progress, and can be cancelled.

import { callMessage, cancelMessage, STOPPED, type CallMessage, type FromWorker, type Types } from "../shared/calls";
import type { Progress } from "../shared/protocol";
import { fits, type Shape } from "../shared/shape";
import { spelled } from "../shared/spelled";

/** One call being answered. */
export interface Job {
  signal: AbortSignal;
  /** Parts of the answer that are handed over instead of copied. */
  transfer: Transferable[];
  progress(progress: Progress): void;
}

export type Handlers<C extends Types<C>> = { [K in keyof C]: (given: C[K]["given"], job: Job) => Promise<C[K]["answer"]> };

/** The shape of what each call is given. */
type Shapes<C> = { [K in keyof C]: { given: Shape<unknown> } };

/** Answers calls, also several at a time. `full` tells whether the module's memory is used up. */
export function serve<C extends Types<C>>(handlers: Handlers<C>, shapes: Shapes<C>, full = () => false) {
  const running = new Map<number, AbortController>();
  const post = (message: FromWorker, transfer: Transferable[] = []) => self.postMessage(message, { transfer });
  const fail = (id: number, error: unknown) => post({ id, failure: isTrap(error) && full() ? FULL : sentence(error), name: nameOf(error) });

  async function answer({ id, call, given }: CallMessage) {
    const abort = new AbortController();
    running.set(id, abort);
    const job: Job = { signal: abort.signal, transfer: [], progress: (progress) => post({ id, progress }) };
    try {
      if (!Object.hasOwn(shapes, call)) throw new Error(`There is no call ${call}.`);
      const wrong = shapes[call as keyof C].given.misfit(given, call);
      if (wrong) throw new Error(`${wrong}.`);
      // The compiler cannot see that a call and what it is given belong together.
      const handler = handlers[call as keyof C] as (given: unknown, job: Job) => Promise<unknown>;
      const result = await handler.call(handlers, given, job);
      post({ id, answer: result }, job.transfer);
    } catch (error) {
      fail(id, error);
    } finally {
      running.delete(id);
    }
  }

  self.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    if (fits(cancelMessage, data)) running.get(data.cancel)?.abort();
    else if (fits(callMessage, data)) void answer(data);
    // A message without a number cannot be answered.
  });

  // A trap behind an await rejects nothing: what is being done would never be answered.
  self.addEventListener("error", (event) => {
    if (!isTrap(event.error) || running.size === 0) return;
    event.preventDefault();
    for (const id of running.keys()) fail(id, event.error);
  });
}

/** A trap leaves the module's memory in an unknown state: the module cannot be used any more. */
const isTrap = (error: unknown) => error instanceof WebAssembly.RuntimeError;

function nameOf(error: unknown): string {
  return isTrap(error) ? STOPPED : error instanceof Error ? error.name : "Error";
}

const FULL = "The model needed more memory than a page has, and stopped. Fewer tiles, or fewer bits a weight, need less.";

/** Longest message of a failure, in characters. */
const MOST = 1000;

/** An error as a message for the visitor. It may contain names from files and addresses. */
export function sentence(error: unknown): string {
  const message = spelled(error instanceof Error ? error.message : String(error), MOST);
  return isTrap(error) ? `The model stopped unexpectedly (${message}).` : message;
}
