// The page: makes its parts, joins them, and begins.

import { duration } from "../shared/format";
import { Ahead } from "./photographs/ahead";
import { DefaultModel, defaultButton, improve } from "./models/better";
import { benchmark, type Measure } from "./device/benchmark";
import { check } from "./device/check";
import { part } from "./dom";
import { CodeSheet } from "./code/sheet";
import { DeviceStatus } from "./device/device";
import { Engine } from "./engine";
import { FolderDoor } from "./folder/door";
import { acceptFiles, chooser } from "./photographs/files";
import { howItWorks } from "./how";
import { Intake } from "./photographs/intake";
import { askedSample, copyLink, link, plainStart } from "./link";
import { Keeping } from "./photographs/keeping";
import { KernelTrials } from "./device/kernels";
import { firstFolder, ModelLoading } from "./models/loading";
import { bundled, modelPicker } from "./models/picker";
import { ModelList } from "./models/models";
import { notice } from "./notice";
import { keepOffline, takeLater } from "./offline";
import { Photographs } from "./photographs/photographs";
import { MemoryHint, precisionChoice } from "./models/precision";
import { progressBar } from "./progress";
import { Removal } from "./photographs/removal";
import { sampleList } from "./photographs/samples";
import { Saving } from "./saving";
import { Shelf } from "./models/shelf";
import { LessonSaving } from "./teach/saving";
import { Live } from "./live/live";
import { SettingsForm } from "./settings";
import { shotStrip } from "./photographs/shots";
import { Tasks } from "./tasks";
import { Workbench } from "./workbench";

const find = (id: string) => part(document, `#${id}`, HTMLElement);
const details = (id: string) => part(document, `#${id}`, HTMLDetailsElement);

/** Makes the parts that show, of which each knows only what it is given. */
function makeParts() {
  const messages = notice(find("alert"), find("status"));
  const status = new DeviceStatus(find("device"), messages);
  const tasks = new Tasks(progressBar(find("progress")), messages);
  return { messages, status, tasks, stage: find("stage") };
}

/** Joins the parts: photographs, model and views know each other. */
function makeApp() {
  const { messages, status, tasks, stage } = makeParts();
  const { alarm, say } = messages;
  const better = new DefaultModel();
  const shelf = new Shelf(better);
  const engine = new Engine((message, device) => void status.tell(message, device, () => loading.model));
  const workbench = new Workbench(stage, engine, {
    alarm, say, tasks, open: (shot) => void photographs.open(shot), halt: () => live.halt(), settings: () => settings.read(),
    shelf,
  });
  const how = howItWorks(details("how"), engine);
  const strip = shotStrip(find("shots"), (shot) => void photographs.open(shot), (shot) => removal.take(shot));
  const picker = modelPicker(find("model"), (files) => intake.chooseModel(files), () => void loading.change(bundled));
  const hub = part(document, 'meta[name="hub"]', HTMLMetaElement).content;
  const list = new ModelList(details("models"), hub, (name) => void loading.useStored(name), () => settings.present);
  const settings = new SettingsForm(part(document, "#settings", HTMLFormElement), () => (live.shown ? live.again() : void photographs.encodeAgain()));
  const samples = sampleList(find("samples"), (file) => void photographs.openFile(file), alarm);
  status.open(engine, firstFolder());
  const memory = new MemoryHint(find("weights"));
  const precision = precisionChoice(find("weights"), status.device, engine, () => void loading.reload());
  const loading = new ModelLoading({ engine, tasks, messages, status, picker, list, precision }, {
    replacing: () => photographs.cancel(),
    loaded(model) {
      photographs.releaseAll(model);
      live.releaseAll();
      memory.show(model.info);
      for (const one of [settings, workbench]) one.fit(model.info);
      folder.fit();
      for (const one of [keeping, kernels, ahead]) void one.fit(model);
    },
    replaced: () => (live.shown ? live.again() : void photographs.modelReplaced()),
    cancelFirst() {
      samples.forget();
      photographs.cancel();
      messages.say("Cancelled. The model goes on loading.");
    },
  });
  shelf.fill(list, loading);
  const tell = async (notes: string) => status.tell(notes, await status.device, () => loading.model);
  const photographs = new Photographs({
    stage, facts: find("facts"), engine, tasks, messages, status, loading, workbench, strip, samples, settings, how, tell, ahead: (photo) => ahead.take(photo),
    opening: () => [live, folder].forEach((one) => one.leave()),
  });
  const folder = new FolderDoor({
    main: stage, engine, alarm, say, model: () => loading.ready(), open: (file) => void photographs.openFile(file),
    taught: () => workbench.teaching.taught !== null, saveMasks: (...given) => lessons.saveFolder(...given),
  });
  const kernels = new KernelTrials(engine, photographs);
  const ahead = new Ahead({ engine, photographs, samples, settings });
  const live = new Live({ stage, engine, workbench, photographs, loading, settings, messages });
  defaultButton(part(document, "#model .actions", HTMLElement), better, (files) => void loading.change(files), alarm);
  const removal = new Removal(photographs, workbench.teaching.panel);
  const keeping = new Keeping({ workbench, photographs, samples, messages });
  const intake = new Intake({ messages, samples, photographs, loading, workbench, live });
  const saving = new Saving({ stage, engine, workbench, shown: () => workbench.shown, settled: () => photographs.settled(), alarm, say });
  const lessons = new LessonSaving({ engine, workbench, saving, settings, live, loading, tasks, samples });
  return { messages, status, tasks, stage, engine, workbench, settings, samples, loading, photographs, keeping, intake, live, better, folder, saving };
}

