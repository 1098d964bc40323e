// Where a first lesson begins on a sample: a ring on its main object, and then one beside it.

import type { Place } from "../../shared/patches";

/** What is there, in words, and where, in parts of the picture. */
export interface Starter {
  thing: string;
  at: Place;
}

const starters: Readonly<Record<string, readonly Starter[]>> = {
  "chelsea.png": [{ thing: "the cat", at: [0.45, 0.35] }, { thing: "what is behind it", at: [0.93, 0.55] }],
  "astronaut.png": [{ thing: "the suit", at: [0.36, 0.6] }, { thing: "the wall", at: [0.62, 0.15] }],
  "coffee.png": [{ thing: "the cup", at: [0.46, 0.45] }, { thing: "the table", at: [0.9, 0.7] }],
  "rocket.jpg": [{ thing: "the rocket", at: [0.505, 0.55] }, { thing: "the sky", at: [0.63, 0.3] }],
  "camera.png": [{ thing: "the coat", at: [0.28, 0.5] }, { thing: "the grass", at: [0.75, 0.75] }],
};

/** The samples that were fetched: a visitor's own file may have the name of one. */
const samples = new WeakSet<File>();

export const isSample = (file: File) => void samples.add(file);

/** The starter of the first or the second class; null where there is none, and for a visitor's own photograph. */
export const starterOf = (file: File, index: number): Starter | null => (samples.has(file) ? (starters[file.name]?.[index] ?? null) : null);
