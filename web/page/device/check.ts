// Whether a device computes right: the features of a made-up picture, held against the processor's.

import type { ModelSource, Tensor } from "../../shared/protocol";
import type { Options } from "../../client/caller";
import { Engine } from "../engine";

/** Weights of which the processor can well take a second copy, in bytes. */
const MOST = 200e6;

/** How far the features are from the processor's: relative L2. */
export interface Check {
  against: "CPU";
  relative_l2: number;
}

/** Null where the weights are too large to be held twice. */
export async function check(engine: Engine, source: ModelSource, side: number, weights: number, options: Options): Promise<Check | null> {
  if (weights > MOST) return null;
  const other = new Engine();
  try {
    await other.call("open", { device: "cpu", threads: null }, options);
    await other.call("load", source, options);
    const pixels = noise(side);
    const [found, expected] = [await features(engine, pixels, options), await features(other, pixels, options)];
    return { against: "CPU", relative_l2: relativeL2(found, expected) };
  } finally {
    other.end();
  }
}

async function features(engine: Engine, pixels: Tensor, options: Options): Promise<Float32Array> {
  const { photo } = await engine.call("encodePixels", { pixels, layers: [] }, options);
  const { data } = await engine.call("tensor", { photo, name: "last_hidden_state" }, options);
  await engine.call("forget", photo);
  return data;
}

/** Preprocessed pixels between -1 and 1, always the same. */
function noise(side: number): Tensor {
  const data = new Float32Array(3 * side * side);
  let state = 1;
  // A linear congruential generator: no two pixels are alike, and each machine has the same.
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state / 2 ** 31 - 1;
  }
  return { shape: [1, 3, side, side], data };
}

function relativeL2(found: Float32Array, expected: Float32Array): number {
  let [apart, size] = [0, 0];
  // Sums in 64 bits.
  expected.forEach((value, i) => {
    apart += ((found[i] ?? NaN) - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(apart / size);
}
