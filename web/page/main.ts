// The page: joins the components to the engine and keeps the photographs of this visit.

import { benchmark, type Measure } from "./benchmark";
import { part } from "./dom";
import { dtypeChoice, showMemory } from "./dtype";
import { Engine } from "./engine";
import { showDevice, showFacts } from "./facts";
import { acceptFiles, chooser } from "./files";
import { duration } from "../shared/format";
import { howItWorks } from "./how";
import { isHead } from "./head";
import { askedSample, copyLink, forgetSample, link, plainStart } from "./link";
import { bundled, chosenModel, isModelFile, modelPicker } from "./model-picker";
import { modelList } from "./models";
import { notice } from "./notice";
import { progressBar } from "./progress";
import type { Device, DeviceChoice, Encoding, Model, ModelSource, Progress, Settings } from "../shared/protocol";
import { sampleList } from "./samples";
import { named, npy, save } from "./save";
import { lacking, saveButtons } from "./saving";
import { settingsForm } from "./settings";
import { MOST, newShot, shotStrip, thumbnail, type Shot } from "./shots";
import { workbench } from "./workbench";

const find = (id: string) => part(document, `#${id}`, HTMLElement);

document.querySelector("#unstarted")?.remove();
const messages = notice(find("alert"), find("status"));
const engine = new Engine(news);
const bar = progressBar(find("progress"));
const stage = find("stage");
const bench = workbench(stage, engine, { alarm: messages.alarm, open: (shot) => void open(shot), settings: () => settings.read() });
const how = howItWorks(part(document, "#how", HTMLDetailsElement), engine);
const strip = shotStrip(find("shots"), (shot) => void open(shot));
const picker = modelPicker(find("model"), chooseModelFiles, () => void changeModel(bundled));
const hub = part(document, 'meta[name="hub"]', HTMLMetaElement).content;
const models = modelList(part(document, "#models", HTMLDetailsElement), hub, (name) => void useStored(name));
const settings = settingsForm(part(document, "#settings", HTMLFormElement), () => void encodeAgain());
const samples = sampleList(find("samples"), (file) => void openFile(file), messages.alarm);

/** The photographs of this visit, and the one on the stage. */
let shots: Shot[] = [];
let shown: Shot | null = null;
/** The encoded ones, that used last at the end. */
let encoded: Shot[] = [];
let checking = new AbortController();
let loading = new AbortController();
let encoding = new AbortController();
/** How many patches the model sees side by side, as far as is known. */
let patches = 16;

acceptFiles(document.body, takeFiles);
chooser(document.querySelectorAll<HTMLButtonElement>("[data-choose]"), part(document, "#photo-file", HTMLInputElement), takeFiles);
const onClick = (id: string, work: () => Promise<void>) =>
  find(id).addEventListener("click", () => void work().catch(messages.alarm));
benchmark(part(document, "#benchmark", HTMLDetailsElement), measure);
const saveButton = (id: string) => part(document, `#${id}`, HTMLButtonElement);
const savable = () => ({ view: bench.choice.view, drawn: bench.data() !== null, encoded: !!shown?.encoding });
const drawn = saveButtons(
  stage, { picture: saveButton("save-picture"), data: saveButton("save-data"), features: saveButton("save-features") }, savable,
);
/** The photograph whose view is drawn; an error where there is nothing to save. */
async function drawnShot(): Promise<Shot> {
  await drawn();
  const reason = lacking(savable());
  if (reason !== null || !shown) throw new Error(`Nothing was saved. ${reason}`);
  return shown;
}
onClick("save-picture", async () => {
  const { file } = await drawnShot();
  save(await bench.png(), named(file.name, `${bench.choice.view}.png`));
});
onClick("save-data", async () => {
  const { file } = await drawnShot();
  const data = bench.data();
  if (data) save(npy(data), named(file.name, `${bench.choice.view}.npy`));
});
onClick("save-features", async () => {
  if (!shown?.encoding) throw new Error("Nothing was saved. The photograph is not encoded.");
  const name = `hidden_states.${bench.layer}`;
  save(npy(await engine.call("tensor", { photo: shown.encoding.photo, name })), named(shown.file.name, `layer-${bench.layer}.npy`));
});
copyLink(part(document, "#copy-link", HTMLButtonElement), () => link(samples.nameOf(shown?.file ?? null), settings.read()), messages.say);
stage.addEventListener("head", (event) => {
  if (event instanceof CustomEvent) save(new Blob([event.detail]), "taught.safetensors");
});