type App = ReturnType<typeof makeApp>;

/** Connects what acts on the whole page. */
function connect({ messages, stage, engine, workbench, settings, samples, intake, live, ...app }: App) {
  const take = (files: File[]) => {
    app.folder.leave();
    intake.take(files);
  };
  const shown = () => workbench.shown;
  acceptFiles(document.body, take, (items) => app.folder.drop(items));
  chooser(document.querySelectorAll<HTMLButtonElement>("[data-choose]"), part(document, "#photo-file", HTMLInputElement), take);
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-camera]")) {
    button.addEventListener("click", () => {
      samples.forget();
      app.folder.leave();
      live.openCamera();
    });
  }
  benchmark(details("benchmark"), measurement({ messages, engine, ...app }), (...given) => app.saving.save(...given));
  new CodeSheet({ workbench, settings, loading: app.loading, say: messages.say });
  const address = () => {
    const { settings: asked, detail } = settings.told();
    return link(samples.nameOf(shown()?.file ?? null), asked, detail);
  };
  addEventListener("popstate", () => app.photographs.follow());
  const lacks = () => [workbench.view.unlinked(), app.loading.ownFiles ? "your model’s files" : null].filter((what) => what !== null);
  copyLink(part(document, "#copy-link", HTMLButtonElement), address, lacks, messages.say);
}

/** The benchmark behind the progress bar; null where it was cancelled or failed. */
function measurement({ messages, engine, tasks, loading, status }: Pick<App, "messages" | "engine" | "tasks" | "loading" | "status">): Measure {
  return async (request) => {
    messages.clear();
    try {
      const model = await loading.ready();
      if (!model) throw new Error("Load a model first: the bundled one, or your own files.");
      const device = await status.device;
      const stop = new AbortController();
      const report = await tasks.run("Measuring", stop, (options) => engine.call("benchmark", request, options));
      const { image_size, memory } = report;
      const source = device.kind === "gpu" ? loading.source : null;
      // What was measured stays, whatever becomes of the comparison.
      const found = source && await tasks.run("Comparing with the processor", stop, (options) => check(engine, source, image_size, memory.weight_bytes, options))
        .catch((error: unknown) => (tasks.complain(error, "Measured, but not compared."), null));
      messages.say(`One picture takes ${duration(report.encode.median_ms / report.batch)}.`);
      return { report, model, device, found };
    } catch (error) {
      tasks.complain(error, "Cancelled.");
      return null;
    }
  };
}

/** Shows the link to the source where the page knows its address. */
function showSource() {
  const address = part(document, 'meta[name="repository"]', HTMLMetaElement).content;
  const source = part(document, "[data-repository]", HTMLAnchorElement);
  source.hidden = !address;
  if (address) source.href = address;
}

async function begin() {
  document.querySelector("#unstarted")?.remove();
  await takeLater();
  const app = makeApp();
  connect(app);
  showSource();
  app.loading.begin();
  const restored = app.keeping.restore(!askedSample());
  // A lesson of the last visit says by then whether it fits the small model alone.
  const stays = () => restored.then(() => app.workbench.teaching.stays());
  if (plainStart()) {
    void app.loading.ready().finally(keepOffline);
    return app.samples.open(askedSample());
  }
  if (askedSample()) app.samples.open(askedSample());
  else {
    app.workbench.welcome();
    app.samples.begin();
  }
  const named = new URLSearchParams(location.search).get("model");
  const last = named ? app.loading.ready() : improve(app.better, app.loading, app.photographs, stays);
  // What the page fetches first is then in the browser's cache.
  void last.finally(keepOffline);
}

void begin();
