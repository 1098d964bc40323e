// What the colours mean: a scale, or a list of classes with their shares.

import { make } from "./dom";
import type { ViewMap } from "../shared/protocol";
import type { View } from "./views/view";

/** The engine's colour scale, viridis, in nine steps. */
const scale =
  "linear-gradient(90deg, #440154, #472d7b, #3b528b, #2c728e, #21918c, #28ae80, #5ec962, #addc30, #fde725)";

/** From what is dimmed to what is lit. */
const light = "linear-gradient(90deg, #1b1916, #8a8479, #fff3d6)";

/** What a view says of its map: above the legend, of a value, and of a class. */
type Words = Pick<View, "note" | "number" | "entry">;

/** `lit` where the map is drawn as light. */
export function showLegend(root: HTMLElement, map: ViewMap | null, view: Words, lit: boolean) {
  const note = map ? view.note(map) : "";
  root.replaceChildren(...(note ? [make("p", { className: "hint", textContent: note })] : []), ...parts(map, view, lit ? light : scale));
  root.hidden = root.childElementCount === 0;
}

function parts(map: ViewMap | null, view: Words, colours: string): Node[] {
  if (!map) return [];
  if (map.range) {
    const bar = make("span", { className: "scale" });
    bar.style.background = colours;
    const [low, high] = map.range.map((value) => make("span", { textContent: view.number(value) }));
    return [make("p", { className: "scale-line" }, low as Node, bar, high as Node)];
  }
  if (map.names.length === 0) return [];
  const present = map.names
    .map((_, index) => ({ index, share: map.shares[index] ?? 0, colour: map.palette[index] }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
  const entries = present.flatMap(({ index, colour }) => {
    const said = view.entry(map, index);
    if (!said) return [];
    const swatch = make("span", { className: "swatch" });
    swatch.style.background = `rgb(${colour?.join(" ")})`;
    return make("li", {}, swatch, make("span", { textContent: said.name }), make("span", { className: "count", textContent: said.count }));
  });
  return [make("ul", { className: "classes" }, ...entries)];
}