let device = engine.call("open", { device: deviceChoice(), threads: threadChoice() });
device.then((device) => showDevice(find("device"), device, null), messages.alarm);
/** The model that is loaded, or being loaded. */
let current: ModelSource | null = null;
const dtype = dtypeChoice(find("weights"), device, engine, () => current && void changeModel(current));
let model = firstModel();
if (askedSample()) samples.open(askedSample());
else if (!plainStart()) samples.begin();

/** The device may be another one afterwards. */
async function news(message: string, found: Device | null) {
  messages.say(message);
  if (found) device = Promise.resolve(found);
  const known = await device.catch(() => null);
  if (known) showDevice(find("device"), known, found && (await model), message);
}

function deviceChoice(): DeviceChoice {
  const asked = new URLSearchParams(location.search).get("device");
  return asked === "cpu" || asked === "gpu" ? asked : "auto";
}

/** At most as many as the device has cores: a link should not start a thousand workers. */
function threadChoice(): number | null {
  const asked = Number(new URLSearchParams(location.search).get("threads"));
  return Number.isInteger(asked) && asked >= 1 ? Math.min(asked, navigator.hardwareConcurrency || 1) : null;
}

/** Photographs, a model's files, a taught head: told apart by their names and, heads, by what is in them. */
function takeFiles(files: File[]) {
  samples.forget();
  const ofModel = files.filter(isModelFile);
  const photographs = files.filter((file) => !isModelFile(file));
  if (ofModel.length > 0) void takeModelFiles(ofModel);
  if (photographs.length > 0) void openAll(photographs);
}

async function takeModelFiles(files: File[]) {
  // Beside a config.json they are a model.
  const alone = files.every(({ name }) => /\.safetensors$/i.test(name));
  const heads = alone ? await Promise.all(files.map(isHead)) : [];
  if (!heads.includes(true)) return chooseModelFiles(files);
  if (!(await ready())) return;
  for (const file of files) await bench.importHead(file);
}

/** One after the other, until something else is asked for: all stay; what could not be opened is told at the end. */
async function openAll(files: File[]) {
  const failed: string[] = [];
  const all = files.map(shotOf);
  if (files.length > 1) {
    shots.push(...all.filter((shot) => !shots.includes(shot)));
    strip.show(shots, shown);
    void paintThumbnails(all);
  }
  for (const [at, shot] of all.entries()) {
    const outcome = await open(shot, files.length > 1 ? `${at + 1} of ${files.length}, ` : "");
    if (outcome === "stopped") return;
    if (outcome instanceof Error) failed.push(outcome.message);
  }
  if (failed.length > 0) messages.alarm(failed.join("; "));
}

/** Small pictures for the strip, one at a time: a photograph that is decoded whole takes much memory. */
async function paintThumbnails(all: readonly Shot[]) {
  for (const shot of all) {
    shot.thumbnail ??= await thumbnail(shot.encoding?.bitmap ?? shot.file);
    strip.show(shots, shown);
  }
}

function chooseModelFiles(files: File[]) {
  try {
    void changeModel(chosenModel(files));
  } catch (error) {
    messages.alarm(error);
  }
}

/** The one that the address names, if it is stored: a link alone never fetches a model. */
async function firstModel(): Promise<Model | null> {
  const name = new URLSearchParams(location.search).get("model");
  if (!name) return load(bundled);
  const abort = checking;
  const stored = await openStored(name, abort);
  return checking === abort ? load(stored ?? bundled) : model;
}

async function useStored(name: string) {
  checking.abort();
  const abort = (checking = new AbortController());
  const stored = await openStored(name, abort);
  if (stored && checking === abort) await changeModel(stored);
}

/** Null where it is not stored or not what was stored: then the visitor may fetch it, or what was damaged of it. */
async function openStored(name: string, abort: AbortController): Promise<ModelSource | null> {
  try {
    const stored = await run(`Checking ${name}`, abort, (options) => models.open(name, options));
    if (stored) return { name, ...stored };
    models.offer(name);
  } catch (error) {
    if (!abort.signal.aborted) models.offer(name);
    complain(error, "Cancelled.");
  }
  return null;
}

