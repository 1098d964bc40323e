// Text that comes from files or addresses, before it is shown: bounded, and nothing in it that moves other text.

/** Characters that are shown at most. */
const MOST = 200;

/**
 * Controls, what turns the direction of text, line separators, the byte order mark, tags, private use, halves of
 * pairs: none of them has a picture of its own. The two joiners belong to the spelling of words and to emoji.
 */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;

/** Marks that stand on the letter before; more than these pile up over other lines. */
const PILES = /(\p{M}{4})\p{M}+/gu;

/** The text, cut where it is long, controls by their numbers. */
export function spelled(text: string, most = MOST): string {
  // No more is looked at than can be shown: the text may have megabytes.
  const start = [...text.slice(0, 2 * most)].slice(0, most).join("");
  const cut = start.length < text.length;
  const shown = start
    .replace(UNSEEN, (control) => `\\u{${control.codePointAt(0)?.toString(16)}}`)
    .replace(PILES, "$1");
  return cut ? `${shown.slice(0, 2 * most)}…` : shown;
}
