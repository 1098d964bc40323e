// The page: joins the components to the engine and keeps what is on the stage.

import { part } from "./dom";
import { Engine } from "./engine";
import { showDevice, showFacts } from "./facts";
import { acceptFiles, chooser } from "./files";
import { duration } from "./format";
import { bundled, chosenModel, isModelFile, modelPicker } from "./model-picker";
import { notice } from "./notice";
import { progressBar } from "./progress";
import type { DeviceChoice, Model, ModelSource, Progress } from "./protocol";
import { sampleList } from "./samples";
import { named, npy, save } from "./save";
import { settingsForm } from "./settings";
import { pictureView } from "./views/picture";

const find = (id: string) => part(document, `#${id}`, HTMLElement);

const engine = new Engine();
const messages = notice(find("alert"), find("status"));
const bar = progressBar(find("progress"));
const stage = find("stage");
const picture = pictureView(stage);
const picker = modelPicker(find("model"), chooseModelFiles, () => void changeModel(bundled));
const settings = settingsForm(part(document, "#settings", HTMLFormElement), () => void encode());
const samples = sampleList(find("samples"), changePhoto, messages.alarm);

/** The photograph on the stage, and the one whose features are shown. */
let photo: File | null = null;
let shown: File | null = null;
let loading = new AbortController();
let encoding = new AbortController();
/** How many patches the model sees side by side, as far as is known. */
let patches = 16;

acceptFiles(document.body, takeFiles);
chooser(document.querySelectorAll<HTMLButtonElement>("[data-choose]"), part(document, "#photo-file", HTMLInputElement), takeFiles);
find("save-picture").addEventListener("click", () => void attempt(savePicture));
find("save-features").addEventListener("click", () => void attempt(saveFeatures));

const device = engine.call("open", deviceChoice());
device.then((device) => showDevice(find("device"), device), messages.alarm);
let model = load(bundled);

function deviceChoice(): DeviceChoice {
  const asked = new URLSearchParams(location.search).get("device");
  return asked === "cpu" || asked === "gpu" ? asked : "auto";
}

function takeFiles(files: File[]) {
  const [first] = files;
  if (files.some(isModelFile)) chooseModelFiles(files);
  else if (first) changePhoto(first);
}

function chooseModelFiles(files: File[]) {
  try {
    void changeModel(chosenModel(files));
  } catch (error) {
    messages.alarm(error);
  }
}

async function changeModel(source: ModelSource) {
  messages.clear();
  loading.abort();
  encoding.abort();
  model = load(source);
  if (await model) await encode();
}

/** Null where the model did not load; the visitor knows why by then. */
async function load(source: ModelSource): Promise<Model | null> {
  const abort = (loading = new AbortController());
  picker.loading(source);
  try {
    const model = await run("Loading the model", abort, async (options) => {
      await device; // without one, its reason is the message
      return engine.call("load", source, options);
    });
    picker.loaded(source, model);
    settings.fit(model.info);
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

function changePhoto(file: File) {
  photo = file;
  void encode();
}

async function encode() {
  const file = photo;
  if (!file) return;
  const abort = (encoding = (encoding.abort(), new AbortController()));
  messages.clear();
  samples.mark(file);
  void preview(file, abort.signal);
  try {
    if (!(await model)) throw new Error("Load a model first: the bundled one, or your own files.");
    abort.signal.throwIfAborted();
    const request = { photo: file, settings: settings.read() };
    const result = await run(`Encoding ${file.name}`, abort, (options) => engine.call("encode", request, options));
    shown = file;
    stage.dataset.state = "shown";
    picture.show(result, file.name);
    showFacts(find("facts"), file.name, result, await device);
    settings.enable(true);
    messages.say(`${file.name} took ${duration(result.milliseconds)}. Its features are shown as colours.`);
  } catch (error) {
    if (encoding !== abort) return; // another photograph has taken its place
    photo = shown;
    samples.mark(shown);
    stage.dataset.state = picture.revert() ? "shown" : "empty";
    complain(error, "Cancelled.");
  } finally {
    abort.abort(); // ends a preview that is still being decoded
  }
}

/** The browser's own decoder is quick; what it cannot read, Rust may. */
async function preview(file: File, signal: AbortSignal) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap || signal.aborted) return;
  picture.preview(bitmap, patches);
  stage.dataset.state = "busy";
}

/** Runs a call behind the progress bar and its Cancel button. */
async function run<T>(
  title: string,
  abort: AbortController,
  call: (options: { signal: AbortSignal; progress: (progress: Progress) => void }) => Promise<T>,
): Promise<T> {
  const work = bar.begin(title, () => abort.abort());
  messages.say(`${title}.`);
  try {
    return await call({ signal: abort.signal, progress: work.report });
  } finally {
    work.end();
  }
}

async function savePicture() {
  if (shown) save(await picture.png(), named(shown.name, "features.png"));
}

async function saveFeatures() {
  if (shown) save(npy(await engine.call("tensor", "last_hidden_state")), named(shown.name, "features.npy"));
}

async function attempt(work: () => Promise<void>) {
  await work().catch(messages.alarm);
}

function complain(error: unknown, cancelled: string) {
  if (error instanceof DOMException && error.name === "AbortError") messages.say(cancelled);
  else messages.alarm(error);
}