/** A stored model's name stays in the address, so that the next visit begins with it. */
function remember(source: ModelSource) {
  const url = new URL(location.href);
  const name = nameOf(source);
  url.searchParams.delete("model");
  const others = url.searchParams.toString();
  const asked = name ? `model=${encodeURIComponent(name).replace(/%(2F|40|3A)/g, decodeURIComponent)}` : "";
  url.search = [asked, others].filter(Boolean).join("&");
  history.replaceState(null, "", url);
}

function nameOf(source: ModelSource): string | null {
  return "folder" in source ? null : (source.name ?? null);
}

async function changeModel(source: ModelSource) {
  messages.clear();
  checking.abort();
  checking = new AbortController();
  loading.abort();
  encoding.abort();
  const asked = (model = load(source));
  if (!(await asked) || model !== asked) return;
  remember(source);
  // Unless a photograph that was asked for meanwhile is on its way already.
  if (shown && encoding.signal.aborted) await encode(shown);
}

/** The model that was asked for last, once it is there. */
async function ready(): Promise<Model | null> {
  for (;;) {
    const asked = model;
    const loaded = await asked;
    if (asked === model) return loaded;
  }
}

/** Null where the model did not load; the visitor knows why by then. */
async function load(source: ModelSource): Promise<Model | null> {
  const abort = (loading = new AbortController());
  current = source;
  picker.loading(source);
  try {
    // The model that the page begins with is needed whatever becomes of the photograph that waits for it.
    const first = source === bundled && !everLoaded;
    const model = await run("Loading the model", abort, async (options) => {
      await device; // without one, its reason is the message
      await dtype;
      return engine.call("load", source, options);
    }, first ? () => cancelWaiting() : undefined);
    everLoaded = true;
    // The features of the model before went with it; the photographs stay.
    for (const shot of shots) [shot.encoding, shot.coarse] = [null, false];
    encoded = [];
    picker.loaded(source, model);
    models.mark(nameOf(source));
    showDevice(find("device"), await device, model);
    settings.fit(model.info);
    showMemory(find("weights"), model.info);
    bench.fit(model.info);
    patches = model.info.image_size / model.info.patch;
    messages.say(`The model ${model.name} is loaded.`);
    return model;
  } catch (error) {
    if (loading !== abort) return null; // another model has taken its place
    picker.none();
    complain(error, "The model was not loaded.");
    return null;
  }
}

/** Whether a model has been loaded in this visit. */
let everLoaded = false;

/** Cancels the photograph that waits for the first model. */
function cancelWaiting() {
  samples.forget();
  encoding.abort();
  messages.say("Cancelled. The model goes on loading.");
}

/** The photograph of a file, which may be open already. */
function shotOf(file: File): Shot {
  return shots.find((shot) => shot.file === file) ?? newShot(file);
}

function openFile(file: File): Promise<Outcome> {
  return open(shotOf(file));
}

async function open(shot: Shot, place = ""): Promise<Outcome> {
  encoding.abort();
  if (!shot.encoding) return encode(shot, place);
  messages.clear();
  void present(shot);
  return shot.coarse ? encode(shot, place) : "shown";
}

async function present(shot: Shot) {
  shown = shot;
  letOthersGo(shot);
  stage.dataset.state = "shown";
  samples.mark(shot.file);
  forgetSample(samples.nameOf(shot.file));
  strip.show(shots, shot);
  bench.show(shot, shots);
  if (!shot.encoding) return;
  showFacts(find("facts"), shot.file.name, shot.encoding, await device, await model);
  settings.enable(true);
  settings.estimate(shot.encoding);
  const layers = (await model)?.info.layers;
  if (layers) await how.show(shot.encoding, layers).catch(messages.alarm);
}

async function encodeAgain() {
  if (shown) await encode(shown);
}

/** Stopped where the visitor cancelled it, or asked for something else. */
type Outcome = "shown" | "stopped" | Error;

