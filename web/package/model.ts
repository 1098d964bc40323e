// A model that is open: each call encodes a photograph, asks for something of it, and lets it go.

import type { Options } from "../client/caller";
import { Engine } from "../client/engine";
import type { Call, Calls, Device, Encoded, Model as Loaded, OwnFiles, Settings } from "../shared/protocol";
import { unless } from "../shared/unless";
import { kinded, ModelError, type ErrorKind } from "./errors";
import { layerOf, PhotoFeatures } from "./features";
import * as shapes from "./options";
import { fileOf, isList, type ReadFile } from "./photos";
import { told } from "./progress";
import { requestOf, tokenOf } from "./request";
import { PointLesson, usualLayers, type Asked } from "./teach";
import type * as api from "./types";

/** What differs between a page and Node. */
export interface Surroundings {
  start(): Worker;
  read: ReadFile;
  /** A model's files. */
  files(source: api.ModelSource, options: api.OpenOptions, calls: Options): Promise<OwnFiles>;
}

const MOST_THREADS = 64;

/** Opens a model in these surroundings. */
export async function openModel(around: Surroundings, source: api.ModelSource, given?: api.OpenOptions): Promise<api.Model> {
  shapes.insistSource(source);
  const options = shapes.optionsOf(shapes.openOptions, given, "open");
  const { threads = null } = options;
  if (threads !== null && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    throw new ModelError("input", `open.threads: expected 1 to ${MOST_THREADS}, found ${threads}.`);
  }
  return told(options, (calls) => begun(around, source, options, calls));
}

async function begun(around: Surroundings, source: api.ModelSource, options: api.OpenOptions, calls: Options): Promise<api.Model> {
  const { device: wanted = "auto", dtype = "f32", threads = null } = options;
  const { signal } = calls;
  const notes: string[] = [];
  const engine = new Engine(around.start, (message) => void notes.push(message));
  try {
    const device = await kinded("device", signal, () => engine.call("open", { device: wanted, threads }, calls));
    if (device.kind === "gpu") await engine.call("setPrecision", dtype);
    else if (dtype !== "f32") throw new ModelError("device", `The processor computes in f32 only, not in ${dtype}: leave dtype out, or open the model on a GPU.`);
    const files = await kinded("io", signal, () => around.files(source, options, calls));
    const loaded = await kinded(kindOfLoading, signal, () => engine.call("load", files, calls));
    return new OpenModel(engine, around.read, device, loaded, notes);
  } catch (error) {
    engine.end();
    throw error;
  }
}

const kindOfLoading = (message: string): ErrorKind => (/^(model\/)?\w*config\.json\b/.test(message) ? "config" : "checkpoint");

/** A photograph that the engine holds. */
interface Held {
  file: File;
  encoded: Encoded;
}

