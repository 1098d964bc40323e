// Which model is loaded, and the choice of another.

import { tellModel } from "../device/chips";
import { part } from "../dom";
import { chooser } from "../photographs/files";
import { bytes, many } from "../../shared/format";
import type { Model, ModelSource } from "../../shared/protocol";
import { spelled } from "../../shared/spelled";

/** What the default model is called, which is fetched after the bundled one. */
export const DEFAULT_NAME = "DINOv2 ViT-S/14";

/** What a link calls it, and the folder that it is in. */
export const DEFAULT_ID = "dinov2-small";

/** What the bundled model is called. */
export const BUNDLED_TITLE = "InternViT-Tiny";

/** What a link calls the bundled model. */
export const BUNDLED_NAME = "internvit-tiny";

/** The bundled model, with which the page begins. */
export const bundled = { folder: new URL("models/internvit-tiny/", document.baseURI).href };

export interface ModelPicker {
  loading(source: ModelSource): void;
  loaded(source: ModelSource, model: Model): void;
  none(): void;
}

export function modelPicker(root: HTMLElement, onFiles: (files: File[]) => void, onBundled: () => void): ModelPicker {
  const name = part(root, ".name", HTMLElement);
  const summary = part(root, ".summary", HTMLElement);
  const details = part(root, ".details", HTMLElement);
  const note = part(root, ".note", HTMLElement);
  const back = part(root, "#bundled-model", HTMLButtonElement);
  chooser([part(root, "#own-model", HTMLButtonElement)], part(root, "#model-files", HTMLInputElement), onFiles);
  back.addEventListener("click", onBundled);

  return {
    loading(source) {
      name.textContent = "folder" in source ? BUNDLED_TITLE : spelled(source.name ?? source.weights[0]?.name ?? "Your files");
      summary.textContent = "Loading …";
      note.hidden = true;
    },
    loaded(source, model) {
      const { name: title, info } = model;
      tellModel(model);
      name.textContent = spelled(title);
      const story = "folder" in source ? " · never saw a photograph: 40 minutes of drawn scenes on two cores" : "";
      summary.textContent = `${many(info.parameters)} parameters · ${bytes(info.bytes)}${story}`;
      details.textContent = `${info.layers} layers of ${info.heads} heads and width ${info.hidden}, patches of ${info.patch} × ${info.patch} pixels`;
      note.hidden = !info.random_weights;
      note.textContent = "This model has random weights: nothing was trained.";
      back.hidden = "folder" in source;
      const other = root.querySelector<HTMLElement>("#default-model");
      if (other) other.hidden = title === DEFAULT_NAME;
    },
    none() {
      tellModel(null);
      summary.textContent = "No model is loaded.";
      note.hidden = true;
      back.hidden = false;
    },
  };
}
