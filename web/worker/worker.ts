// Owns the Rust engine, so that the page never waits for it.

import { Engine } from "#internvit";
import { bounded, MOST_HEAD } from "./bounds";
import { sentence, serve, type Handlers, type Job, type Shapes } from "../shared/calls";
import { readable } from "./decode";
import { help } from "./helper";
import { distrust, fetchModel, localModel, readRanges } from "./model-files";
import { start } from "./module";
import { pause } from "./pause";
import type { BenchmarkRequest, Calls, Lesson, Model, ModelSource, Progress, Settings, Tensor, ViewRequest } from "../shared/protocol";
import { Exactly, maybe, misfit, type Shape } from "../shared/shape";
import { spelled } from "../shared/spelled";
import { HELPER, Team, usualThreads } from "./team";

let engine: Engine | null = null;
let module: WebAssembly.Module | null = null;
/** How many of its notes the page has been told. */
let noted = 0;
/** As many as the visitor wants; null as suit the machine and the model. */
let wanted: number | null = 1;
const team = new Team();

const handlers: Handlers<Calls> = {
  async open(given) {
    module ??= await start();
    engine = await Engine.open(given.device);
    const device = engine.device();
    wanted = device.kind === "cpu" ? given.threads : 1;
    return device.kind === "gpu" ? { ...device, name: (await adapterName()) || device.name } : device;
  },

  async keep(dtype) {
    opened().keep(dtype);
    return null;
  },

  async load(source, job) {
    const wrong = misfit(source, "folder" in source ? bundle : own, "load");
    if (wrong) throw new Error(`${wrong}.`);
    try {
      return await load(source, job);
    } catch (error) {
      if ("folder" in source && !job.signal.aborted) distrust(source.folder);
      throw error;
    }
  },

  async encode({ photo, settings }, { signal, progress, transfer }) {
    const { bytes, byBrowser } = await readable(photo);
    const encoded = await opened().encode(photo.name, bytes, settings, steps("encode", signal, progress));
    const notes = opened().notes().slice(noted);
    noted += notes.length;
    const { width, height } = encoded;
    const rgba = opened().pixels(encoded.photo);
    const pixels = new Uint8ClampedArray(rgba.buffer, rgba.byteOffset, rgba.length);
    const bitmap = await createImageBitmap(new ImageData(pixels, width, height));
    transfer.push(bitmap);
    return { ...encoded, bitmap, notes, byBrowser };
  },

  encodePixels: ({ pixels: { shape, data }, layers }) =>
    opened().encode_pixel_values(new Uint32Array(shape), data, new Uint32Array(layers)),

  async tensor({ photo, name }, { transfer }) {
    const tensor = await opened().tensor(photo, name);
    transfer.push(tensor.data.buffer);
    return tensor;
  },

  async view({ photo, request }, { transfer }) {
    const wrong = misfit(request, requests[request.view], "view.request");
    if (wrong) throw new Error(`${wrong}.`);
    const map = await opened().view(photo, request);
    transfer.push(map.data.buffer, map.rgba.buffer, map.labels.buffer);
    return legible(map);
  },

  teach: async (lesson) => legible(await opened().teach(lesson)),

  async vectors({ photo, patches }, { transfer }) {
    const tensor = await opened().vectors(photo, new Uint32Array(patches));
    transfer.push(tensor.data.buffer);
    return tensor;
  },

  async exportHead() {
    return opened().export_head();
  },

  async importHead(file) {
    return legible(await opened().import_head(file.name, new Uint8Array(await bounded(file, MOST_HEAD, "a head").arrayBuffer())));
  },

  async forget(photo) {
    opened().forget(photo);
    return null;
  },

  benchmark: (request, { signal, progress }) => opened().benchmark(request, steps("measure", signal, progress)),
};

/** Of each view what its request holds. */
type OfView = { [K in ViewRequest["view"]]: Exactly };
const whole = maybe("number");
const requests = {
  pca: view<"pca">({ layer: "number", foreground: "boolean", swap: maybe("boolean"), basis: ["own", "keep", "kept"] }),
  similarity: view<"similarity">({ layer: "number", token: "number", of: "number" }),
  attention: view<"attention">({ layer: "number", token: whole, head: whole }),
  rollout: view<"rollout">({ layer: "number", token: whole }),
  clusters: view<"clusters">({ layer: "number", k: "number" }),
  norms: view<"norms">({ layer: "number" }),
  segmentation: view<"segmentation">({}),
  taught: view<"taught">({}),
} satisfies OfView;