/** `place` is the photograph's among several. */
async function encode(shot: Shot, place = ""): Promise<Outcome> {
  const { file } = shot;
  const abort = (encoding = (encoding.abort(), new AbortController()));
  messages.clear();
  samples.mark(file);
  if (!shot.coarse) void preview(shot, abort.signal);
  try {
    if (!(await unless(abort.signal, ready()))) throw new Error("Load a model first: the bundled one, or your own files.");
    abort.signal.throwIfAborted();
    // A first look; one of many is not looked at for long.
    const quick = place || shot.encoding ? null : settings.quick();
    if (quick) await encodeAs(shot, quick, `Encoding ${file.name}`, abort);
    shot.coarse = quick !== null || shot.coarse;
    const told = settings.estimate(shot.encoding);
    const result = await encodeAs(shot, settings.read(), `Encoding ${place}${file.name}${told}`, abort);
    shot.coarse = false;
    messages.say(`${file.name} took ${duration(result.milliseconds)}. Its features are shown.`);
    return "shown";
  } catch (error) {
    if (encoding !== abort) return "stopped"; // another photograph has taken its place
    const stopped = abort.signal.aborted;
    samples.mark(shown?.file ?? null);
    stage.dataset.state = bench.revert() ? "shown" : "empty";
    if (!stopped && !shot.opened) shots = shots.filter((one) => one !== shot);
    strip.show(shots, shown);
    complain(error, "Cancelled.");
    return stopped ? "stopped" : error instanceof Error ? error : new Error(String(error));
  } finally {
    abort.abort(); // ends a preview that is still being decoded
  }
}

/** Encodes a photograph, which then is on the stage. */
async function encodeAs(shot: Shot, asked: Settings, title: string, abort: AbortController): Promise<Encoding> {
  const result = await run(title, abort, (options) => engine.call("encode", { photo: shot.file, settings: asked }, options));
  if (shot.encoding) void engine.call("forget", shot.encoding.photo);
  shot.encoding = result;
  shot.preview = null;
  shot.opened = true;
  if (!shots.includes(shot)) shots.push(shot);
  void present(shot);
  if (!shot.thumbnail) void paintThumbnails([shot]);
  if (result.notes.length > 0) await news(`${result.notes.join(". ")}.`, await device);
  return result;
}

/** What is waited for, unless the visitor cancels. */
function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

async function measure(request: Parameters<Measure>[0]): ReturnType<Measure> {
  messages.clear();
  const abort = new AbortController();
  try {
    const loaded = await ready();
    if (!loaded) throw new Error("Load a model first: the bundled one, or your own files.");
    const report = await run("Measuring", abort, (options) => engine.call("benchmark", request, options));
    messages.say(`One picture takes ${duration(report.encode.median_ms / report.batch)}.`);
    return { report, model: loaded, device: await device };
  } catch (error) {
    complain(error, "Cancelled.");
    return null;
  }
}

/** Of the encoded photographs those used last keep their features; the others are encoded again once they are opened. */
function letOthersGo(shot: Shot) {
  encoded = [...encoded.filter((one) => one !== shot && one.encoding), shot];
  for (const old of encoded.splice(0, Math.max(0, encoded.length - MOST))) {
    if (!old.encoding) continue;
    bench.keep(old, old.encoding);
    void engine.call("forget", old.encoding.photo);
    old.encoding = null;
    old.coarse = false;
  }
}

/** The browser's own decoder is quick; what it cannot read, Rust may. */
async function preview(shot: Shot, signal: AbortSignal) {
  const bitmap = await createImageBitmap(shot.file).catch(() => null);
  if (!bitmap || signal.aborted) return;
  shot.preview = bitmap;
  bench.preview(bitmap, patches);
  stage.dataset.state = "busy";
}

/** Runs a call behind the progress bar and its Cancel button. */
async function run<T>(
  title: string,
  abort: AbortController,
  call: (options: { signal: AbortSignal; progress: (progress: Progress) => void }) => Promise<T>,
  cancel = () => abort.abort(),
): Promise<T> {
  const work = bar.begin(title, cancel);
  messages.say(`${title}.`);
  try {
    return await call({ signal: abort.signal, progress: work.report });
  } finally {
    work.end();
  }
}

function complain(error: unknown, cancelled: string) {
  if (error instanceof DOMException && error.name === "AbortError") messages.say(cancelled);
  else messages.alarm(error);
}
