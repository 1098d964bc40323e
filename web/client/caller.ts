// The calling side of a worker: promises, with progress on the way and a signal that cancels.

import { STOPPED, type FromWorker, type ToWorker, type Types } from "../shared/calls";
import type { Progress } from "../shared/protocol";

export interface Options {
  signal?: AbortSignal;
  progress?: (progress: Progress) => void;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
  progress: ((progress: Progress) => void) | undefined;
}

export class Caller<C extends Types<C>> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #broken: Error | null = null;

  /** `stopped` is the message for the visitor once the worker has stopped. */
  constructor(worker: Worker, stopped: string) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => this.#receive(data));
    // The script failed to load, or an error was not caught: no call will be answered.
    const fail = () => {
      this.#broken = named(STOPPED, stopped);
      this.end();
    };
    for (const event of ["error", "messageerror"]) worker.addEventListener(event, fail);
  }

  /** Whether the worker has stopped. */
  get broken(): boolean {
    return this.#broken !== null;
  }

  /** Ends the worker. Its pending calls fail. */
  end() {
    this.#worker.terminate();
    this.#broken ??= named(STOPPED, "The worker was ended.");
    for (const { reject } of this.#waiting.values()) reject(this.#broken);
    this.#waiting.clear();
  }

  /** Makes a call. An aborted call settles once the worker has really stopped working on it. */
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
    if (!("failure" in message)) return waiting.resolve(message.answer);
    const failure = named(message.name, message.failure);
    waiting.reject(failure);
    if (message.name !== STOPPED) return;
    // It can still answer, but not be trusted.
    this.#broken = failure;
    this.end();
  }
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
