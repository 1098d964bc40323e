// Prompts as numbers of tokens, and tokens as text, by the files beside a model that speaks.

import type { Tokenizer } from "@huggingface/tokenizers";
import type { Part } from "../shared/talk";
import { beginning, type Processor } from "./tokens";
import { textOf } from "./words";

interface Added {
  id: number;
  content: string;
  special: boolean;
}

/** What of a `tokenizer.json` matters here. */
interface Description {
  added_tokens?: readonly Added[];
  model?: { vocab?: Readonly<Record<string, number>> | readonly (readonly [string, number])[] };
  post_processor?: Processor | null;
}

const MARKS = ["<ref>", "</ref>", "<box>", "</box>"];

/** Makes the `tokenizer.json` of the texts of vocab.json, merges.txt, added_tokens.json and tokenizer_config.json. */
export type Describe = (vocabulary: string, merges: string, added: string, config: string) => string;

export class TalkTokens {
  readonly #inner: Tokenizer;
  /** Control tokens by their names. */
  readonly #controls: ReadonlyMap<string, number>;
  readonly #hidden: ReadonlySet<number>;
  /** The control tokens with which a conversation begins, before its prompt. */
  readonly #begin: readonly string[];
  /** The marks around what is shown in a picture, by their numbers. */
  readonly #marks: ReadonlyMap<number, string>;

  private constructor(inner: Tokenizer, controls: readonly Added[], begin: readonly string[]) {
    [this.#inner, this.#begin] = [inner, begin];
    this.#controls = new Map(controls.map(({ content, id }) => [content, id]));
    this.#hidden = new Set(controls.map(({ id }) => id));
    this.#marks = new Map(controls.filter(({ content }) => MARKS.includes(content)).map(({ id, content }) => [id, content]));
  }

  /** By the files beside a model, or the tokenizer of its `own`. */
  static async open(files: readonly File[], describe: Describe, own: string | null): Promise<TalkTokens> {
    const { Tokenizer } = await import("@huggingface/tokenizers");
    const text = own ?? (await read(files, describe));
    if (text === null) {
      throw new Error("To speak, this model wants its tokenizer.json, or vocab.json and merges.txt with added_tokens.json: open them together with its other files.");
    }
    try {
      const json = JSON.parse(text) as Description;
      const added = json.added_tokens ?? [];
      checkNumbers(json);
      // What somebody types is text, whatever it looks like: the tokenizer does not know control tokens at all.
      const inner = new Tokenizer({ ...json, added_tokens: added.filter(({ special }) => !special), post_processor: null }, {});
      return new TalkTokens(inner, added.filter(({ special }) => special), beginning(json.post_processor));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`The model’s tokenizer cannot be used: ${reason.replace(/\.$/, "")}.`);
    }
  }

  /** A control token's number; undefined where there is none of this name. */
  control(name: string): number | undefined {
    return this.#controls.get(name) ?? this.#inner.token_to_id(name);
  }

  /** The tokens of a prompt, which may be the `first` of a conversation. */
  ids(parts: readonly Part[], first: boolean): Uint32Array {
    const begin = first ? this.#begin.map((text) => ({ control: true, text, times: 1 })) : [];
    return new Uint32Array([...begin, ...parts].flatMap(({ control, text, times }) => {
      if (!control) return this.#inner.encode(text, { add_special_tokens: false }).ids;
      const id = this.control(text);
      if (id === undefined) throw new Error(`The model’s tokenizer has no ${text}: open that of the whole model, with its added_tokens.json.`);
      return Array<number>(times).fill(id);
    }));
  }

  /** The text of tokens: of control tokens only the marks around what is shown in a picture. */
  text(ids: readonly number[]): string {
    const parts: string[] = [];
    let told: number[] = [];
    const tell = () => {
      if (told.length > 0) parts.push(this.#inner.decode(told, { clean_up_tokenization_spaces: false }));
      told = [];
    };
    for (const id of ids) {
      const mark = this.#marks.get(id);
      if (mark) {
        tell();
        parts.push(mark);
      } else if (!this.#hidden.has(id) && this.#inner.id_to_token(id) !== undefined) told.push(id);
    }
    tell();
    return parts.join("");
  }
}

/** The most numbers that are passed over behind a vocabulary that is a list; `apps/cli/src/chat/tokens.rs` says the same. */
const MOST_PASSED = 1 << 16;

/** Refuses added tokens whose numbers are those of others, or far behind a list. */
function checkNumbers({ added_tokens: added = [], model }: Description) {
  const vocab = model?.vocab ?? {};
  const own = new Map(Array.isArray(vocab) ? vocab.map(([content], at) => [content, at] as const) : Object.entries(vocab as Record<string, number>));
  const owners = new Map([...own].map(([content, id]) => [id, content]));
  for (const { id, content } of added) {
    if ((own.get(content) ?? id) !== id || (owners.get(id) ?? content) !== content) {
      throw new Error(`added_tokens: ${JSON.stringify(content)} has the number ${id}, which is not its own`);
    }
    owners.set(id, content);
  }
  const last = added.reduce((most, { id }) => Math.max(most, id), 0);
  if (Array.isArray(vocab) && last > own.size + MOST_PASSED) {
    throw new Error(`added_tokens: the number ${last}, behind a vocabulary of ${own.size}: expected at most ${own.size + MOST_PASSED}`);
  }
}

async function read(files: readonly File[], describe: Describe): Promise<string | null> {
  const whole = await textOf(files, "tokenizer.json");
  if (whole !== null) return whole;
  const [vocabulary, merges] = [await textOf(files, "vocab.json"), await textOf(files, "merges.txt")];
  if (vocabulary === null || merges === null) return null;
  const others = await Promise.all(["added_tokens.json", "tokenizer_config.json"].map((name) => textOf(files, name)));
  const [added = "null", config = "null"] = others.map((text) => text ?? "null");
  return describe(vocabulary, merges, added, config);
}
