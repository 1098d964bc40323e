// The model in files that somebody chose.

import { isGguf, TALK_TOKENIZER, TOKENIZER, WEIGHTS } from "../shared/names";
import type { OwnFiles } from "../shared/protocol";

/** Whether a file belongs to a model, by its name. */
export function isModelFile({ name }: { name: string }): boolean {
  return /\.(json|safetensors|gguf|pth|pt|bin|ckpt)$|^merges.*\.txt$|^bpe_simple_vocab.*\.gz$/i.test(name);
}

/** Whether a file belongs to a model and holds no weights: its configuration, or what reads texts. */
export function isBeside({ name }: { name: string }): boolean {
  return /\.(json|txt|gz)$/i.test(name) && !/\.index\.json$/i.test(name);
}

/** The model that speaks in the files that the visitor chose, with all its tokenizer's files. */
export function spoken(files: readonly File[]): OwnFiles {
  const words = files.filter(({ name }) => TALK_TOKENIZER.includes(name));
  const weights = files.filter(isGguf);
  const [config] = weights;
  return config ? { config, weights, words } : { ...chosenModel(files), words };
}

/** A file's name in small letters, without the number that a browser adds to one that it downloads again. */
function plain(name: string): string {
  return name.toLowerCase().replace(/ ?\(\d+\)(?=\.(json|txt|txt\.gz)$)/, "");
}

/** The model in the files that the visitor chose; the error tells what is missing. */
export function chosenModel(files: readonly File[]): OwnFiles {
  const all = files.filter(({ name }) => /\.safetensors(\.index\.json)?$/i.test(name));
  // Published folders often have both.
  const torch = files.find(({ name }) => /\.(pth|pt|bin|ckpt)$/i.test(name));
  if (torch && !all.some(({ name }) => !/\.json$/i.test(name))) {
    throw new Error(`${torch.name} is a file of PyTorch's, which is not read here. Turn it into safetensors: internvit convert ${torch.name} --out DIR`);
  }
  const speaker = files.find(isGguf);
  if (speaker && all.length === 0) throw new Error(`${speaker.name} is of a model that speaks: the page opens it under Talk, with its projector (mmproj).`);
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
