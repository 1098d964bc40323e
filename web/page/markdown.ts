// What a model writes, as elements: a few forms of Markdown, and all else as text. No HTML is read.

import { make } from "./dom";

/** Makes nodes of a piece of text that stands at a place of the whole. */
export type Write = (piece: string, at: number) => Node[];

/** A piece of the whole, and where it begins. */
interface Piece {
  text: string;
  at: number;
}

/** Marks around what is shown in a picture: they are no words. */
const MARKS = /<\/?(?:ref|box)>/;

/** A text's paragraphs, lists, titles and code. */
export function markdown(text: string, write: Write = (piece) => [document.createTextNode(piece)]): HTMLElement[] {
  const blocks: HTMLElement[] = [];
  // The odd parts stand between fences; the last may not be closed yet.
  for (const [number, part] of cut({ text, at: 0 }, /^```/m).entries()) {
    if (number % 2 === 1) blocks.push(make("pre", {}, make("code", {}, ...written(code(part), write))));
    else blocks.push(...cut(part, /\n\s*\n/).filter((block) => block.text.trim()).flatMap((block) => blockOf(block, write)));
  }
  return blocks;
}

/** The pieces between what separates them. */
function cut({ text, at }: Piece, separator: RegExp): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const { 0: { length }, index } of text.matchAll(new RegExp(separator, `${separator.flags}g`))) {
    pieces.push({ text: text.slice(from, index), at: at + from });
    from = index + length;
  }
  return [...pieces, { text: text.slice(from), at: at + from }];
}

/** A part of a piece. */
const within = ({ text, at }: Piece, from: number, to = text.length): Piece => ({ text: text.slice(from, to), at: at + from });

/** Code between fences, without the first line, which names the language. */
function code(piece: Piece): Piece {
  const first = /^[^\n]*\n?/.exec(piece.text)?.[0].length ?? 0;
  return within(piece, first, Math.max(first, piece.text.trimEnd().length));
}

function written({ text, at }: Piece, write: Write): Node[] {
  return text ? write(text, at) : [];
}

/** Lines of a list, or of a paragraph. */
function blockOf(block: Piece, write: Write): HTMLElement[] {
  const found: HTMLElement[] = [];
  for (const line of cut(block, /\n/)) {
    const item = /^\s*(?:([-*+])|\d+[.)])\s+/.exec(line.text);
    const title = /^#{1,6}\s+/.exec(line.text);
    const last = found.at(-1);
    if (!line.text.trim()) continue;
    if (item) {
      const tag = item[1] ? "ul" : "ol";
      const list = last?.localName === tag ? last : make(tag);
      if (list !== last) found.push(list);
      list.append(make("li", {}, ...inline(within(line, item[0].length), write)));
    } else if (title) found.push(make("p", {}, make("strong", {}, ...inline(within(line, title[0].length), write))));
    else if (last?.localName === "p") last.append(make("br"), ...inline(line, write));
    else found.push(make("p", {}, ...inline(line, write)));
  }
  return found;
}

/** Code, and what is strong or stressed. */
function inline(line: Piece, write: Write): Node[] {
  const nodes: Node[] = [];
  let from = 0;
  const plain = (to: number) => {
    for (const piece of cut(within(line, from, to), MARKS)) nodes.push(...written(piece, write));
  };
  for (const { 0: part, index } of line.text.matchAll(/`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*/g)) {
    plain(index);
    const [tag, marks] = part.startsWith("`") ? ["code", 1] as const : part.startsWith("**") ? ["strong", 2] as const : ["em", 1] as const;
    from = index + part.length;
    nodes.push(make(tag, {}, ...written(within(line, index + marks, from - marks), write)));
  }
  plain(line.text.length);
  return nodes;
}
