// The engine's side of its helpers: workers of the same script, each with a part of the weights.

import { Channel } from "./channel";
import { pause } from "./pause";
import type { ModelFiles } from "../shared/protocol";
import type { FromHelper, HelperLoad, Task } from "../shared/team";

/** Largest number of threads: more gain nothing, and each takes memory. */
const MOST = 8;

/** Size of a model's files in bytes below which helpers cost more than they save; DINOv2's small one has 25 MB in 8 bits. */
const SMALL = 16e6;

/** The number of threads for a model where the visitor does not choose. */
export function usualThreads({ files }: ModelFiles): number {
  if (files.reduce((sum, { blob }) => sum + blob.size, 0) < SMALL) return 1;
  return Math.max(1, Math.min(MOST, navigator.hardwareConcurrency || 1));
}

/** How long the engine's worker waits for an answer before it yields to its event loop, in milliseconds. */
const PATIENCE = 20;

export class Team {
  readonly #helpers: { worker: Worker; channel: Channel | null }[] = [];
  readonly #waiting = new Map<number, { resolve(answer: Float32Array<ArrayBuffer> | null): void; reject(error: unknown): void }>();
  #lastId = 0;
  #loaded = false;

  /** Starts helpers until `members` compute, the engine among them, and gives each its part of a model. */
  async start(members: number, module: WebAssembly.Module, model: ModelFiles): Promise<void> {
    this.stop();
    for (let member = 1; member < members; member++) {
      const worker = new Worker(self.location.href, { type: "module", name: HELPER });
      worker.addEventListener("message", ({ data }: MessageEvent<FromHelper>) => this.#receive(data));
      for (const event of ["error", "messageerror"]) {
        worker.addEventListener(event, () => this.#broken());
      }
      this.#helpers.push({ worker, channel: Channel.open() });
    }
    const loads = this.#helpers.map(({ worker, channel }, at) =>
      this.#post(worker, { module, model, member: at + 1, members, memory: channel?.memory ?? null }));
    await Promise.all(loads);
    this.#loaded = true;
  }

  /** Hands a task to a helper; the module calls the returned function for the answer. */
  readonly ask = (helper: number, task: Task): (() => Answer | Promise<Answer | null>) => {
    const found = this.#helpers[helper - 1];
    if (!found) throw new Error("there is no such worker");
    const { worker, channel } = found;
    if (channel) {
      channel.ask(task);
      return () => channel.answer(PATIENCE) ?? later(channel);
    }
    const answer = this.#post(worker, { task });
    answer.catch(() => undefined); // its caller learns it
    return () => answer;
  };

  /** Ends the helpers, and with them their memory. */
  stop() {
    for (const { worker } of this.#helpers) worker.terminate();
    this.#loaded = false;
    this.#fail(new Error("the helpers were stopped"));
    this.#helpers.length = 0;
  }

  #post(worker: Worker, what: { task: Task } | HelperLoad) {
    return new Promise<Float32Array<ArrayBuffer> | null>((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...what });
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

  /** Without a part of the weights the engine is of no use: an uncaught error makes the page start it again. */
  #broken() {
    const error = new Error("a worker has stopped");
    this.#fail(error);
    if (this.#loaded) setTimeout(() => { throw error; });
  }

  #fail(error: Error) {
    for (const { channel } of this.#helpers) channel?.end(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

type Answer = Float32Array;

/** Waits for an answer, and yields to the event loop now and then. */
async function later(channel: Channel): Promise<Answer> {
  for (;;) {
    await pause();
    const answer = channel.answer(PATIENCE);
    if (answer) return answer;
  }
}

/** The name of a helper's worker. */
export const HELPER = "helper";
