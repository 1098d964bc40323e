// Names of a model's files, as they are published.

/** The vocabulary that open_clip brings for CLIP's texts. */
export const PAIRS = "bpe_simple_vocab_16e6.txt.gz";

/** What makes tokens of texts. */
export const TOKENIZER = ["tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", PAIRS];

/** The same of models that speak. */
export const TALK_TOKENIZER = ["tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "added_tokens.json"];

/** Whether a file is one of llama.cpp's. */
export function isGguf({ name }: { name: string }): boolean {
  return /\.gguf$/i.test(name);
}

/** Weights by the names that programs look for first, each before the next: some repositories hold both. */
export const WEIGHTS = ["model.safetensors", "open_clip_model.safetensors"] as const;
