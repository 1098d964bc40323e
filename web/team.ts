// The engine's side of its helpers: workers of the same script that keep a part of the weights each.

import type { FromHelper, ModelFiles, Task, ToHelper } from "./protocol";

/** More share no work worth the way, and each takes memory of its own. */
const MOST = 8;

/** Bytes of a model below which the way to a helper costs more than it saves. */
const SMALL = 64e6;

/** How many workers compute where the visitor does not say. */
export function usualThreads({ files }: ModelFiles): number {
  if (files.reduce((sum, { blob }) => sum + blob.size, 0) < SMALL) return 1;
  return Math.max(1, Math.min(MOST, navigator.hardwareConcurrency || 1));
}

export class Team {
  readonly #helpers: Worker[] = [];
  readonly #waiting = new Map<number, { resolve(answer: Float32Array<ArrayBuffer> | null): void; reject(error: unknown): void }>();
  #lastId = 0;
  #loaded = false;

  /** Starts helpers until `members` compute, the engine among them, and gives each its part of a model. */
  async load(members: number, module: WebAssembly.Module, model: ModelFiles): Promise<void> {
    this.dismiss();
    for (let member = 1; member < members; member++) {
      const helper = new Worker(self.location.href, { type: "module", name: HELPER });
      helper.addEventListener("message", ({ data }: MessageEvent<FromHelper>) => this.#receive(data));
      for (const event of ["error", "messageerror"]) {
        helper.addEventListener(event, () => this.#stopped());
      }
      this.#helpers.push(helper);
    }
    const loads = this.#helpers.map((_, at) => this.#post(at + 1, { module, model, member: at + 1, members }));
    await Promise.all(loads);
    this.#loaded = true;
  }

  /** What the module calls: hands a task to a helper. */
  readonly ask = (helper: number, task: Task) =>
    this.#post(helper, { task }, [task.x.buffer]);

  /** Ends the workers, and with them their memory. */
  dismiss() {
    for (const helper of this.#helpers) helper.terminate();
    this.#helpers.length = 0;
    this.#loaded = false;
    this.#fail(new Error("the helpers were dismissed"));
  }

  #post(helper: number, what: { task: Task } | Extract<ToHelper, { member: number }>, transfer: Transferable[] = []) {
    return new Promise<Float32Array<ArrayBuffer> | null>((resolve, reject) => {
      const worker = this.#helpers[helper - 1];
      if (!worker) return reject(new Error("there is no such worker"));
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...what }, transfer);
    });
  }

  #receive(message: FromHelper) {
    const waiting = this.#waiting.get(message?.id);
    if (!waiting) return; // nobody has asked for it
    this.#waiting.delete(message.id);
    if ("failure" in message) waiting.reject(new Error(message.failure));
    else if (message.answer === null || message.answer instanceof Float32Array) waiting.resolve(message.answer);
    else waiting.reject(new Error("a worker has answered something else"));
  }

  /** Without a part of the weights the engine is of no use: an error that nobody catches makes the page start it again. */
  #stopped() {
    const error = new Error("a worker has stopped");
    this.#fail(error);
    if (this.#loaded) setTimeout(() => { throw error; });
  }

  #fail(error: Error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** The name of a worker that helps. */
export const HELPER = "helper";
