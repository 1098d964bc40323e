// Which model is loaded, and the choice of another.

import { TOKENIZER, WEIGHTS } from "../shared/names";
import { tellModel } from "./chips";
import { part } from "./dom";
import { chooser } from "./files";
import { bytes, many } from "../shared/format";
import type { Model, ModelSource } from "../shared/protocol";
import { spelled } from "../shared/spelled";

/** What the default model is called, which is fetched after the bundled one. */
export const DEFAULT_NAME = "DINOv2 ViT-S/14";

/** What a link calls it, and the folder that it is in. */
export const DEFAULT_ID = "dinov2-small";

/** What the bundled model is called. */
export const BUNDLED_TITLE = "InternViT-Tiny";

/** What a link calls the bundled model. */
export const BUNDLED_NAME = "internvit-tiny";

/** The bundled model, with which the page begins. */
export const bundled: ModelSource = { folder: new URL("models/internvit-tiny/", document.baseURI).href };

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

/** Whether a file belongs to a model, by its name. */
export function isModelFile({ name }: File): boolean {
  return /\.(json|safetensors|pth|pt|bin|ckpt)$|^merges.*\.txt$|^bpe_simple_vocab.*\.gz$/i.test(name);
}

/** A file's name in small letters, without the number that a browser adds to one that it downloads again. */
function plain(name: string): string {
  return name.toLowerCase().replace(/ ?\(\d+\)(?=\.(json|txt|txt\.gz)$)/, "");
}

/** The model in the files that the visitor chose; the error tells what is missing. */
export function chosenModel(files: File[]): ModelSource {
  const torch = files.find(({ name }) => /\.(pth|pt|bin|ckpt)$/i.test(name));
  if (torch) {
    throw new Error(`${torch.name} is a file of PyTorch's, which the page does not read. Turn it into safetensors: internvit convert ${torch.name} --out DIR`);
  }
  const all = files.filter(({ name }) => /\.safetensors(\.index\.json)?$/i.test(name));
  const usual = WEIGHTS.map((name) => all.find((file) => file.name === name)).find((file) => file !== undefined);
  const weights = usual ? [usual] : all;
  const named = (name: string) => files.find((file) => file.name === name) ?? files.find((file) => plain(file.name) === name);
  const processor = named("processor_config.json") ?? null;
  const preprocessor = named("preprocessor_config.json") ?? null;
  const words = TOKENIZER.flatMap((name) => {
    const file = named(name);
    return file ? [file.name === name ? file : new File([file], name)] : [];
  });
  const apart = (file: File) => file === processor || file === preprocessor || TOKENIZER.includes(plain(file.name));
  const others = files.filter((file) => !apart(file) && /\.json$/i.test(file.name) && !/\.index\.json$/i.test(file.name));
  const config = named("config.json") ?? named("open_clip_config.json") ?? others[0];
  if (!config) {
    const [lone] = weights.filter(({ name }) => !/\.json$/i.test(name));
    const why = lone ? `${lone.name} is not a taught head. Of a model, choose` : "Choose";
    throw new Error(`${why} the model's config.json together with its .safetensors files.`);
  }
  if (!weights.some(({ name }) => /\.safetensors$/i.test(name))) {
    throw new Error("Choose the model's .safetensors files together with its config.json.");
  }
  return { config, processor, preprocessor, weights, words };
}

