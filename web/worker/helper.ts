// A worker that helps the engine: it keeps its part of the weights and does what it is asked.

import init, { Helper } from "#internvit";
import { Channel } from "./channel";
import { readRanges } from "./model-files";
import { helperLoad, helperMessage, helperTask, type FromHelper, type HelperMessage, type Task, type ToHelper } from "../shared/protocol";
import { fits } from "../shared/shape";

let helper: Helper | null = null;

export function help() {
  self.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    // A message without a number cannot be answered.
    if (fits(helperMessage, data)) void answer(data as HelperMessage & ToHelper);
  });
}

async function answer(message: HelperMessage & ToHelper) {
  const post = (answer: FromHelper) => self.postMessage(answer);
  const { id } = message;
  try {
    const wrong = "module" in message ? helperLoad.misfit(message, "load") : helperTask.misfit(message, "help");
    if (wrong) throw new Error(wrong);
    if ("module" in message) {
      const { module, model, member, members, memory } = message;
      await init({ module_or_path: module });
      const files = model.files.map(({ name, blob }) => ({ name, size: blob.size }));
      helper = await Helper.load(model.config, files, readRanges(model), member, members);
      post({ id, answer: null });
      if (memory) new Channel(memory).serve(work);
      return;
    }
    post({ id, answer: work(message.task) });
  } catch (error) {
    // A trap leaves nothing to go on with: the engine is told by an error that nobody catches.
    if (helper && error instanceof WebAssembly.RuntimeError) setTimeout(() => { throw error; });
    post({ id, failure: error instanceof Error ? error.message : String(error) });
  }
}

function work({ weight, x, through }: Task<ArrayBufferLike>): Float32Array<ArrayBuffer> {
  if (!helper) throw new Error("no model is loaded");
  return helper.answer(weight, x, through);
}
