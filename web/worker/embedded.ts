// What stands for a whole photograph, of its features on the device: as the command line's tables have it.

import type { Engine } from "#internvit";
import type { Embedded } from "../shared/folder";
import type { Encoded } from "../shared/protocol";

const NONE = new Float32Array();

/** `compares` where the model was taught beside texts. */
export async function embedded(engine: Engine, { photo, tensors, width, height, rows, cols }: Encoded, compares: boolean): Promise<Embedded> {
  const once = async (name: string) => (tensors.includes(name) ? (await engine.tensor(photo, name)).data : NONE);
  const { shape, data } = await engine.tensor(photo, "last_hidden_state");
  const [, tokens = 0, channels = 1] = shape;
  const prefix = tokens - rows * cols;
  const pooled = mean(data.subarray(prefix * channels), channels);
  const whole = await once("pooler_output");
  const cls = whole.length > 0 ? whole : prefix > 0 ? data.slice(0, channels) : pooled;
  const features = await once("image_features");
  const embeds = compares ? unit(features.length > 0 ? features : whole) : NONE;
  return { width, height, rows, cols, cls, pooled, embeds, logits: await once("logits") };
}

/** The mean of rows with this number of channels, summed in 64 bits. */
function mean(values: Float32Array, channels: number): Float32Array<ArrayBuffer> {
  const sums = new Float64Array(channels);
  for (let at = 0; at < values.length; at++) {
    const channel = at % channels;
    sums[channel] = (sums[channel] ?? 0) + (values[at] ?? 0);
  }
  return Float32Array.from(sums, (sum) => sum / (values.length / channels));
}

/** The same direction, of length 1. */
function unit(values: Float32Array): Float32Array<ArrayBuffer> {
  const length = Math.hypot(...values) || 1;
  return Float32Array.from(values, (value) => value / length);
}
