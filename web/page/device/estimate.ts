// Estimates the time of an encoding from a measured one.

import type { Encoded, ModelInfo, Settings } from "../../shared/protocol";

/** Seconds that a photograph of `known`'s size takes with these settings. */
export function secondsFor(settings: Settings, known: Encoded, model: ModelInfo): number {
  const { pictures, patches } = inputs(settings, known, model);
  const before = known.tiles * cost(known.tokens - 1, model.hidden);
  return (known.milliseconds / 1000) * ((pictures * cost(patches, model.hidden)) / before);
}

/** Seconds that another model takes for a number of patches, by the speed at which `model` encoded a photograph. */
export function secondsBy(other: Sizes, patches: number, known: Encoded, model: Sizes): number {
  const all = ({ layers, hidden }: Sizes, count: number) => layers * hidden * cost(count, hidden);
  return ((known.milliseconds / 1000) * all(other, patches)) / (known.tiles * all(model, known.tokens - 1));
}

/** Patches of a photograph of `known`'s size with these settings. */
export function patchesOf(settings: Settings, known: Encoded, model: ModelInfo): number {
  const { pictures, patches } = inputs(settings, known, model);
  return pictures * patches;
}

/** What the work of a model depends on. */
type Sizes = Pick<ModelInfo, "layers" | "hidden">;

/** Relative cost of one layer: the products with the weights, and those of all pairs of tokens. */
function cost(patches: number, hidden: number): number {
  return 6 * patches * hidden + patches ** 2;
}

/** The number of pictures that the model encodes, and of patches in each. */
function inputs({ image_size, resize, tiles = 1, shifts = 1, most_patches = Infinity }: Settings, { width, height }: Encoded, model: ModelInfo) {
  const rows = (image_size ?? model.image_size) / model.patch;
  if (tiles > 1) {
    return { pictures: tileCount(width, height, tiles, image_size ?? model.image_size), patches: rows ** 2 };
  }
  const shape = resize === "native" ? Math.max(width, height) / Math.min(width, height) : 1;
  return { pictures: shifts ** 2, patches: Math.min(rows ** 2 * shape, most_patches / shifts ** 2) };
}

/** The number of tiles in the grid that the engine chooses: its shape is closest to the photograph's. */
function tileCount(width: number, height: number, most: number, side: number): number {
  const grids = Array.from({ length: most }, (_, at) => at + 1)
    .flatMap((cols) => Array.from({ length: Math.floor(most / cols) }, (_, at) => ({ cols, count: cols * (at + 1) })))
    .sort((a, b) => a.count - b.count);
  let [closest, best] = [Infinity, 1];
  for (const { cols, count } of grids) {
    const distance = Math.abs(width / height - cols ** 2 / count);
    const worth = width * height > 0.5 * side ** 2 * count;
    if (distance < closest || (distance === closest && worth)) [closest, best] = [distance, count];
  }
  return best;
}
