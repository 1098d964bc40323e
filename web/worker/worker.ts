// The worker that owns the Rust engine, so that the page never waits for it. Under another name it helps the engine.

import { Engine } from "#internvit";
import { engineCalls, type Calls, type Dtype, type Model, type ModelSource, type Progress } from "../shared/protocol";
import { spelled } from "../shared/spelled";
import { adapterName } from "./adapter";
import { bounded, MOST_HEAD, reading } from "./bounds";
import { readable } from "./decode";
import { embedded } from "./embedded";
import { fingerprint } from "./fingerprint";
import { HelperHost } from "./helper";
import { Kernels } from "./kernels";
import { filesOf, zipped } from "./masks";
import { FetchedModels, localModel, readRanges } from "./model-files";
import { start } from "./module";
import { sentence, serve, type Handlers, type Job } from "./serve";
import { steps } from "./steps";
import { HELPER, Team, usualThreads } from "./team";
import { Reader } from "./words";

/** Answers each call by the engine. */
class EngineHost implements Handlers<Calls> {
  #engine: Engine | null = null;
  #module: WebAssembly.Module | null = null;
  /** Number of the engine's notes that the page has received. */
  #noted = 0;
  /** Whether the model was taught beside texts. */
  #compares = false;
  /** Threads that the visitor wants; null chooses by the machine and the model. */
  #wanted: number | null = 1;
  #dtype: Dtype = "f32";
  /** Tells the model that is loaded from others. */
  #fingerprint: () => Promise<string> = async () => "";
  readonly #kernels = new Kernels();
  readonly #team = new Team();
  readonly #fetched = new FetchedModels();
  readonly #reader = new Reader();

  async open({ device, threads, kernels, folder }: Calls["open"]["given"]) {
    if (folder !== undefined) this.#fetched.begin(folder);
    this.#module ??= await start();
    this.#kernels.allow(kernels ?? null);
    this.#engine = await Engine.open(device);
    const found = this.#engine.device();
    this.#wanted = found.kind === "cpu" ? threads : 1;
    return found.kind === "gpu" ? { ...found, name: (await adapterName()) || found.name } : found;
  }

  async setPrecision(dtype: Calls["setPrecision"]["given"]) {
    this.#opened.set_precision(dtype);
    this.#dtype = dtype;
    return null;
  }

  async load(source: ModelSource, job: Job) {
    try {
      const model = await this.#load(source, job);
      this.#compares = model.info.texts !== "none";
      await this.#kernels.recall(this.#opened, model.info, this.#dtype);
      return model;
    } catch (error) {
      if ("folder" in source && !job.signal.aborted) this.#fetched.distrust(source.folder);
      throw error;
    }
  }

  async fingerprint() {
    return `${await this.#fingerprint()} ${this.#dtype}`;
  }

  async encodeFile({ photo, settings }: Calls["encodeFile"]["given"], { signal, progress }: Job) {
    const { bytes, byBrowser } = await readable(photo);
    const encoded = await this.#opened.encode(photo.name, bytes, settings, steps("encode", signal, progress));
    const notes = this.#opened.notes().slice(this.#noted);
    this.#noted += notes.length;
    return { ...encoded, notes, byBrowser };
  }

  async encode(given: Calls["encode"]["given"], job: Job) {
    const encoded = await this.encodeFile(given, job);
    const { width, height } = encoded;
    const rgba = this.#opened.pixels(encoded.photo);
    const pixels = new Uint8ClampedArray(rgba.buffer, rgba.byteOffset, rgba.length);
    const bitmap = await createImageBitmap(new ImageData(pixels, width, height));
    job.transfer.push(bitmap);
    return { ...encoded, bitmap };
  }

