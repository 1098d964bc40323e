// Where the photographs of a folder lie: the nearest of each, a map of them by UMAP, and groups by k-means.

import { UMAP } from "umap-js";
import type { Arranged } from "../shared/folder";

/** How many of the nearest photographs make the map; more show the whole, fewer the details. */
const NEIGHBOURS = 15;
/** Passes over all photographs until groups stand still, at most. */
const MOST_PASSES = 30;

/** What is told between two pieces of work; it ends them by an error. */
export type Turn = (done: number, total: number) => Promise<void>;

/** Numbers from 0 to 1 in the same order each time, so that a map comes out as it did before. */
function* seeded(): Generator<number, never> {
  let state = 1;
  for (;;) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

function randomly(): () => number {
  const numbers = seeded();
  return () => numbers.next().value;
}

/** Arranges photographs by vectors of unit length. */
export async function arrange(vectors: Float32Array, width: number, turn: Turn): Promise<Arranged> {
  const count = vectors.length / width;
  const each = Math.max(0, Math.min(NEIGHBOURS, count - 1));
  const total = 2 * count;
  const { near, cosines } = await nearest(vectors, width, each, (done) => turn(done, total));
  const places = count > 4 ? await mapped(near, cosines, each, (part) => turn(count + part * count, total)) : onLine(count);
  return { places, near, cosines, each };
}

/** The nearest others of each, by all pairs. */
async function nearest(vectors: Float32Array, width: number, each: number, turn: (done: number) => Promise<void>) {
  const count = vectors.length / width;
  const near = new Uint32Array(count * each);
  const cosines = new Float32Array(count * each).fill(-2);
  for (let one = 0; one < count; one++) {
    for (let other = one + 1; other < count; other++) {
      const cosine = dot(vectors, one * width, other * width, width);
      insert(near, cosines, one * each, each, other, cosine);
      insert(near, cosines, other * each, each, one, cosine);
    }
    await turn(one);
  }
  return { near, cosines };
}

function dot(vectors: Float32Array, one: number, other: number, width: number): number {
  let sum = 0;
  for (let at = 0; at < width; at++) sum += (vectors[one + at] ?? 0) * (vectors[other + at] ?? 0);
  return sum;
}

/** Puts a photograph in its place among the nearest of another, which are in order. */
function insert(near: Uint32Array, cosines: Float32Array, from: number, each: number, photo: number, cosine: number) {
  let at = from + each - 1;
  if (each === 0 || cosine <= (cosines[at] ?? 0)) return;
  for (; at > from && (cosines[at - 1] ?? 0) < cosine; at--) {
    cosines[at] = cosines[at - 1] ?? 0;
    near[at] = near[at - 1] ?? 0;
  }
  cosines[at] = cosine;
  near[at] = photo;
}

/** The map: what is near stays near. */
async function mapped(near: Uint32Array, cosines: Float32Array, each: number, turn: (part: number) => Promise<void>): Promise<Float32Array<ArrayBuffer>> {
  const count = near.length / each;
  const all = Array.from({ length: count }, (_, photo) => photo);
  const row = <T>(own: T, of: (at: number) => T, photo: number) => [own, ...Array.from({ length: each }, (_, at) => of(photo * each + at))];
  const umap = new UMAP({ nNeighbors: each, random: randomly() });
  // Each is its own nearest, as in the library's own search.
  umap.setPrecomputedKNN(
    all.map((photo) => row(photo, (at) => near[at] ?? 0, photo)),
    all.map((photo) => row(0, (at) => Math.sqrt(Math.max(0, 2 - 2 * (cosines[at] ?? 0))), photo)),
  );
  const steps = umap.initializeFit(all.map((photo) => [photo]));
  for (let step = 0; step < steps; step++) {
    umap.step();
    await turn(step / steps);
  }
  return scaled(umap.getEmbedding());
}

/** Both axes from 0 to 1, in one scale. */
function scaled(points: readonly (readonly number[])[]): Float32Array<ArrayBuffer> {
  const bounds = [0, 1].map((axis) => {
    let [low, high] = [Infinity, -Infinity];
    for (const point of points) [low, high] = [Math.min(low, point[axis] ?? 0), Math.max(high, point[axis] ?? 0)];
    return { middle: (low + high) / 2, size: high - low };
  });
  const size = Math.max(1e-6, ...bounds.map((one) => one.size));
  return Float32Array.from(points.flatMap((point) => bounds.map(({ middle }, axis) => 0.5 + ((point[axis] ?? 0) - middle) / size)));
}

/** So few have no map: they stand side by side. */
function onLine(count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 2 * count }, (_, at) => (at % 2 === 1 ? 0.5 : (Math.floor(at / 2) + 0.5) / count));
}

/** Groups of vectors of unit length by their directions. */
export async function groups(vectors: Float32Array, width: number, wanted: number, turn: Turn): Promise<number[]> {
  const count = vectors.length / width;
  const centres = begin(vectors, width, Math.min(wanted, count));
  const labels = new Array<number>(count).fill(-1);
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    let moved = false;
    for (let photo = 0; photo < count; photo++) {
      const best = closest(vectors, photo * width, centres, width);
      moved ||= labels[photo] !== best;
      labels[photo] = best;
    }
    if (!moved) break;
    settle(vectors, width, labels, centres);
    await turn(pass, MOST_PASSES);
  }
  return labels;
}

/** The first centres: each a photograph that is far from those before. */
function begin(vectors: Float32Array, width: number, wanted: number): Float32Array[] {
  const count = vectors.length / width;
  const random = randomly();
  const vector = (photo: number) => vectors.slice(photo * width, (photo + 1) * width);
  const centres = count > 0 ? [vector(Math.floor(random() * count))] : [];
  const far = new Float64Array(count).fill(Infinity);
  while (centres.length < wanted) {
    const last = centres[centres.length - 1] ?? new Float32Array(width);
    let sum = 0;
    for (let photo = 0; photo < count; photo++) {
      far[photo] = Math.min(far[photo] ?? 0, Math.max(0, 2 - 2 * along(vectors, photo * width, last)));
      sum += far[photo] ?? 0;
    }
    let left = random() * sum;
    let chosen = 0;
    for (; chosen < count - 1 && (left -= far[chosen] ?? 0) > 0; chosen++);
    centres.push(vector(chosen));
  }
  return centres;
}

function along(vectors: Float32Array, from: number, centre: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < centre.length; at++) sum += (vectors[from + at] ?? 0) * (centre[at] ?? 0);
  return sum;
}

function closest(vectors: Float32Array, from: number, centres: readonly Float32Array[], width: number): number {
  let [best, most] = [0, -Infinity];
  centres.forEach((centre, at) => {
    const cosine = along(vectors, from, centre.subarray(0, width));
    if (cosine > most) [best, most] = [at, cosine];
  });
  return best;
}

/** Moves each centre to the mean direction of its group. */
function settle(vectors: Float32Array, width: number, labels: readonly number[], centres: readonly Float32Array[]) {
  for (const [group, centre] of centres.entries()) {
    const sum = new Float64Array(width);
    let members = 0;
    labels.forEach((label, photo) => {
      if (label !== group) return;
      members++;
      for (let at = 0; at < width; at++) sum[at] = (sum[at] ?? 0) + (vectors[photo * width + at] ?? 0);
    });
    const length = Math.hypot(...sum);
    // One without neighbours stays where it is.
    if (members > 0 && length > 0) centre.set(sum.map((value) => value / length));
  }
}
