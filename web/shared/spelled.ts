// Makes text from files and addresses safe to show: bounded, and without characters that move other text.

/** Longest text, in characters. */
const MOST = 200;

/**
 * Characters without a glyph: controls, direction marks, line separators, the byte order mark, tags, private use,
 * lone surrogates. The two joiners are exempt: words and emoji need them.
 */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;

/** Combining marks: more than four on a letter would cover other lines. */
const PILES = /(\p{M}{4})\p{M}+/gu;

/** The text, cut off where it is long, with controls as their numbers. */
export function spelled(text: string, most = MOST): string {
  // Only what can be shown is looked at: the text may have megabytes.
  const start = [...text.slice(0, 2 * most)].slice(0, most).join("");
  const cut = start.length < text.length;
  const shown = start
    .replace(UNSEEN, (control) => `\\u{${control.codePointAt(0)?.toString(16)}}`)
    .replace(PILES, "$1");
  return cut ? `${shown.slice(0, 2 * most)}…` : shown;
}