  async embed({ photo, settings }: Calls["embed"]["given"], job: Job) {
    const encoded = await this.encodeFile({ photo, settings }, job);
    try {
      return await embedded(this.#opened, encoded, this.#compares);
    } finally {
      this.#opened.forget(encoded.photo);
    }
  }

  async encodePixels({ pixels: { shape, data }, layers }: Calls["encodePixels"]["given"]) {
    return this.#opened.encode_pixel_values(new Uint32Array(shape), data, new Uint32Array(layers));
  }

  async tensor({ photo, name }: Calls["tensor"]["given"], { transfer }: Job) {
    const tensor = await this.#opened.tensor(photo, name);
    transfer.push(tensor.data.buffer);
    return tensor;
  }

  async labels({ photo, texts }: Calls["labels"]["given"]) {
    await this.readTexts(texts);
    const found = await this.#opened.labels(photo, texts);
    const known = texts.length === 0 && found.some(({ name }) => !name) ? await imageNet() : [];
    return found.map((one) => ({ ...one, name: spelled(one.name || (known[one.class] ?? "")) }));
  }

  async readTexts(texts: Calls["readTexts"]["given"]) {
    for (const text of texts) await this.#reader.read(this.#opened, text);
    return null;
  }

  async view({ photo, request, edges }: Calls["view"]["given"], { transfer }: Job) {
    if (request.view === "words") await this.#reader.read(this.#opened, request.text);
    const map = await this.#opened.view(photo, request, edges ?? "photograph");
    const { fine } = map;
    transfer.push(map.data.buffer, map.rgba.buffer, map.labels.buffer);
    if (fine) transfer.push(fine.rgba.buffer, fine.labels.buffer);
    return legible(map);
  }

  async numbers({ photo, map: { data, shape, width, height, labels }, several, edges }: Calls["numbers"]["given"], { transfer }: Job) {
    const tensor = this.#opened.numbers(photo, data, new Uint32Array(shape), width, height, labels, several, edges);
    transfer.push(tensor.data.buffer);
    return tensor;
  }

  async textVector(text: Calls["textVector"]["given"], { transfer }: Job) {
    await this.#reader.read(this.#opened, text);
    const found = this.#opened.text_features(text);
    if (!found) throw new Error("The text was not read.");
    transfer.push(found.buffer);
    return found;
  }

  async teach(lesson: Calls["teach"]["given"]) {
    return legible(await this.#opened.teach(lesson));
  }

  async kept({ photo, patches }: Calls["kept"]["given"], { transfer }: Job) {
    const kept = await this.#opened.kept(photo, new Uint32Array(patches));
    transfer.push(kept.vectors.data.buffer, kept.spread.mean.buffer, kept.spread.variance.buffer);
    return kept;
  }

  async masks({ photo, refine, whole, soft }: Calls["masks"]["given"], { transfer }: Job) {
    const masks = await this.#opened.masks(photo, refine, whole, soft);
    transfer.push(masks.labels.buffer, masks.unsure.buffer, masks.probabilities.buffer, masks.cells.data.buffer);
    return masks;
  }

  async cutOut({ photo, class: place, refine }: Calls["cutOut"]["given"], { transfer }: Job) {
    const cut = await this.#opened.cut_out(photo, place, refine);
    transfer.push(cut.rgba.buffer);
    return cut;
  }

  async maskFiles({ photo, file, name, refine, soft }: Calls["maskFiles"]["given"], { transfer }: Job) {
    const masks = await this.#opened.masks(photo, refine, true, soft);
    const annotations = this.#opened.annotations(file, masks.labels, masks.width, masks.height);
    const png = this.#opened.labels_png(masks.labels, masks.width, masks.height) as Uint8Array<ArrayBuffer>;
    const files = filesOf(name, png, masks);
    transfer.push(...files.map(({ bytes }) => bytes.buffer));
    return { files, annotations };
  }

  async archive(files: Calls["archive"]["given"], { transfer }: Job) {
    const bytes = zipped(files);
    transfer.push(bytes.buffer);
    return bytes;
  }

  async exportHead() {
    return this.#opened.export_head();
  }

  async importHead(file: File) {
    const bytes = new Uint8Array(await reading(file.name, bounded(file, MOST_HEAD, "a head").arrayBuffer()));
    return legible(await this.#opened.import_head(file.name, bytes));
  }

  async forget(photo: number) {
    this.#opened.forget(photo);
    return null;
  }

  async benchmark(request: Calls["benchmark"]["given"], { signal, progress }: Job) {
    return this.#opened.benchmark(request, steps("measure", signal, progress));
  }

  async tryKernels(_: null, { signal }: Job) {
    return this.#kernels.choose(this.#opened, signal);
  }

  get #opened(): Engine {
    if (!this.#engine) throw new Error("The model could not be started on this device.");
    return this.#engine;
  }

  async #load(source: ModelSource, { signal, progress }: Job): Promise<Model> {
    const report = (stage: Progress["stage"]) => (done: number, total: number) => progress({ stage, done, total });
    const model = "folder" in source ? await this.#fetched.get(source.folder, signal, report("fetch")) : await localModel(source);
    const files = model.files.map(({ name, blob }) => ({ name, size: blob.size }));
    const texts = { config: model.config, processor: model.processor, preprocessor: model.preprocessor, words: model.words.length > 0 };
    this.#reader.use(model.words);
    this.#fingerprint = () => fingerprint(model);
    const load = (members: number) =>
      this.#opened.load(texts, files, readRanges(model, signal), report("load"), members, this.#team.ask);
    const { name } = model;
    const threads = this.#wanted ?? usualThreads(model);
    this.#team.stop();
    this.#noted = 0;
    if (threads === 1 || !this.#module) return { name, info: await load(1), threads, alone: null };
    let alone: string | null = null;
    const helpers = this.#team.start(threads, this.#module, model).catch((error: unknown) => {
      alone = sentence(error);
    });
    const info = await load(threads).finally(() => signal.aborted && this.#team.stop());
    await helpers;
    if (alone === null) return { name, info, threads, alone };
    // Without the helpers' parts the engine needs them all.
    this.#team.stop();
    return { name, info: await load(1), threads: 1, alone };
  }
}

/** The names of ImageNet's classes. */
const imageNet = async () => (await import("#model/imagenet.txt?raw")).default.split("\n");

/** Bounds the names of classes, which come from files. */
function legible<T extends { names: string[] }>(answer: T): T {
  return { ...answer, names: answer.names.map((name) => spelled(name)) };
}

if (self.name === HELPER) new HelperHost().listen();
else serve<Calls>(new EngineHost(), engineCalls);
