// What calls may be given, as shapes: a value of another type, or a misspelt option, is an error and not ignored.

import { deviceChoice, dtype, edges, settings } from "../shared/protocol";
import { boolean, instance, list, mismatch, number, optional, record, string, words, type Shape } from "../shared/shape";
import { ModelError } from "./errors";
import { isList } from "./photos";
import type * as api from "./types";

/** A value that passes a test; `kind` says in words which do. */
/* @__NO_SIDE_EFFECTS__ */
function such<T>(kind: string, test: (value: unknown) => boolean): Shape<T> {
  return { kind, misfit: (value, name) => (test(value) ? null : mismatch(name, kind, value)) };
}

/** A number that counts something. */
const whole: Shape<number> = {
  kind: "a whole number",
  misfit(value, name) {
    if (typeof value !== "number") return mismatch(name, this.kind, value);
    return Number.isInteger(value) && value >= 0 ? null : `${name}: expected ${this.kind}, found ${value}`;
  },
};

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
const isText = (value: unknown) => typeof value === "string";

const signal = optional(such<AbortSignal>("an AbortSignal", (value) => isObject(value) && "aborted" in value && "addEventListener" in value));
const onProgress = optional(such<unknown>("a function", (value) => typeof value === "function"));
export const side = optional(whole);
const sides = { size: side, imageSize: side };
const size = { signal, ...sides, resize: settings.fields.resize };

export const openOptions = record({
  device: optional(deviceChoice), dtype: optional(dtype), threads: optional(whole), texts: optional(boolean),
  hub: optional(string), token: optional(string), signal, onProgress,
});
export const callOptions = record({ signal });
export const sizeOptions = record(size);
export const featureOptions = record({ ...size, layers: optional(list(number)), onProgress });
export const lookOptions = record({ ...size, tiles: optional(whole), shifts: optional(whole), edges: optional(edges), dataAt: optional(words("patches", "pixels")) });
export const maskOptions = record({ signal, ...sides, probabilities: optional(boolean) });

/** A pixel of a photograph. */
export const pixel = such<readonly [number, number]>("a pixel [x, y]", (value) => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite));
export const photo = such<api.Photo>("an address, a Blob, the bytes of a file, or pixels { data, width, height }", (value) => isText(value) || (isObject(value) && !Array.isArray(value)));
const files = list(instance(File));
const source = such<string | URL>("a name, an address, or a model’s files", (value) => isText(value) || value instanceof URL);
export const storedName = such<string>("the name of a model", (value) => isText(value) || value instanceof URL);
const taught = such<api.Head | Uint8Array>("a Head, or the bytes of its file", (value) => bytesOf(value) instanceof Uint8Array);
const someTexts = such<string | readonly string[]>("a text or a list of texts", (value) => isText(value) || Array.isArray(value));

const [layer, head, k] = [optional(number), optional(number), optional(whole)];
/** The settings of each view. */
const views = {
  pca: record({ view: string, layer, foreground: optional(boolean), swap: optional(boolean) }),
  similarity: record({ view: string, at: pixel, layer, centred: optional(boolean) }),
  attention: record({ view: string, at: optional(pixel), layer, head }),
  rollout: record({ view: string, at: optional(pixel), layer }),
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

/** The options of a call, without those that are left out; fails where they have not the shape. */
export function optionsOf<T extends object>(shape: Shape<unknown>, given: T | undefined, call: string): T {
  if (given === undefined) return {} as T;
  insist(shape, given, isObject(given) ? call : `${call}.options`);
  return present(given);
}

/** An object without what is left out of it. */
function present<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null)) as T;
}

/** Fails where this is no model's source. */
export function insistSource(given: unknown) {
  if (!isList(given)) insist(source, given, "open.source");
  else insist(files, [...given], "open.source");
}

/** Photographs as a list, of one or of several. */
export function photosOf(given: api.Photo | readonly api.Photo[] | api.ListOfFiles, call: string): readonly api.Photo[] {
  const photos: readonly api.Photo[] = isList(given) ? [...given] : [given];
  photos.forEach((one, at) => insist(photo, one, isList(given) ? `${call}.photos[${at}]` : `${call}.photo`));
  return photos;
}

/** Texts as a list: a string is one text. */
export function textsOf(given: api.Texts | string | readonly string[], call: string): readonly string[] {
  const texts = isObject(given) && "texts" in given ? given.texts : given;
  insist(someTexts, texts, `${call}.texts`);
  if (typeof texts === "string") return [texts];
  insist(list(string), texts, `${call}.texts`);
  return [...texts];
}

/** The file of a head that was taught. */
export function headOf(given: api.Head | Uint8Array, call: string): Uint8Array<ArrayBuffer> {
  insist(taught, given, `${call}.head`);
  return new Uint8Array(bytesOf(given) as Uint8Array);
}

function bytesOf(given: unknown): unknown {
  return isObject(given) && "bytes" in given ? given.bytes : given;
}

/** The size that was asked for, by either of its names. */
export function sizeOf({ size, imageSize = size }: api.Sized): number | undefined {
  if (size !== undefined && imageSize !== size) throw new ModelError("input", `size ${size} and imageSize ${imageSize} are one option: give one of them.`);
  return imageSize;
}

/** A view with its settings; fails where it is none, or has settings that its view has not. */
export function viewOf(given: api.ViewName | api.ViewRequest): api.ViewRequest {
  const request: unknown = typeof given === "string" ? { view: given } : given;
  insist(such("the name of a view, or { view, … }", isObject), request, "look.view");
  const { view } = request as { view: string };
  insist(words(...Object.keys(views)), view, "view");
  insist(views[view as keyof typeof views], request, "view");
  return present(request as api.ViewRequest);
}
