// The page's side of the worker: calls that are promises, one at a time.

import type { Call, Calls, FromWorker, Progress, ToWorker } from "./protocol";

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
  progress: ((progress: Progress) => void) | undefined;
}

export interface Options {
  signal?: AbortSignal;
  progress?: (progress: Progress) => void;
}

export class Engine {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #lastCall: Promise<unknown> = Promise.resolve();
  #broken: Error | null = null;

  constructor() {
    this.#worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => this.#receive(data));
    for (const event of ["error", "messageerror"]) {
      this.#worker.addEventListener(event, () => this.#break());
    }
  }

  /**
   * Asks the worker, after every earlier call has ended. An aborted call rejects
   * at once; its place in the queue lasts until the worker has really stopped.
   */
  call<K extends Call>(call: K, given: Calls[K]["given"], options: Options = {}): Promise<Calls[K]["answer"]> {
    const { signal } = options;
    const answer = this.#lastCall.then(() => this.#ask(call, given, options));
    this.#lastCall = answer.catch(() => undefined);
    if (!signal) return answer;
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
      answer.then(resolve, reject);
    });
  }

  #ask<K extends Call>(call: K, given: Calls[K]["given"], { signal, progress }: Options) {
    if (this.#broken) throw this.#broken;
    signal?.throwIfAborted();
    const id = ++this.#lastId;
    const cancel = () => this.#post({ cancel: id });
    signal?.addEventListener("abort", cancel, { once: true });
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, progress });
      this.#post({ id, call, given } as ToWorker);
    }).finally(() => signal?.removeEventListener("abort", cancel)) as Promise<Calls[K]["answer"]>;
  }

  #post(message: ToWorker) {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker) {
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    if ("progress" in message) return waiting.progress?.(message.progress);
    this.#waiting.delete(message.id);
    if ("failure" in message) waiting.reject(new Error(message.failure));
    else waiting.resolve(message.answer);
  }

  /** The worker's script did not arrive or threw where nothing catches: no call will be answered. */
  #break() {
    this.#broken = new Error("The network's worker has stopped. Reload the page to start it again.");
    for (const { reject } of this.#waiting.values()) reject(this.#broken);
    this.#waiting.clear();
  }
}
