// A model's tokenizer: the files beside it, and the texts that the engine reads by them.

import type { Engine } from "#internvit";
import type { Tokenizer } from "@huggingface/tokenizers";
import { bounded, MOST_WORDS, reading } from "./bounds";
import { clipTokenizer, tokensOf } from "./tokens";

export class Reader {
  #files: readonly File[] = [];
  #tokenizer: Promise<Tokenizer> | null = null;

  /** Takes the tokenizer's files of the model that is loaded. */
  use(files: readonly File[]) {
    [this.#files, this.#tokenizer] = [files, null];
  }

  /** Lets the engine read a text, unless it has. */
  async read(engine: Engine, text: string) {
    if (engine.has_text(text)) return;
    const tokenizer = await (this.#tokenizer ??= open(this.#files));
    const { ids, ends } = tokensOf(tokenizer, engine.plain_text(text).toLowerCase());
    await engine.read_text(text, new Uint32Array(ids), ends);
  }
}

async function open(files: readonly File[]): Promise<Tokenizer> {
  const text = async (name: string) => {
    const file = files.find((one) => one.name === name);
    return file ? reading(name, bounded(file, MOST_WORDS, "a tokenizer").text()) : null;
  };
  const [tokenizer, settings] = [await text("tokenizer.json"), await text("tokenizer_config.json")];
  const [vocabulary, merges] = tokenizer === null ? [await text("vocab.json"), await text("merges.txt")] : [null, null];
  if (tokenizer === null && (vocabulary === null || merges === null)) throw new Error("To read words this model wants its tokenizer.json, or vocab.json and merges.txt: open them together with its other files.");
  const { Tokenizer } = await import("@huggingface/tokenizers");
  try {
    const json = tokenizer !== null ? (JSON.parse(tokenizer) as object) : clipTokenizer(vocabulary ?? "{}", merges ?? "");
    return new Tokenizer(json, JSON.parse(settings ?? "{}") as object);
  } catch (error) {
    throw new Error(`The model’s tokenizer cannot be used: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
