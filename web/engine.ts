// The page's side of the worker: calls that are promises, one at a time.

import { Caller, type Options } from "./calls";
import type { Call, Calls } from "./protocol";

export class Engine {
  readonly #caller = new Caller<Calls>(
    new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }),
    "The network's worker has stopped. Reload the page to start it again.",
  );
  #lastCall: Promise<unknown> = Promise.resolve();

  /**
   * Asks the worker, after every earlier call has ended. An aborted call rejects
   * at once; its place in the queue lasts until the worker has really stopped.
   */
  call<K extends Call>(call: K, given: Calls[K]["given"], options: Options = {}): Promise<Calls[K]["answer"]> {
    const { signal } = options;
    const answer = this.#lastCall.then(() => this.#caller.ask(call, given, options));
    this.#lastCall = answer.catch(() => undefined);
    if (!signal) return answer;
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
      answer.then(resolve, reject);
    });
  }
}
