// Files that the visitor gives to the page: photographs, a video, a model, or a taught head, told apart by name and content.

import { isHead } from "../teach/head";
import type { Live } from "../live/live";
import { isVideo } from "../live/footage";
import type { ModelLoading } from "../models/loading";
import { chosenModel, isModelFile } from "../../client/chosen-model";
import type { Notice } from "../notice";
import type { Photographs } from "./photographs";
import type { Samples } from "./samples";
import type { Workbench } from "../workbench";

export interface IntakeParts {
  messages: Notice;
  samples: Samples;
  photographs: Photographs;
  loading: ModelLoading;
  workbench: Workbench;
  live: Live;
}

export class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  take(files: File[]) {
    this.#parts.samples.forget();
    const ofModel = files.filter(isModelFile);
    const [video, ...videos] = files.filter(isVideo);
    const photographs = files.filter((file) => !isModelFile(file) && !isVideo(file));
    // Beside a video the photographs wait in the strip.
    if (video) for (const file of photographs) this.#parts.photographs.add(file);
    if (video || ofModel.length > 0 || photographs.length > 0) void this.#take(ofModel, video ? [] : photographs);
    if (!video) return;
    this.#parts.live.openVideo(video);
    if (videos.length > 0) this.#parts.messages.alarm(`One video at a time: ${video.name} is opened, the others are not.`);
  }

  /** Files chosen as a model's; a taught head among them is imported all the same. */
  chooseModel(files: File[]) {
    void this.#take(files, []);
  }

  /** Beside a config.json safetensors are a model; alone they may be heads. */
  async #take(ofModel: File[], photographs: File[]) {
    const alone = ofModel.every(({ name }) => /\.safetensors$/i.test(name));
    const heads = alone ? await Promise.all(ofModel.map(isHead)) : [];
    const imported = heads.includes(true);
    const failure = imported || ofModel.length === 0 ? null : this.#change(ofModel);
    if (photographs.length > 0) void this.#parts.photographs.openAll(photographs, failure);
    else if (failure) this.#parts.messages.alarm(failure);
    if (!imported || !(await this.#parts.loading.ready())) return;
    for (const file of ofModel) await this.#parts.workbench.importHead(file);
  }

  /** Changes to the model in these files; returns why there is none. */
  #change(files: File[]): Error | null {
    try {
      void this.#parts.loading.change(chosenModel(files));
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}
