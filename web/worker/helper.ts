// A worker that helps the engine: it holds its part of the weights and performs tasks.

import init, { Helper } from "#internvit";
import { helperLoad, helperMessage, helperTask, type FromHelper, type HelperLoad, type HelperMessage, type Task, type ToHelper } from "../shared/team";
import { fits } from "../shared/shape";
import { Channel } from "./channel";
import { readRanges } from "./model-files";

export class HelperHost {
  #helper: Helper | null = null;

  listen() {
    self.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      // A message without a number cannot be answered.
      if (fits(helperMessage, data)) void this.#answer(data as HelperMessage & ToHelper);
    });
  }

  async #answer(message: HelperMessage & ToHelper) {
    const { id } = message;
    try {
      const wrong = "module" in message ? helperLoad.misfit(message, "load") : helperTask.misfit(message, "help");
      if (wrong) throw new Error(wrong);
      if ("module" in message) await this.#load(message);
      else post({ id, answer: this.#perform(message.task) });
    } catch (error) {
      // A trap leaves nothing to go on with: the engine is told by an error that nobody catches.
      if (this.#helper && error instanceof WebAssembly.RuntimeError) setTimeout(() => { throw error; });
      post({ id, failure: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Takes its part of a model; with shared memory it then waits for tasks there, and returns no more. */
  async #load({ id, module, model, member, members, memory }: HelperMessage & HelperLoad) {
    await init({ module_or_path: module });
    const files = model.files.map(({ name, blob }) => ({ name, size: blob.size }));
    this.#helper = await Helper.load(model.config, files, readRanges(model), member, members, model.words.length > 0);
    post({ id, answer: null });
    if (memory) new Channel(memory).serve((task) => this.#perform(task));
  }

  #perform({ weight, x, through }: Task<ArrayBufferLike>): Float32Array<ArrayBuffer> {
    if (!this.#helper) throw new Error("no model is loaded");
    return this.#helper.answer(weight, x, through);
  }
}

function post(answer: FromHelper) {
  self.postMessage(answer);
}
