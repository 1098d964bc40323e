// What the colours mean: a scale, or a list of classes with their shares.

import { make } from "../dom";
import type { ViewMap } from "../../shared/protocol";
import type { Light } from "./light";
import type { View } from "../views/view";

/** The engine's colour scale, viridis, in nine steps. */
const scale =
  "linear-gradient(90deg, #440154, #472d7b, #3b528b, #2c728e, #21918c, #28ae80, #5ec962, #addc30, #fde725)";

/** From what is dimmed to what is lit, between two parts of the scale. */
const lightScale = (from: number, to: number) => `linear-gradient(90deg, #1b1916 ${100 * from}%, #8a8479 ${50 * (from + to)}%, #fff3d6 ${100 * to}%)`;

/** What a view says of its map: above the legend, of a value, and of a class. */
type Words = Pick<View, "note" | "number" | "entry">;

/** `light` is what is drawn in place of the map's colours. */
export function showLegend(root: HTMLElement, map: ViewMap | null, view: Words, light: Light | null) {
  const note = map ? view.note(map) : "";
  root.replaceChildren(...(note ? [make("p", { className: "hint", textContent: note })] : []), ...parts(map, view, light));
  root.hidden = root.childElementCount === 0;
}

function parts(map: ViewMap | null, view: Words, light: Light | null): Node[] {
  if (!map) return [];
  if (map.range) return [scaleLine(map.range, view, light)];
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

/** The scale of a range; where light has no line at a value, of the range that it makes out, beyond which all is as dark or as lit. */
function scaleLine(range: readonly [number, number], view: Words, light: Light | null): HTMLElement {
  const own = light?.line === null;
  const [low, high] = own ? [light.low, light.high] : range;
  const bar = make("span", { className: "scale" });
  const place = (value: number) => Math.min(1, Math.max(0, (value - low) / Math.max(1e-6, high - low)));
  bar.style.background = light ? lightScale(place(light.low), place(light.high)) : scale;
  const end = (value: number, beyond: boolean, sign: string) => make("span", { textContent: (beyond ? sign : "") + view.number(value) });
  return make("p", { className: "scale-line" }, end(low, own && range[0] < low, "≤ "), bar, end(high, own && range[1] > high, "≥ "));
}
