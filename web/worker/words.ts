// A model's tokenizer: the files beside it, and the texts that the engine reads by them.

import type { Engine } from "#internvit";
import type { Tokenizer } from "@huggingface/tokenizers";
import { bounded, MOST_WORDS, reading } from "./bounds";
import { PAIRS } from "../shared/names";
import { spelled } from "../shared/spelled";
import { clipTokenizer, clipTokenizerOfPairs, tokensOf } from "./tokens";

/** Bytes of a file by which a pointer of Git LFS is known. */
const START = 64;

export class Reader {
  #files: readonly File[] = [];
  #tokenizer: Promise<Tokenizer> | null = null;

  /** Takes the tokenizer's files of the model that is loaded. */
  use(files: readonly File[]) {
    [this.#files, this.#tokenizer] = [files, null];
  }

  /** Lets the engine read a text, unless it has. */
  async read(engine: Engine, text: string) {
    if (engine.text_features(text)) return;
    const tokenizer = await (this.#tokenizer ??= open(this.#files));
    const { ids, ends } = tokensOf(tokenizer, engine.plain_text(text).toLowerCase());
    await engine.read_text(text, new Uint32Array(ids), ends);
  }
}

async function open(files: readonly File[]): Promise<Tokenizer> {
  const { Tokenizer } = await import("@huggingface/tokenizers");
  try {
    const json = await describe(files);
    if (json) return new Tokenizer(json, JSON.parse((await textOf(files, "tokenizer_config.json")) ?? "{}") as object);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The model’s tokenizer cannot be used: ${reason.replace(/\.$/, "")}.`);
  }
  throw new Error(`To read words this model wants its tokenizer.json, or vocab.json and merges.txt, or ${PAIRS}: open them together with its other files.`);
}

/** The `tokenizer.json` among a model's files, or what those of CLIP's vocabulary make; null where there is none. */
async function describe(files: readonly File[]): Promise<object | null> {
  const whole = await textOf(files, "tokenizer.json");
  if (whole !== null) return parsed("tokenizer.json", whole) as object;
  const [vocabulary, merges] = [await textOf(files, "vocab.json"), await textOf(files, "merges.txt")];
  if (vocabulary !== null && merges !== null) return clipTokenizer(parsed("vocab.json", vocabulary), merges);
  const pairs = named(files, PAIRS);
  return pairs ? clipTokenizerOfPairs(await reading(PAIRS, fetched(pairs).then(unpacked))) : null;
}

/** What a file's text says, as JSON. */
function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function named(files: readonly File[], name: string): File | null {
  const file = files.find((one) => one.name === name);
  return file ? bounded(file, MOST_WORDS, "a tokenizer") : null;
}

/** The text of a file by its name; null where it is not there. */
export async function textOf(files: readonly File[], name: string): Promise<string | null> {
  const file = named(files, name);
  return file ? reading(name, fetched(file).then((whole) => whole.text())) : null;
}

/** The file, unless it is the pointer that Git LFS leaves where it was not fetched. */
async function fetched(file: File): Promise<File> {
  const start = await file.slice(0, START).text();
  if (!/^\s*version https:\/\/git-lfs/.test(start)) return file;
  throw new Error(`${spelled(file.name)}: a Git LFS pointer and not the file itself: run \`git lfs pull\` in its folder`);
}

/** The text of a packed file. */
async function unpacked(file: File): Promise<string> {
  const parts = file.stream().pipeThrough(new DecompressionStream("gzip")).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  // Few bytes may unpack to more than there is room for.
  for (let part = await parts.read(); !part.done; part = await parts.read()) {
    text += part.value;
    if (text.length > MOST_WORDS) throw new Error("it is too long");
  }
  return text;
}
