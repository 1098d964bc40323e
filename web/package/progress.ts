// Calls that tell how far they are.

import type { Options } from "../client/caller";
import type { Progress } from "../shared/protocol";
import type { OpenOptions } from "./types";

/** Does some work under its caller's signal. An `onProgress` that throws ends the work, which then rejects with what it threw. */
export async function told<T>({ signal, onProgress }: OpenOptions, work: (calls: Options) => Promise<T>): Promise<T> {
  if (!onProgress) return work(signal ? { signal } : {});
  const stop = new AbortController();
  const abort = () => stop.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  const progress = (done: Progress) => {
    // What is still under way tells nothing more.
    if (stop.signal.aborted) return;
    try {
      onProgress(done as Parameters<typeof onProgress>[0]);
    } catch (error) {
      stop.abort(error);
    }
  };
  try {
    return await work({ signal: stop.signal, progress });
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
