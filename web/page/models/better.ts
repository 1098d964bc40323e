// The model that takes the place of the small one with which the page begins, once it has arrived.

import type { ModelSource } from "../../shared/protocol";
import { make } from "../dom";
import type { ModelLoading } from "./loading";
import { bundled, DEFAULT_ID, DEFAULT_NAME } from "./picker";
import type { Photographs } from "../photographs/photographs";

/** How often is looked whether the page has nothing to do, in milliseconds. */
const LOOK_EVERY = 100;

/** The files of the default model, fetched once. */
export class DefaultModel {
  readonly #folder = new URL(`models/${DEFAULT_ID}/`, document.baseURI);
  #files: Promise<ModelSource> | null = null;

  /** Fetches the files beside the page's other work; fails where the server does not have them. */
  files(): Promise<ModelSource> {
    this.#files ??= this.#fetch();
    this.#files.catch(() => (this.#files = null));
    return this.#files;
  }

  async #fetch(): Promise<ModelSource> {
    const [config, preprocessor, weights] = await Promise.all(["config.json", "preprocessor_config.json", "model.safetensors"].map((name) => this.#file(name)));
    if (!config || !preprocessor || !weights) throw new Error("The default model is incomplete.");
    return { name: DEFAULT_NAME, config, preprocessor, weights: [weights] };
  }

  async #file(name: string): Promise<File> {
    const response = await fetch(new URL(name, this.#folder));
    if (!response.ok) throw new Error(`The file ${name} of ${DEFAULT_NAME} could not be fetched from the server.`);
    return new File([await response.blob()], name);
  }
}

/**
 * Replaces the small model by the default one, unless the visitor has chosen another, it cannot be had, or what is taught
 * `stays` with the small one.
 */
export async function improve(model: DefaultModel, loading: ModelLoading, photographs: Photographs, stays: () => Promise<boolean>) {
  await loading.ready();
  await settled(photographs);
  const files = await model.files().catch(() => null);
  if (!files) return;
  await settled(photographs);
  if (loading.source !== bundled || (await stays())) return;
  // Another one may have been chosen meanwhile.
  if (loading.source === bundled) await loading.replaceBy(files);
}

/** A button that changes to the default model, where another is in use. */
export function defaultButton(beside: HTMLElement, model: DefaultModel, use: (files: ModelSource) => void, alarm: (error: unknown) => void): HTMLButtonElement {
  const button = make("button", { type: "button", id: "default-model", textContent: `Use ${DEFAULT_NAME}` });
  button.addEventListener("click", () => void model.files().then(use).catch(alarm));
  beside.prepend(button);
  return button;
}

/** Waits until a picture is shown and none is being encoded. */
async function settled(photographs: Photographs) {
  while (photographs.busy || !photographs.shown) await new Promise((done) => setTimeout(done, LOOK_EVERY));
}
