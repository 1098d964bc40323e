// Masks as the map of a view: colours of classes, and the values that are shown as light.

import type { Encoded, Masks, Taught, ViewMap } from "../../shared/protocol";

/** What is shown of a lesson: its classes, the probability of one of them, or where it is unsure. */
export type Showing = "classes" | "unsure" | number;

/** The label of what shows nothing. */
const NONE = 255;

type Sheet = Pick<Encoded, "rows" | "cols" | "clear">;

/** A map of classes; `blocks` leaves it at the engine's cells. */
export function mapOf(masks: Masks, taught: Taught, sheet: Sheet, blocks: boolean): ViewMap {
  const { names, palette } = taught;
  const { shape: [, rows = 1, cols = 1], data } = masks.cells;
  const cells = rasterOf(argmax(masks).labels, cols, rows, palette, sheet);
  const fine = blocks ? null : rasterOf(masks.labels, masks.width, masks.height, palette, sheet);
  return {
    ...cells, fine, names, palette, data, shape: [1, ...masks.cells.shape], range: null, best: null,
    shares: sharesOf((fine ?? cells).labels, names.length),
  };
}

/** The values of a map that is shown as light. */
export function valuesOf(masks: Masks, show: "unsure" | number, blocks: boolean): Float32Array {
  if (show === "unsure") return blocks ? argmax(masks).unsure : masks.unsure;
  const [planes, area] = blocks ? [masks.cells.data, cellsOf(masks)] : [masks.probabilities, masks.width * masks.height];
  return planes.subarray(show * area, (show + 1) * area);
}

const cellsOf = ({ cells: { shape: [, rows = 0, cols = 0] } }: Masks) => rows * cols;

/** The most probable class of each cell, and how near the next one is. */
function argmax(masks: Masks) {
  const area = cellsOf(masks);
  const { data } = masks.cells;
  const [labels, unsure] = [new Uint8Array(area), new Float32Array(area)];
  for (let at = 0; at < area; at++) {
    let [best, second] = [-1, 0];
    for (let from = at; from < data.length; from += area) {
      const p = data[from] ?? 0;
      if (p > best) [second, best, labels[at]] = [Math.max(best, 0), p, (from - at) / area];
      else second = Math.max(second, p);
    }
    unsure[at] = 1 - (best - second);
  }
  return { labels, unsure };
}

/** Colours of labels; transparent parts of the photograph have none. */
function rasterOf(labels: Uint8Array, width: number, height: number, palette: readonly (readonly number[])[], { rows, cols, clear }: Sheet) {
  const shown = labels.slice();
  const hidden = new Set(clear);
  for (let at = 0; hidden.size > 0 && at < shown.length; at++) {
    const [x, y] = [Math.floor(((at % width) * cols) / width), Math.floor((Math.floor(at / width) * rows) / height)];
    if (hidden.has(y * cols + x)) shown[at] = NONE;
  }
  // Each pixel as one number: red in its lowest byte.
  const colours = Uint32Array.from({ length: 256 }, (_, label) => {
    const [red = 0, green = 0, blue = 0] = palette[label] ?? [];
    return label < palette.length ? ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0 : 0;
  });
  const pixels = Uint32Array.from(shown, (label) => colours[label] ?? 0);
  return { rgba: new Uint8Array(pixels.buffer), width, height, labels: shown };
}

/** What percent of the labels each class has. */
function sharesOf(labels: Uint8Array, classes: number): number[] {
  const counts = new Array<number>(256).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts.slice(0, classes).map((count) => (100 * count) / labels.length);
}
