// Files that the visitor gives to the page: photographs, a model, or a taught head, told apart by name and content.

import { isHead } from "./head";
import type { ModelLoading } from "./loading";
import { chosenModel, isModelFile } from "./model-picker";
import type { Notice } from "./notice";
import type { Photographs } from "./photographs";
import type { Samples } from "./samples";
import type { Workbench } from "./workbench";

export interface IntakeParts {
  messages: Notice;
  samples: Samples;
  photographs: Photographs;
  loading: ModelLoading;
  workbench: Workbench;
}

export class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  take(files: File[]) {
    this.#parts.samples.forget();
    const ofModel = files.filter(isModelFile);
    const photographs = files.filter((file) => !isModelFile(file));
    if (ofModel.length > 0) void this.#takeModelFiles(ofModel);
    if (photographs.length > 0) void this.#parts.photographs.openAll(photographs);
  }

  chooseModel(files: File[]) {
    try {
      void this.#parts.loading.change(chosenModel(files));
    } catch (error) {
      this.#parts.messages.alarm(error);
    }
  }

  /** Beside a config.json safetensors are a model; alone they may be heads. */
  async #takeModelFiles(files: File[]) {
    const alone = files.every(({ name }) => /\.safetensors$/i.test(name));
    const heads = alone ? await Promise.all(files.map(isHead)) : [];
    if (!heads.includes(true)) return this.chooseModel(files);
    if (!(await this.#parts.loading.ready())) return;
    for (const file of files) await this.#parts.workbench.importHead(file);
  }
}
