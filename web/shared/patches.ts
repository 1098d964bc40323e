// Patches of a photograph: their index in the grid, and their place in the region that the model sees.

import type { Encoded } from "./protocol";

/** A place on a photograph, in fractions of the region's width and height. */
export type Place = readonly [number, number];

type Grid = Pick<Encoded, "rows" | "cols">;

/** The patch at a place. */
export function tokenAt(at: Place | null, { rows, cols }: Grid): number | null {
  return at && Math.floor(at[1] * rows) * cols + Math.floor(at[0] * cols);
}

/** Whether a patch has the same place on both. */
export function sameGrid(one: Grid | null | undefined, other: Grid | null | undefined): boolean {
  return one?.rows === other?.rows && one?.cols === other?.cols;
}

/** The middle of a patch. */
export function placeOf(token: number, { rows, cols }: Grid): Place {
  return [((token % cols) + 0.5) / cols, (Math.floor(token / cols) + 0.5) / rows];
}
