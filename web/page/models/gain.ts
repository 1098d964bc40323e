// What a published model gains over the one in use, in numbers, before it is fetched.

import { bytes, duration, many, remaining } from "../../shared/format";
import type { Encoded, ModelInfo } from "../../shared/protocol";
import { make } from "../dom";
import { secondsBy } from "../device/estimate";
import { memory } from "./precision";
import { download, type Published } from "./published";

/** The model in use, and the last photograph that it encoded. */
export interface Present {
  model: ModelInfo | null;
  last: Encoded | null;
}

/** A fold that compares a published model with the one in use when it is opened. */
export function gainOf(published: Published, hub: string, present: () => Present): HTMLElement {
  const table = make("table");
  const fold = make("details", { className: "gain" }, make("summary", { textContent: "What you gain" }));
  const card = make("a", { href: new URL(published.name, `${hub}/`).href, target: "_blank", rel: "noreferrer", textContent: "its card" });
  const note = make("p", { className: "hint", textContent: "Its pictures are not shown here: its weights are not part of this page. Licence and tests are on " }, card);
  note.append(".");
  fold.append(table, note);
  fold.addEventListener("toggle", () => fold.open && table.replaceChildren(...rowsOf(published, present())));
  return fold;
}

function rowsOf(published: Published, { model, last }: Present): HTMLTableRowElement[] {
  const side = Math.floor(published.image / published.patch);
  const seconds = model && last ? secondsBy(published, side ** 2, last, model) : null;
  const rows: [string, string, string][] = [
    ["", "now", "with it"],
    ["Parameters", model ? many(model.parameters) : "", many(published.parameters)],
    ["Layers", model ? String(model.layers) : "", String(published.layers)],
    ["Numbers a patch", model ? String(model.hidden) : "", String(published.hidden)],
    ["Made for pictures of", model ? `${model.image_size} px` : "", `${published.image} px, ${side} × ${side} patches`],
    ["A picture takes here", last ? `${duration(last.milliseconds)} at ${last.cols} × ${last.rows}` : "", seconds === null ? "known after a picture" : `about ${remaining(seconds)} at ${side} × ${side}`],
    ["Weights in memory, f32", model ? bytes(memory(model, "f32")) : "", bytes(memory(published, "f32"))],
    ["Download", "", bytes(download(published))],
  ];
  return rows.map((cells, row) => make("tr", {}, ...cells.map((textContent, at) => {
    const head = row === 0 || at === 0;
    const cell = make(head && textContent ? "th" : "td", { textContent });
    if (head && textContent) cell.setAttribute("scope", row === 0 ? "col" : "row");
    return cell;
  })));
}
