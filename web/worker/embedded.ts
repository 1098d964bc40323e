// What stands for a whole photograph, of its features on the device: as the command line's tables have it.

import type { Engine } from "#internvit";
import type { Embedded } from "../shared/folder";
import type { Encoded } from "../shared/protocol";
import { mean, unit } from "../shared/vectors";

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
