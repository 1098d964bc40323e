// What a model writes, as elements: a few forms of Markdown, and all else as text. No HTML is read.

import { make } from "./dom";

/** A text's paragraphs, lists, titles and code. */
export function markdown(text: string): HTMLElement[] {
  const blocks: HTMLElement[] = [];
  // The odd parts stand between fences; the last may not be closed yet.
  for (const [at, part] of text.split(/^```/m).entries()) {
    if (at % 2 === 1) blocks.push(make("pre", {}, make("code", { textContent: part.replace(/^[^\n]*\n?/, "").trimEnd() })));
    else blocks.push(...part.split(/\n\s*\n/).filter((block) => block.trim()).flatMap(blockOf));
  }
  return blocks;
}

/** Lines of a list, or of a paragraph. */
function blockOf(block: string): HTMLElement[] {
  const found: HTMLElement[] = [];
  for (const line of block.trim().split("\n")) {
    const item = /^\s*(?:([-*+])|\d+[.)])\s+(.*)$/.exec(line);
    const title = /^#{1,6}\s+(.*)$/.exec(line);
    const last = found.at(-1);
    if (item) {
      const tag = item[1] ? "ul" : "ol";
      const list = last?.localName === tag ? last : make(tag);
      if (list !== last) found.push(list);
      list.append(make("li", {}, ...inline(item[2] ?? "")));
    } else if (title) found.push(make("p", {}, make("strong", {}, ...inline(title[1] ?? ""))));
    else if (last?.localName === "p") last.append(make("br"), ...inline(line));
    else found.push(make("p", {}, ...inline(line)));
  }
  return found;
}

/** Code, and what is strong or stressed. */
function inline(line: string): Node[] {
  return line.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)/).map((part, at) => {
    if (at % 2 === 0) return document.createTextNode(part);
    if (part.startsWith("`")) return make("code", { textContent: part.slice(1, -1) });
    return part.startsWith("**") ? make("strong", { textContent: part.slice(2, -2) }) : make("em", { textContent: part.slice(1, -1) });
  });
}
