// The words of an answer, and the tokens that each is made of.

/** A word: its characters in the text, and its tokens among those of the answer. */
export interface Word {
  from: number;
  to: number;
  first: number;
  end: number;
}

const WITHIN = /[\p{L}\p{M}\p{N}]/u;
/** Scripts without blanks between words: there each token stands alone. */
const ALONE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** The words of a text, by where in it each token ends. A token without characters belongs to what follows it. */
export function wordsOf(text: string, ends: readonly number[]): Word[] {
  const words: Word[] = [];
  let [from, first] = [0, 0];
  for (const [token, end] of ends.entries()) {
    const to = Math.min(end, text.length);
    const piece = text.slice(from, to);
    if (!piece) continue;
    const last = words.at(-1);
    const [before, here] = [text[from - 1] ?? "", piece[0] ?? ""];
    const joined = last !== undefined && WITHIN.test(before) && WITHIN.test(here) && !ALONE.test(before) && !ALONE.test(here);
    if (joined) [last.to, last.end] = [to, token + 1];
    else if (piece.trim()) words.push({ from: from + piece.length - piece.trimStart().length, to, first, end: token + 1 });
    [from, first] = [to, token + 1];
  }
  // Blanks behind a word are not its own.
  for (const word of words) word.to = word.from + text.slice(word.from, word.to).trimEnd().length;
  return words;
}
