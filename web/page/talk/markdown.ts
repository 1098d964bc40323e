// What a model writes, as elements: a few forms of Markdown, and all else as text. No HTML is read.

import { make } from "../dom";

/** Makes nodes of a piece of text that stands at a place of the whole. */
export type Write = (piece: string, at: number) => Node[];

/** A piece of the whole, and where it begins. */
interface Piece {
  text: string;
  at: number;
}

/** Code, and words between one to three asterisks; what is strong may have stressed words in it. */
const MARKED = /`[^`]+`|\*{3}[^*\s][^*]*\*{3}|\*\*(?:[^*]|\*[^*\s][^*]*\*)+\*\*|\*[^*\s][^*]*\*/g;

/** Marks around what is shown in a picture: they are no words. */
const MARKS = /<\/?(?:ref|box)>/;

/** A text's paragraphs, lists, titles and code. */
export function markdown(text: string, write: Write = (piece) => [document.createTextNode(piece)]): HTMLElement[] {
  const blocks: HTMLElement[] = [];
  // The odd parts stand between fences; the last may not be closed yet.
  for (const [number, part] of cut({ text, at: 0 }, /^[ \t]*```/m).entries()) {
    if (number % 2 === 1) blocks.push(make("pre", {}, make("code", {}, ...written(code(part), write))));
    else blocks.push(...blocksOf(part, write));
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

/** A list that goes on, and how far its marks are indented. */
interface Open {
  list: HTMLElement;
  indent: number;
}

/** Paragraphs, titles and lists, one in the other by their indents. */
function blocksOf(part: Piece, write: Write): HTMLElement[] {
  const found: HTMLElement[] = [];
  const open: Open[] = [];
  // Whether a paragraph has ended.
  let apart = true;
  for (const line of cut(part, /\n/)) {
    const item = /^([ \t]*)(?:[-*+]|(\d{1,9})[.)])\s+/.exec(line.text);
    const title = /^#{1,6}\s+/.exec(line.text);
    if (!line.text.trim()) {
      apart = true;
      continue;
    }
    if (!item && (title || (apart && !/^\s/.test(line.text)))) open.length = 0;
    const inner = open.at(-1)?.list.lastElementChild;
    const last = inner ?? found.at(-1);
    if (item) {
      const list = listOf(open, item[1]?.length ?? 0, item[2], (made, outer) => (outer ? outer.append(made) : found.push(made)));
      list.append(make("li", {}, ...inline(within(line, item[0].length), write)));
    } else if (title) found.push(make("p", {}, make("strong", {}, ...inline(within(line, title[0].length), write))));
    else if (!apart && last && (inner || last.localName === "p")) last.append(make("br"), ...inline(line, write));
    else {
      const paragraph = make("p", {}, ...inline(line, write));
      if (inner) inner.append(paragraph);
      else found.push(paragraph);
    }
    apart = title !== null;
  }
  return found;
}

/** The list of an item with this indent and number, if it has one: that which goes on, or one that is put in its place. */
function listOf(open: Open[], indent: number, number: string | undefined, put: (list: HTMLElement, outer: Element | null) => void): HTMLElement {
  const tag = number === undefined ? "ul" : "ol";
  const ended = ({ list, indent: own }: Open) => own > indent || (own === indent && list.localName !== tag);
  for (let last = open.at(-1); last && ended(last); last = open.at(-1)) open.pop();
  const outer = open.at(-1);
  if (outer?.indent === indent) return outer.list;
  // Where something else came between, the count goes on.
  const list = number === undefined ? make("ul") : make("ol", { start: Number(number) });
  put(list, outer?.list.lastElementChild ?? null);
  open.push({ list, indent });
  return list;
}

/** Code, and what is strong or stressed. */
function inline(line: Piece, write: Write): Node[] {
  const nodes: Node[] = [];
  let from = 0;
  const plain = (to: number) => {
    for (const piece of cut(within(line, from, to), MARKS)) nodes.push(...written(piece, write));
  };
  for (const { 0: part, index } of line.text.matchAll(MARKED)) {
    plain(index);
    const marks = /^(?:`|\*{1,3})/.exec(part)?.[0] ?? "";
    from = index + part.length;
    const inner = within(line, index + marks.length, from - marks.length);
    if (marks === "`") nodes.push(make("code", {}, ...written(inner, write)));
    else if (marks === "*") nodes.push(make("em", {}, ...inline(inner, write)));
    else nodes.push(make("strong", {}, ...(marks === "**" ? inline(inner, write) : [make("em", {}, ...inline(inner, write))])));
  }
  plain(line.text.length);
  return nodes;
}
