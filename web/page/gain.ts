// What a published model gains over the one in use, in numbers, before it is fetched.

import { bytes, duration, many, remaining } from "../shared/format";
import type { Encoded, ModelInfo, PublishedModel } from "../shared/protocol";
import { make } from "./dom";
import { secondsBy } from "./estimate";
import { memory } from "./precision";

/** The model in use, and the last photograph that it encoded. */
export interface Present {
  model: ModelInfo | null;
  last: Encoded | null;
}

/** Pixels of a patch of every published InternViT. */
const PATCH = 14;

/** Where a model is at work, by the configurations of the vision-language models. */
const KNOWN: Readonly<Record<string, string>> = {
  "OpenGVLab/InternViT-300M-448px": "What InternVL2 sees with, from 1B to 8B. It learned from InternViT-6B.",
  "OpenGVLab/InternViT-300M-448px-V2_5": "What InternVL 2.5, 3 and 3.5 see with in their smaller sizes. It learned from InternViT-6B.",
};

/** A fold that compares a published model with the one in use when it is opened. */
export function gainOf(published: PublishedModel, hub: string, present: () => Present): HTMLElement {
  const table = make("table");
  const fold = make("details", { className: "gain" }, make("summary", { textContent: "What you gain" }));
  const known = KNOWN[published.name];
  if (known) fold.append(make("p", { className: "hint", textContent: known }));
  const card = make("a", { href: new URL(published.name, `${hub}/`).href, target: "_blank", rel: "noreferrer", textContent: "its card" });
  const note = make("p", { className: "hint", textContent: "Its pictures are not shown here: its weights are not part of this page. Licence and tests are on " }, card);
  note.append(".");
  fold.append(table, note);
  fold.addEventListener("toggle", () => fold.open && table.replaceChildren(...rowsOf(published, present())));
  return fold;
}

function rowsOf(published: PublishedModel, { model, last }: Present): HTMLTableRowElement[] {
  const side = published.image / PATCH;
  const seconds = model && last ? secondsBy(published, side ** 2, last, model) : null;
  const rows: [string, string, string][] = [
    ["", "now", "with it"],
    ["Parameters", model ? many(model.parameters) : "", many(published.parameters)],
    ["Layers", model ? String(model.layers) : "", String(published.layers)],
    ["Numbers a patch", model ? String(model.hidden) : "", String(published.hidden)],
    ["Made for pictures of", model ? `${model.image_size} px` : "", `${published.image} px, ${side} × ${side} patches`],
    ["A picture takes here", last ? `${duration(last.milliseconds)} at ${last.cols} × ${last.rows}` : "", seconds === null ? "known after a picture" : `about ${remaining(seconds)} at ${side} × ${side}`],
    ["Weights in memory, f32", model ? bytes(memory(model, "f32")) : "", bytes(memory(published, "f32"))],
    ["Download", "", bytes(published.bytes)],
  ];
  return rows.map((cells, row) => make("tr", {}, ...cells.map((textContent, at) => {
    const head = row === 0 || at === 0;
    const cell = make(head && textContent ? "th" : "td", { textContent });
    if (head && textContent) cell.setAttribute("scope", row === 0 ? "col" : "row");
    return cell;
  })));
}
