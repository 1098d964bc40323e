// Texts as numbers of tokens.

import type { Tokenizer } from "@huggingface/tokenizers";
import empty from "#model/clip_tokenizer.json";

/** The tokens of a text, of which the last `ends` end every text. */
export function tokensOf(tokenizer: Tokenizer, text: string): { ids: number[]; ends: number } {
  const { ids } = tokenizer.encode(text);
  const bare = tokenizer.encode(text, { add_special_tokens: false }).ids;
  // What is put before every text is as long as the text has to be moved.
  let begin = 0;
  while (begin + bare.length < ids.length && bare.some((id, at) => ids[begin + at] !== id)) begin++;
  return { ids, ends: ids.length - begin - bare.length };
}

/** The `tokenizer.json` of CLIP's `vocab.json` and `merges.txt`, as the Rust module `clip_tokenizer` makes it. */
export function clipTokenizer(vocabulary: string, list: string): object {
  const vocab = JSON.parse(vocabulary) as Record<string, number>;
  const merges = list.split(/\r?\n/).filter((line) => !line.startsWith("#version") && line.includes(" "));
  const end = ([text]: readonly (string | null)[]) => [text, vocab[text ?? ""] ?? null];
  const { cls, sep } = empty.post_processor;
  return {
    ...empty,
    added_tokens: empty.added_tokens.map((token) => ({ ...token, id: vocab[token.content] ?? null })),
    post_processor: { ...empty.post_processor, cls: end(cls), sep: end(sep) },
    model: { ...empty.model, vocab, merges },
  };
}
