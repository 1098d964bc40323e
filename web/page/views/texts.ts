// Why a model reads no words.

import type { ModelInfo } from "../../shared/protocol";

/** Null where it does, or where there is more to say. */
export function noTexts(texts: ModelInfo["texts"]): string | null {
  return texts !== "left out" ? null
    : "This model can read words, but what reads them is not here. Open its tokenizer.json with its other files, or fetch it again “with words” under Other models.";
}
