// Points and strokes on a picture: painted, erased, and as the engine's examples.

import type { Encoded, Lesson as Asked } from "../../shared/protocol";
import type { Trace } from "./lesson";
import type { Place } from "../../shared/patches";
import type { Shot } from "../photographs/shots";

export type Example = Omit<Asked["examples"][number], "photo">;

/** What a picture is measured by. */
export type Sheet = Pick<Encoded, "region" | "width" | "height" | "rows" | "cols" | "clear">;

/** Patches up to which the engine's cells are half a patch wide. */
const MOST_PATCHES = 4096;
/** The finest distance between places of a stroke, in parts of the longer side. */
const FINEST = 1 / 256;

/** The distance of two places, in parts of the longer side. */
export function distance([x, y]: Place, [u, v]: Place, { region: [, , width, height] }: Pick<Sheet, "region">): number {
  const longer = Math.max(width, height);
  return Math.hypot(((x - u) * width) / longer, ((y - v) * height) / longer);
}

/** Half a patch, in parts of the longer side: a click so near a point means it. */
const halfPatch = ({ rows, cols }: Sheet) => 0.5 / Math.max(rows, cols);
/** Half of one of the engine's cells: what lies so near to what is painted gives way. */
const halfCell = (sheet: Sheet) => halfPatch(sheet) / 2;

/** The places from one to another, the first left out, near enough for a stroke of a radius. */
export function between(from: Place, to: Place, radius: number, sheet: Sheet): Place[] {
  const steps = Math.ceil(distance(from, to, sheet) / Math.max(FINEST, radius / 2));
  return Array.from({ length: steps }, (_, at) => {
    const along = (at + 1) / steps;
    return [from[0] + (to[0] - from[0]) * along, from[1] + (to[1] - from[1]) * along] as const;
  });
}

/** Traces without what lies within a radius of some places; strokes fall into parts. The same list where nothing did. */
export function erased(traces: readonly Trace[], shot: Shot, places: readonly Place[], radius: number, sheet: Sheet): readonly Trace[] {
  const hit = (trace: Trace, at: Place) => {
    const near = Math.max(radius, halfCell(sheet)) + trace.radius / 2;
    return places.some((place) => distance(place, at, sheet) <= near);
  };
  const parts = traces.map((trace) => (trace.shot === shot && trace.path.some((at) => hit(trace, at)) ? cut(trace, (at) => !hit(trace, at)) : trace));
  return parts.some(Array.isArray) ? parts.flat() : traces;
}

/** The parts of a trace whose places are kept. */
function cut(trace: Trace, kept: (at: Place) => boolean): Trace[] {
  const runs: Place[][] = [[]];
  for (const at of trace.path) {
    if (kept(at)) runs.at(-1)?.push(at);
    else runs.push([]);
  }
  return runs.filter((path) => path.length > 0).map((path) => ({ ...trace, path }));
}

/** Traces with places of a class painted, along `grown` where a stroke goes on; other classes give way. */
export function painted(traces: readonly Trace[], grown: Trace | null, next: Trace, sheet: Sheet): readonly Trace[] {
  const others = traces.filter((trace) => trace.class !== next.class);
  const left = erased(others, next.shot, next.path, next.radius, sheet);
  const own = traces.filter((trace) => trace.class === next.class && trace !== grown);
  return [...left, ...own, grown ? { ...grown, path: [...grown.path, ...next.path] } : next];
}

/** The point of a class at a place; null where there is none. */
export function pointAt(traces: readonly Trace[], shot: Shot, at: Place, index: number, sheet: Sheet): Trace | null {
  const near = traces.filter((trace) => trace.shot === shot && trace.class === index && trace.path.length === 1);
  return near.find(({ path: [place], radius }) => place && distance(place, at, sheet) <= Math.max(radius, halfPatch(sheet))) ?? null;
}

/** The examples of a picture's traces: a pixel for each cell that a trace covers; the later trace has it. */
export function examplesOf(traces: readonly Trace[], sheet: Sheet): Example[] {
  const { rows, cols, clear } = sheet;
  const factor = rows * cols <= MOST_PATCHES ? 2 : 1;
  const [down, across] = [rows * factor, cols * factor];
  const hidden = new Set(clear);
  const found = new Map<number, Example>();
  const name = (at: Place, index: number) => {
    const [x, y] = [Math.floor(at[0] * across), Math.floor(at[1] * down)];
    const token = Math.floor(y / factor) * cols + Math.floor(x / factor);
    const cell = y * across + x;
    if (!hidden.has(token)) found.delete(cell); // the order is that of painting
    if (!hidden.has(token)) found.set(cell, { token, class: index, at: pixelAt(at, sheet) });
  };
  for (const trace of traces) {
    for (const at of trace.path) {
      for (const cell of covered(at, trace.radius, sheet, [across, down])) name(cell, trace.class);
      name(at, trace.class);
    }
  }
  return [...found.values()];
}

/** The middles of the cells that a disc covers. */
function covered([x, y]: Place, radius: number, { region: [, , width, height] }: Sheet, [across, down]: readonly [number, number]): Place[] {
  const longer = Math.max(width, height);
  const [wide, tall] = [(radius * longer) / width, (radius * longer) / height];
  const cells: Place[] = [];
  for (let row = Math.max(0, Math.ceil((y - tall) * down - 0.5)); row < down && (row + 0.5) / down <= y + tall; row++) {
    for (let col = Math.max(0, Math.ceil((x - wide) * across - 0.5)); col < across && (col + 0.5) / across <= x + wide; col++) {
      const at = [(col + 0.5) / across, (row + 0.5) / down] as const;
      if (((at[0] - x) / wide) ** 2 + ((at[1] - y) / tall) ** 2 <= 1) cells.push(at);
    }
  }
  return cells;
}

/** The photograph's pixel at a place. */
export function pixelAt([x, y]: Place, { region: [left, top, width, height], width: wide, height: tall }: Pick<Sheet, "region" | "width" | "height">): [number, number] {
  // The region ends before the photograph where that is cut, and behind it where that is padded.
  const pixel = (part: number, from: number, length: number, all: number) => Math.max(0, Math.min(Math.ceil(from + length) - 1, all - 1, Math.floor(from + part * length)));
  return [pixel(x, left, width, wide), pixel(y, top, height, tall)];
}