class OpenModel implements api.Model {
  readonly name: string;
  readonly device: Device;
  readonly info: api.ModelInfo;
  readonly threads: number;
  readonly notes: string[];
  readonly #engine: Engine;
  readonly #read: ReadFile;
  /** Calls of several steps do not mix: each holds a photograph in the meantime. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(engine: Engine, read: ReadFile, device: Device, { name, info, threads }: Loaded, notes: string[]) {
    const { hidden, layers, heads, image_size: imageSize, patch, parameters, bytes, classes, labels, texts } = info;
    [this.#engine, this.#read, this.name, this.device, this.threads, this.notes] = [engine, read, name, device, threads, notes];
    this.info = { hidden, layers, heads, imageSize, patch, parameters, bytes, classes, labels, texts };
  }

  features(photo: api.Photo, options?: api.FeatureOptions): Promise<api.Features>;
  features(photos: readonly api.Photo[] | api.ListOfFiles, options?: api.FeatureOptions): Promise<api.Features[]>;
  async features(given: api.Photo | readonly api.Photo[] | api.ListOfFiles, settings?: api.FeatureOptions): Promise<api.Features | api.Features[]> {
    const photos = shapes.photosOf(given, "features");
    const options = shapes.optionsOf(shapes.featureOptions, settings, "features");
    const layers = (options.layers ?? []).map((layer) => layerOf(layer, 0, this.info.layers));
    const found: api.Features[] = [];
    for (const photo of photos) {
      options.onProgress?.({ stage: "encode", done: found.length, total: photos.length });
      found.push(await this.#with(photo, settingsOf(options), options, (held) => this.#featuresOf(held, layers, options)));
    }
    options.onProgress?.({ stage: "encode", done: found.length, total: photos.length });
    const [first] = found;
    return isList(given) || !first ? found : first;
  }

  async classify(photo: api.Photo, given?: api.CallOptions): Promise<api.Guess[]> {
    shapes.insist(shapes.photo, photo, "classify.photo");
    const options = shapes.optionsOf(shapes.callOptions, given, "classify");
    if (this.info.labels === 0) throw new ModelError("input", `${this.name}: this model has no classes of its own.`);
    return this.#with(photo, {}, options, ({ encoded }) => this.#ask("labels", { photo: encoded.photo, texts: [] }, options));
  }

  async text(given: string | readonly string[], settings?: api.CallOptions): Promise<api.Texts> {
    const texts = shapes.textsOf(given, "text");
    const options = shapes.optionsOf(shapes.callOptions, settings, "text");
    this.#insistTexts(texts);
    const vectors = await this.#alone(async () => {
      const found: Float32Array[] = [];
      for (const text of texts) found.push(await this.#ask("textVector", text, options));
      return found;
    }, options);
    const [{ length } = []] = vectors;
    const data = new Float32Array(texts.length * length);
    vectors.forEach((vector, at) => data.set(vector, at * length));
    return { texts, embeddings: { shape: [texts.length, length], data } };
  }

  async classifyWith(given: api.Texts | string | readonly string[], photo: api.Photo, settings?: api.CallOptions): Promise<api.Guess[]> {
    const texts = shapes.textsOf(given, "classifyWith");
    shapes.insist(shapes.photo, photo, "classifyWith.photo");
    const options = shapes.optionsOf(shapes.callOptions, settings, "classifyWith");
    this.#insistTexts(texts);
    return this.#with(photo, {}, options, ({ encoded }) => this.#ask("labels", { photo: encoded.photo, texts: [...texts] }, options));
  }

  async look(photo: api.Photo, view: api.ViewName | api.ViewRequest, given?: api.LookOptions): Promise<api.View> {
    shapes.insist(shapes.photo, photo, "look.photo");
    const request = shapes.viewOf(view);
    const options = shapes.optionsOf(shapes.lookOptions, given, "look");
    const asked = requestOf(request, this.info);
    if (request.view === "words") this.#insistTexts([request.text]);
    const { tiles, shifts, edges = "photograph", dataAt } = options;
    return this.#with(photo, { ...settingsOf(options), tiles, shifts }, options, async ({ encoded }) => {
      const map = await this.#ask("view", { photo: encoded.photo, request: asked(encoded), edges }, options);
      const { shape, data, range, names, palette, shares, width, height, labels } = map;
      const several = request.view === "attention";
      const fine = dataAt === "pixels" ? await this.#ask("numbers", { photo: encoded.photo, map: { shape, data, width, height, labels }, several, edges }, options) : null;
      return { image: pictureOf(map.fine ?? map), data: fine ?? { shape, data }, region: encoded.region, range, names, palette, shares };
    });
  }

  async segment(photo: api.Photo, given?: api.SizeOptions): Promise<api.Segmentation> {
    shapes.insist(shapes.photo, photo, "segment.photo");
    const options = shapes.optionsOf(shapes.sizeOptions, given, "segment");
    if (this.info.classes === 0) throw new ModelError("input", `${this.name}: this model has no segmentation head. Teach one, and use segmentWith.`);
    return this.#with(photo, settingsOf(options), options, async ({ encoded }) => {
      const map = await this.#ask("view", { photo: encoded.photo, request: { view: "segmentation" } }, options);
      const { width, height, labels } = map.fine ?? map;
      return { width, height, region: encoded.region, labels, names: map.names, palette: map.palette, shares: map.shares };
    });
  }

  teach(photo: api.Photo): api.Teach {
    return new PointLesson(photo, (asked, options) => this.#alone(() => this.#learn(asked, options), options));
  }

  async segmentWith(head: api.Head | Uint8Array, photo: api.Photo, given?: { probabilities?: boolean | undefined } & api.Sized & api.CallOptions): Promise<api.TaughtSegmentation> {
    const bytes = shapes.headOf(head, "segmentWith");
    shapes.insist(shapes.photo, photo, "segmentWith.photo");
    const options = shapes.optionsOf(shapes.maskOptions, given, "segmentWith");
    const { probabilities: soft = false } = options;
    return this.#with(photo, { ...settingsOf(options), resize: "native" }, options, async ({ encoded }) => {
      const { names, palette } = await this.#ask("importHead", new File([bytes], "head.safetensors"), options);
      const refine = { edges: "photograph", smooth: 0, least: 0 } as const;
      const { width, height, labels, unsure, probabilities } = await this.#ask("masks", { photo: encoded.photo, refine, whole: true, soft }, options);
      const planes = soft ? { shape: [names.length, height, width], data: probabilities } : null;
      return { width, height, region: [0, 0, width, height], labels, names, palette, shares: sharesOf(labels, names.length), unsure, probabilities: planes };
    });
  }

  close() {
    this.#closed = true;
    this.#engine.end();
  }

  [Symbol.dispose]() {
    this.close();
  }

  async [Symbol.asyncDispose]() {
    this.close();
  }

  async #featuresOf({ file, encoded }: Held, layers: readonly number[], options: api.FeatureOptions): Promise<api.Features> {
    const { photo, tensors } = encoded;
    const tensor = (name: string) => this.#ask("tensor", { photo, name }, options);
    const last = await tensor("last_hidden_state");
    const pooled = tensors.includes("pooler_output") ? await tensor("pooler_output") : null;
    const compares = this.info.texts !== "none";
    const compared = compares && tensors.includes("image_features") ? await tensor("image_features") : compares ? pooled : null;
    const hidden = new Map<number, typeof last>();
    for (const layer of layers) hidden.set(layer, await tensor(`hidden_states.${layer}`));
    const { resize } = options;
    return new PhotoFeatures(file.name, encoded, this.info.layers, { last, pooled, compared, hidden },
      async (view, given) => {
        const more = shapes.optionsOf(shapes.lookOptions, given, "look");
        return this.look(file, view, { resize, ...more, size: shapes.sizeOf(more) ?? shapes.sizeOf(options) });
      });
  }

  async #learn({ photos, layers: named, method, size }: Asked, options: api.CallOptions): Promise<api.Head> {
    const last = this.info.layers;
    const layers = named.length > 0 ? [...new Set(named.map((layer) => layerOf(layer, 1, last)))].sort((a, b) => a - b) : usualLayers(method, last);
    const names = [...new Set(photos.flatMap(({ points }) => points.map(({ name }) => name)))];
    const held: Held[] = [];
    try {
      const examples: Calls["teach"]["given"]["examples"] = [];
      for (const { photo, points } of photos) {
        const one = await this.#encode(photo, { ...settingsOf({ size }), resize: "native" }, options);
        held.push(one);
        for (const { name, at: [x, y] } of points) {
          examples.push({ photo: one.encoded.photo, token: tokenOf([x, y], one.encoded), class: names.indexOf(name), at: [Math.floor(x), Math.floor(y)] });
        }
      }
      const { palette } = await this.#ask("teach", { layers, names, examples, method }, options);
      return { names, palette, layers, bytes: await this.#ask("exportHead", null, options) };
    } finally {
      for (const one of held) await this.#forget(one);
    }
  }

  /** Encodes a photograph, does something with it, and lets it go. */
  #with<T>(photo: api.Photo, settings: Settings, options: api.CallOptions, work: (held: Held) => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      const held = await this.#encode(photo, settings, options);
      return work(held).finally(() => this.#forget(held));
    }, options);
  }

  async #encode(photo: api.Photo, settings: Settings, options: api.CallOptions): Promise<Held> {
    const file = await kinded("io", options.signal, () => fileOf(photo, this.#read, options.signal));
    const kind = (message: string): ErrorKind => (message.startsWith(`${file.name}:`) ? "image" : "input");
    const encoded = await this.#ask("encodeFile", { photo: file, settings }, options, kind);
    this.notes.push(...encoded.notes);
    return { file, encoded };
  }

  #insistTexts(given: readonly string[]) {
    if (given.length === 0) throw new ModelError("input", "No texts were given.");
    const { name, info: { texts } } = this;
    if (texts === "none") throw new ModelError("input", `${name}: this model reads no texts.`);
    if (texts === "left out") throw new ModelError("input", `${name} was opened without what reads texts: open it with { texts: true }, or with its tokenizer’s files.`);
  }

  async #forget({ encoded }: Held) {
    if (!this.#closed) await this.#engine.call("forget", encoded.photo).catch(() => undefined);
  }

  #ask<K extends Call>(call: K, given: Calls[K]["given"], { signal }: api.CallOptions, kind: ErrorKind | ((message: string) => ErrorKind) = "input"): Promise<Calls[K]["answer"]> {
    return kinded(kind, signal, () => this.#engine.call(call, given, signal ? { signal } : {})).catch((error: unknown) => {
      throw this.#closed ? closed() : error;
    });
  }

  /** Does some work after all that was asked for before; rejects at once when its signal aborts. */
  #alone<T>(work: () => Promise<T>, { signal }: api.CallOptions): Promise<T> {
    const answer = this.#last.then(() => {
      if (this.#closed) throw closed();
      return work();
    });
    this.#last = answer.catch(() => undefined);
    return signal ? unless(signal, answer) : answer;
  }
}

const closed = () => new ModelError("input", "The model is closed: open it again.");

function settingsOf(options: api.SizeOptions): Settings {
  return { image_size: shapes.sizeOf(options), resize: options.resize };
}

function pictureOf({ rgba, width, height }: { rgba: Uint8Array<ArrayBuffer>; width: number; height: number }): api.Picture {
  const data = new Uint8ClampedArray(rgba.buffer, rgba.byteOffset, rgba.length);
  return "ImageData" in globalThis ? new ImageData(data, width, height) : ({ data, width, height } as unknown as api.Picture);
}

/** Percent of the pixels that each class has. */
function sharesOf(labels: Uint8Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts.map((count) => (100 * count) / labels.length);
}