function view<K extends ViewRequest["view"]>(fields: { [F in Exclude<keyof Extract<ViewRequest, { view: K }>, "view">]: Shape }): Exactly {
  return Exactly.of({ view: "string", ...fields });
}

const bundle = Exactly.of<Extract<ModelSource, { folder: string }>>({ folder: "string" });
const own = Exactly.of<Extract<ModelSource, { config: File }>>({ name: maybe("string"), config: File, preprocessor: maybe(File), weights: Array });

/** What the calls are given, where a field more would be ignored without a word. */
const settings = Exactly.of<Settings>({ image_size: maybe("number"), resize: maybe(["squash", "crop", "native"]), tiles: maybe("number") });

const shapes: Shapes<Calls> = {
  open: Exactly.of<Calls["open"]["given"]>({ device: "string", threads: maybe("number") }),
  keep: "string",
  load: "object",
  encode: Exactly.of<Calls["encode"]["given"]>({ photo: File, settings }),
  encodePixels: Exactly.of<Calls["encodePixels"]["given"]>({ pixels: Exactly.of<Tensor>({ shape: Array, data: Float32Array }), layers: Array }),
  tensor: Exactly.of<Calls["tensor"]["given"]>({ photo: "number", name: "string" }),
  view: Exactly.of<Calls["view"]["given"]>({ photo: "number", request: { view: Object.keys(requests) } }),
  teach: Exactly.of<Lesson>({ layers: Array, names: Array, examples: Array, vectors: maybe(Array) }),
  vectors: Exactly.of<Calls["vectors"]["given"]>({ photo: "number", patches: Array }),
  exportHead: "any",
  importHead: File,
  forget: "number",
  benchmark: Exactly.of<BenchmarkRequest>({ side: maybe("number"), batch: "number", runs: maybe("number") }),
};

async function load(source: ModelSource, { signal, progress }: Job): Promise<Model> {
  const report = (stage: Progress["stage"]) => (done: number, total: number) => progress({ stage, done, total });
  const model = "folder" in source ? await fetchModel(source.folder, signal, report("fetch")) : await localModel(source);
  const files = model.files.map(({ name, blob }) => ({ name, size: blob.size }));
  const load = (members: number) =>
    opened().load({ config: model.config, preprocessor: model.preprocessor }, files, readRanges(model, signal), report("load"), members, team.ask);
  const name = model.name;
  const threads = wanted ?? usualThreads(model);
  team.dismiss();
  noted = 0;
  if (threads === 1 || !module) return { name, info: await load(1), threads, alone: null };
  let alone: string | null = null;
  const hired = team.load(threads, module, model).catch((error: unknown) => {
    alone = sentence(error);
  });
  const info = await load(threads).finally(() => signal.aborted && team.dismiss());
  await hired;
  if (alone === null) return { name, info, threads, alone };
  // Without the helpers' parts the engine needs them all.
  team.dismiss();
  return { name, info: await load(1), threads: 1, alone };
}

/** Names of classes come from files: what is shown of them is bounded. */
function legible<T extends { names: string[] }>(answer: T): T {
  return { ...answer, names: answer.names.map((name) => spelled(name)) };
}

/** What the engine tells of its steps; it stops at false. */
function steps(stage: Progress["stage"], signal: AbortSignal, progress: Job["progress"]) {
  let lastPause = performance.now();
  return async (done: number, total: number) => {
    progress({ stage, done, total });
    // Now and then the worker must look into its letter box: the visitor may have cancelled.
    if (performance.now() - lastPause > 30) {
      await pause();
      lastPause = performance.now();
    }
    return !signal.aborted;
  };
}

function opened(): Engine {
  if (!engine) throw new Error("The model could not be started on this device.");
  return engine;
}

/** The browser's own words for the adapter, which do not reach the module through wgpu. */
async function adapterName(): Promise<string> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return "";
  const { description, vendor, architecture } = adapter.info;
  return description || [vendor, architecture].filter(Boolean).join(" ");
}

if (self.name === HELPER) help();
else serve(handlers, shapes);
