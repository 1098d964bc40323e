// What calls may be given, as shapes: a misspelt option is an error, and not ignored.

import { deviceChoice, dtype, edges, settings } from "../shared/protocol";
import { boolean, list, number, optional, record, string, unchecked, words, type Shape } from "../shared/shape";
import { ModelError } from "./errors";
import type { Sized } from "./types";

const signal = optional(unchecked<AbortSignal>());
const onProgress = optional(unchecked<unknown>());
const side = { size: optional(number), imageSize: optional(number) };
const size = { signal, ...side, resize: settings.fields.resize };

export const openOptions = record({
  device: optional(deviceChoice), dtype: optional(dtype), threads: optional(number), texts: optional(boolean),
  hub: optional(string), token: optional(string), signal, onProgress,
});
export const callOptions = record({ signal });
export const sizeOptions = record(size);
export const featureOptions = record({ ...size, layers: optional(list(number)), onProgress });
export const lookOptions = record({ ...size, tiles: optional(number), shifts: optional(number), edges: optional(edges) });
export const maskOptions = record({ signal, ...side, probabilities: optional(boolean) });

const at = list(number);
const [layer, head, k] = [optional(number), optional(number), optional(number)];
/** The settings of each view. */
const views = {
  pca: record({ view: string, layer, foreground: optional(boolean), swap: optional(boolean) }),
  similarity: record({ view: string, at, layer, centred: optional(boolean) }),
  attention: record({ view: string, at: optional(at), layer, head }),
  rollout: record({ view: string, at: optional(at), layer }),
  clusters: record({ view: string, layer, k }),
  norms: record({ view: string, layer }),
  words: record({ view: string, text: string }),
  segmentation: record({ view: string }),
};

/** Fails where a value has not the shape. */
export function insist(shape: Shape<unknown>, value: unknown, name: string) {
  const wrong = shape.misfit(value, name);
  if (wrong) throw new ModelError("input", `${wrong}.`);
}

/** The size that was asked for, by either of its names. */
export function sizeOf({ size, imageSize = size }: Sized): number | undefined {
  if (size !== undefined && imageSize !== size) throw new ModelError("input", `size ${size} and imageSize ${imageSize} are one option: give one of them.`);
  return imageSize;
}

/** Fails where a request is of no view, or has settings that its view has not. */
export function insistView(request: { view: string }) {
  insist(words(...Object.keys(views)), request.view, "view");
  insist(views[request.view as keyof typeof views], request, "view");
}
