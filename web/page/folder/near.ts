// What is alike in a folder: the nearest of a photograph, and those that are nearly the same.

import type { Arranged, Embedded } from "../../shared/folder";

/** A photograph by its place in a list, and how alike it is, as a cosine. */
export interface Found {
  at: number;
  cosine: number;
}

/** Vectors of unit length, one behind the other. */
export interface Vectors {
  values: Float32Array<ArrayBuffer>;
  width: number;
}

/** By what photographs are compared: that for texts where the model computes it, else what stands for the whole. */
export function vectorsOf(all: readonly Embedded[]): Vectors {
  const of = ({ embeds, cls }: Embedded) => (embeds.length > 0 ? embeds : cls);
  const width = all[0] ? of(all[0]).length : 0;
  const values = new Float32Array(all.length * width);
  for (const [at, one] of all.entries()) {
    const vector = of(one);
    const length = Math.hypot(...vector) || 1;
    for (let channel = 0; channel < width; channel++) values[at * width + channel] = (vector[channel] ?? 0) / length;
  }
  return { values, width };
}

/** All photographs, the most alike first; the one itself is the first of them. */
export function nearest(vectors: Vectors, to: number): Found[] {
  const { values, width } = vectors;
  const found = alike(vectors, values.subarray(to * width, (to + 1) * width));
  return found.sort((a, b) => Number(b.at === to) - Number(a.at === to));
}

/** All photographs, those first that are most alike to a vector of unit length. */
export function alike({ values, width }: Vectors, wanted: Float32Array): Found[] {
  const found = Array.from({ length: width > 0 ? values.length / width : 0 }, (_, at) => {
    let cosine = 0;
    for (let channel = 0; channel < width; channel++) cosine += (values[at * width + channel] ?? 0) * (wanted[channel] ?? 0);
    return { at, cosine };
  });
  return found.sort((a, b) => b.cosine - a.cosine);
}

/** Photographs that are alike from a cosine on, in groups, the largest first; each with its nearest's cosine. */
export function twinsOf({ near, cosines, each }: Arranged, from: number): Found[][] {
  const count = each > 0 ? near.length / each : 0;
  const parents = Array.from({ length: count }, (_, at) => at);
  const root = (at: number): number => {
    // Each step halves the way that is left.
    for (let up = parents[at] ?? at; up !== at; up = parents[at] ?? at) [parents[at], at] = [parents[up] ?? up, up];
    return at;
  };
  for (let place = 0; place < near.length; place++) {
    if ((cosines[place] ?? 0) >= from) parents[root(Math.floor(place / each))] = root(near[place] ?? 0);
  }
  const groups = new Map<number, Found[]>();
  for (let at = 0; at < count; at++) {
    const cosine = cosines[at * each] ?? 0;
    if (cosine < from) continue;
    groups.set(root(at), [...(groups.get(root(at)) ?? []), { at, cosine }]);
  }
  return [...groups.values()].sort((a, b) => b.length - a.length);
}
