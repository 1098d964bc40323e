// Texts as numbers of tokens.

import type { Tokenizer } from "@huggingface/tokenizers";
import empty from "#model/clip_tokenizer.json";
import { PAIRS } from "../shared/names";

/** The tokens of a text, of which the last `ends` end every text. */
export function tokensOf(tokenizer: Tokenizer, text: string): { ids: number[]; ends: number } {
  const { ids } = tokenizer.encode(text);
  const bare = tokenizer.encode(text, { add_special_tokens: false }).ids;
  // What is put before every text is as long as the text has to be moved.
  let begin = 0;
  while (begin + bare.length < ids.length && bare.some((id, at) => ids[begin + at] !== id)) begin++;
  return { ids, ends: ids.length - begin - bare.length };
}

/**
 * The `tokenizer.json` of CLIP's `vocab.json` and `merges.txt`, as the Rust module `clip_tokenizer` makes it.
 * @throws where one of them is damaged; `file` is that of the pairs.
 */
export function clipTokenizer(vocab: unknown, list: string, file = "merges.txt"): object {
  if (!isVocabulary(vocab)) throw new Error("vocab.json: expected an object of tokens and their numbers");
  const merges = list.split(/\r?\n/).filter((line) => !line.startsWith("#version") && line !== "");
  const wrong = merges.length > 0 ? merges.find((line) => !isPair(vocab, line)) : null;
  if (wrong !== undefined) throw new Error(`${file}: expected two tokens a line, which are one together, found ${wrong === null ? "none" : JSON.stringify(wrong)}`);
  const end = ([text]: readonly (string | null)[]) => [text, vocab[text ?? ""] ?? null];
  const { cls, sep } = empty.post_processor;
  return {
    ...empty,
    added_tokens: empty.added_tokens.map((token) => ({ ...token, id: vocab[token.content] ?? null })),
    post_processor: { ...empty.post_processor, cls: end(cls), sep: end(sep) },
    model: { ...empty.model, vocab, merges },
  };
}

function isVocabulary(found: unknown): found is Record<string, number> {
  if (typeof found !== "object" || found === null || Array.isArray(found)) return false;
  const numbers = Object.values(found);
  return numbers.length > 0 && numbers.every((id) => Number.isInteger(id) && Number(id) >= 0);
}

/** Whether a line is a pair of tokens which a token of the vocabulary is made of. */
function isPair(vocab: Record<string, number>, line: string): boolean {
  const [left = "", ...rest] = line.split(" ");
  const right = rest.join(" ");
  return [left, right, left + right].every((token) => Object.hasOwn(vocab, token));
}

/** Pairs of open_clip's list that are joined: all tokens but single bytes, those that end words, and the two ends. */
const MOST_PAIRS = 49408 - 2 * 256 - 2;

/** The same of open_clip's list of pairs, which numbers tokens by their order. */
export function clipTokenizerOfPairs(list: string): object {
  const pairs = list.split(/\r?\n/).slice(1, 1 + MOST_PAIRS);
  const single = bytes();
  const ends = empty.added_tokens.map(({ content }) => content);
  const tokens = [...single, ...single.map((byte) => `${byte}</w>`), ...pairs.map((pair) => pair.replace(" ", "")), ...ends];
  return clipTokenizer(Object.fromEntries(tokens.map((token, id) => [token, id])), pairs.join("\n"), PAIRS);
}

/** A character for each byte: itself where it is seen, else one from 256 on; those that are seen first. */
function bytes(): string[] {
  const seen = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  const others = all.filter((byte) => !seen(byte)).map((_, at) => 256 + at);
  return [...all.filter(seen), ...others].map((code) => String.fromCharCode(code));
}

/** What puts tokens around a text, alone or one of several. */
export interface Processor {
  processors?: readonly Processor[];
  single?: readonly { SpecialToken?: { id: string } }[];
}

/** The control tokens that a tokenizer puts before every text. */
export function beginning(processor: Processor | null | undefined): string[] {
  const single = [processor, ...(processor?.processors ?? [])].find((one) => one?.single)?.single ?? [];
  const names = single.map(({ SpecialToken }) => SpecialToken?.id);
  // Up to the text, which is no token.
  return names.slice(0, names.indexOf(undefined)).filter((name) => name !== undefined);
}
