// Light in place of a lid: what matters stays bright, the rest of the photograph is dimmed.
//
// The engine makes the values, along the photograph's edges too; the page makes light and lines of them, as a threshold
// that is dragged changes these at each move, and the same values are lit in more than one way.

import type { ViewMap } from "../../shared/protocol";
import { pen } from "../dom";

/** How strongly each patch, or each pixel, is lit. */
export interface Light {
  values: Float32Array;
  width: number;
  height: number;
  /** Values at which a patch is fully dark, and fully lit. */
  low: number;
  high: number;
  /** The value along which a line is drawn; null for none. */
  line: number | null;
}

/** How dark the dark gets, of 255. */
const DARK = 205;
/** A touch of warm light on what is lit, so that it shows on dark things too. */
const GLOW = [255, 190, 110, 46] as const;

/** Steps from dark to lit. */
const STEPS = 255;

/** The colours of all steps, each as one number with red in its lowest byte: a smooth step from 0 to 1. */
function shades(): Uint32Array {
  return Uint32Array.from({ length: STEPS + 1 }, (_, at) => {
    const t = at / STEPS;
    const lit = t * t * (3 - 2 * t);
    // The glow shows in the upper half of the light, the shade below it.
    const [glow, dark] = [Math.max(0, 2 * lit - 1) * GLOW[3], (1 - lit) * DARK];
    const warm = glow > dark ? 1 : 0;
    return ((Math.round(Math.max(glow, dark)) << 24) | ((warm * GLOW[2]) << 16) | ((warm * GLOW[1]) << 8) | (warm * GLOW[0])) >>> 0;
  });
}

/** The shade over the patches, and the glow on them: one pixel for each value. */
export function shadeOf({ values, width, height, low, high }: Light): HTMLCanvasElement {
  const table = shades();
  const scale = STEPS / Math.max(1e-6, high - low);
  const pixels = new Uint32Array(width * height);
  for (let at = 0; at < pixels.length; at++) {
    const step = Math.round(((values[at] ?? low) - low) * scale);
    pixels[at] = table[step < 0 ? 0 : step > STEPS ? STEPS : step] ?? 0;
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  pen(canvas)?.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
  return canvas;
}

/** The values of a map, along the edges that it has; `own` are those of its patches. */
export function valuesOf({ data, fine, range }: ViewMap, own: Float32Array = data): Float32Array {
  if (!fine || !range) return own;
  const [low, high] = range;
  const values = new Float32Array(fine.labels.length);
  for (let at = 0; at < values.length; at++) values[at] = low + ((fine.labels[at] ?? 0) / 255) * (high - low);
  return values;
}

/** The light of a map's values between two percentiles of the patches', which are `own`. */
export function percentileLight(map: ViewMap, own: Float32Array, from: number, to: number): Light {
  const sorted = own.slice().sort();
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))] ?? 0;
  const { width, height } = map.fine ?? map;
  return { values: valuesOf(map, own), width, height, low: at(from), high: at(to), line: null };
}

/** Most values in a row of which a line is made: it is to be calm, not to follow each grain of the photograph. */
const CALM = 128;

/** A line along which the values in the middles of patches, or of pixels, reach `light.line`, in units of these: [x1, y1, x2, y2] each. */
export function contour(light: Light): number[][] {
  if (light.line === null) return [];
  const by = Math.ceil(light.width / CALM);
  return by > 1 ? lines(coarser(light, by), light.line).map((each) => each.map((at) => at * by)) : lines(light, light.line);
}

type Plane = Pick<Light, "values" | "width" | "height">;

/** Means of `by` × `by` values; those of the last row and column may be of fewer. */
function coarser({ values, width, height }: Plane, by: number): Plane {
  const [cols, rows] = [Math.ceil(width / by), Math.ceil(height / by)];
  const means = new Float32Array(cols * rows);
  for (let y = 0; y < height; y++) {
    const high = Math.min(by, height - (y - (y % by)));
    for (let x = 0; x < width; x++) {
      const wide = Math.min(by, width - (x - (x % by)));
      const at = Math.floor(y / by) * cols + Math.floor(x / by);
      means[at] = (means[at] ?? 0) + (values[y * width + x] ?? 0) / (high * wide);
    }
  }
  return { values: means, width: cols, height: rows };
}

function lines({ values, width, height }: Plane, line: number): number[][] {
  const found: number[][] = [];
  // Outside of the picture is dark, so that each line is closed.
  const value = (x: number, y: number) => (x < 0 || y < 0 || x >= width || y >= height ? -1e-3 : (values[y * width + x] ?? 0) - line);
  for (let y = -1; y < height; y++) {
    let [a, d] = [value(-1, y), value(-1, y + 1)];
    for (let x = -1; x < width; x++) {
      const [b, c] = [value(x + 1, y), value(x + 1, y + 1)];
      // Most cells lie on one side of the line.
      if (a > 0 !== b > 0 || a > 0 !== c > 0 || a > 0 !== d > 0) {
        const crossings = crossed([a, b, c, d], x + 0.5, y + 0.5);
        for (let at = 0; at + 1 < crossings.length; at += 2) found.push([...(crossings[at] ?? []), ...(crossings[at + 1] ?? [])]);
      }
      [a, d] = [b, c];
    }
  }
  return found;
}

/** Where the sides of a cell, whose first corner lies at a place, cross zero. */
function crossed([a, b, c, d]: readonly [number, number, number, number], x: number, y: number): number[][] {
  const part = (from: number, to: number) => from / (from - to);
  const points: number[][] = [];
  if (a > 0 !== b > 0) points.push([x + part(a, b), y]);
  if (b > 0 !== c > 0) points.push([x + 1, y + part(b, c)]);
  if (c > 0 !== d > 0) points.push([x + 1 - part(c, d), y + 1]);
  if (d > 0 !== a > 0) points.push([x, y + 1 - part(d, a)]);
  return points;
}
