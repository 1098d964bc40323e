// Owns the Rust engine, so that the page never waits for it.

import { Engine } from "#internvit";
import { bounded, MOST_HEAD } from "./bounds";
import { readable } from "./decode";
import { help } from "./helper";
import { distrust, fetchModel, localModel, readRanges } from "./model-files";
import { start } from "./module";
import { pause } from "./pause";
import { engineCalls, type Calls, type Model, type ModelSource, type Progress } from "../shared/protocol";
import { spelled } from "../shared/spelled";
import { sentence, serve, type Handlers, type Job } from "./serve";
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

  async setPrecision(dtype) {
    opened().set_precision(dtype);
    return null;
  },

  async load(source, job) {
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
    // Yield now and then, so that a cancel message can be delivered.
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
else serve<Calls>(handlers, engineCalls);
