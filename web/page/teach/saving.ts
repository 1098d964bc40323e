// What a lesson gives: a class cut out, the masks of all pictures, the head.

import { remaining } from "../../shared/format";
import type { Options } from "../../client/caller";
import type { Entry, MaskFiles, Model } from "../../shared/protocol";
import { part, pen } from "../dom";
import type { Engine } from "../engine";
import { secondsFor } from "../device/estimate";
import { frameName, type Live } from "../live/live";
import type { Footage } from "../live/footage";
import type { ModelLoading } from "../models/loading";
import { fileName, named, save, stem } from "../save";
import type { Samples } from "../photographs/samples";
import type { Saving } from "../saving";
import type { SettingsForm } from "../settings";
import { newShot, type Shot } from "../photographs/shots";
import type { Tasks } from "../tasks";
import type { Workbench } from "../workbench";

export interface LessonSavingParts {
  engine: Engine;
  workbench: Workbench;
  saving: Saving;
  settings: SettingsForm;
  live: Live;
  loading: ModelLoading;
  tasks: Tasks;
  samples: Samples;
}

/** The file of a head. */
const HEAD = "taught.safetensors";
/** Most frames of a video in one zip, which is made in memory. */
const MOST_FRAMES = 5000;
/** Bytes from which on the masks of a folder go on in another zip: each is made in memory, and has no more than 65,535 files. */
const WHOLE_ZIP = 512_000_001;
/** Photographs of one zip at most. */
const MOST_PHOTOGRAPHS = 30_000;

/** Puts the masks of a picture under a name into a zip, and answers its bytes so far; `place` is its place among all. */
type Add = (shot: Shot, name: string, place: string) => Promise<number>;

/** Does a piece of work under a title, so that it can be cancelled. */
type Work = (title: string, call: (options: Options) => Promise<MaskFiles>) => Promise<MaskFiles>;

/** A photograph of a folder. */
interface Listed {
  path: string;
  file(): Promise<File>;
}

export class LessonSaving {
  readonly #parts: LessonSavingParts;
  readonly #root = part(document, "#teach", HTMLElement);
  readonly #soft = part(this.#root, "[data-soft]", HTMLInputElement);
  readonly #cut: HTMLButtonElement;
  readonly #masks: HTMLButtonElement;
  readonly #frames: HTMLButtonElement;
  readonly #rate = part(document, "#video-rate", HTMLSelectElement);
  readonly #cost = part(document, "[data-video-cost]", HTMLElement);
  #model: Model | null = null;

  constructor(parts: LessonSavingParts) {
    this.#parts = parts;
    this.#cut = this.#button("cut", () => this.#saveCutOut());
    this.#masks = this.#button("masks", () => this.#saveMasks());
    this.#frames = this.#button("video-masks", (button) => this.#saveVideoMasks(button));
    this.#rate.addEventListener("change", () => void this.#refresh());
    this.#button("export", (button) => this.#saveHead(button));
    const stage = part(document, "#stage", HTMLElement);
    new MutationObserver(() => void this.#refresh()).observe(stage, { attributeFilter: ["data-drawn", "data-state"] });
    this.#root.addEventListener("lesson", () => void this.#refresh());
    void this.#refresh();
  }

  #button(name: string, work: (button: HTMLElement) => Promise<void>): HTMLButtonElement {
    const button = part(document, `#stage [data-${name}]`, HTMLButtonElement);
    button.addEventListener("click", () => {
      button.closest<HTMLDetailsElement>(".menu")?.removeAttribute("open");
      void work(button).catch((error: unknown) => this.#parts.tasks.complain(error, "Cancelled. Nothing was saved."));
    });
    return button;
  }

  async #refresh() {
    const { teaching } = this.#parts.workbench;
    this.#cut.disabled = this.#masks.disabled = teaching.taught === null;
    this.#masks.disabled ||= this.#parts.workbench.shots.length === 0;
    this.#cut.title = `The photograph’s pixels of ${this.#cutName() || "a class"}, all else transparent`;
    this.#model = await this.#parts.loading.model;
    this.#tellCost();
  }

  /** Says what the masks of a video will be before they are made. */
  #tellCost() {
    const { live: { video }, workbench: { teaching, shown }, settings } = this.#parts;
    const count = video ? this.#count(video) : 0;
    this.#frames.disabled = !video || teaching.taught === null || count > MOST_FRAMES;
    const each = this.#model && shown?.encoding ? secondsFor(settings.read(), shown.encoding, this.#model.info) : 0;
    const cost = count > MOST_FRAMES ? `too many, at most ${MOST_FRAMES}: choose fewer a second` : each > 0 ? `about ${remaining(each * count)}` : "";
    this.#cost.textContent = teaching.taught === null ? "Teach it first." : [`${count} pictures`, cost].filter(Boolean).join(", ");
  }

  /** How many frames of a video get masks. */
  #count({ seconds }: Footage): number {
    return Math.max(1, Math.ceil(seconds * Number(this.#rate.value)));
  }

  /** The class that is cut out: the one in hand where the engine knows it, or else the first. */
  #cutName(): string {
    const { panel, taught } = this.#parts.workbench.teaching;
    const own = panel.now.classes[panel.inHand]?.name ?? "";
    return taught?.names.includes(own) ? own : (taught?.names[0] ?? "");
  }

  async #saveCutOut() {
    const { engine, workbench, saving } = this.#parts;
    const { teaching, shown } = workbench;
    const { taught } = teaching;
    if (!taught || !shown?.encoding) throw new Error("Nothing was saved. Paint some of two classes first.");
    const name = this.#cutName();
    const cut = await engine.call("cutOut", { photo: shown.encoding.photo, class: Math.max(0, taught.names.indexOf(name)), refine: teaching.refine(workbench.edges) });
    saving.save(await pngOf(cut), named(shown.file.name, `${fileName(name)}.png`));
  }

  /** The pictures whose masks are wanted: beside others not the one that the page began with, unless something is painted on it. */
  get #wanted(): readonly Shot[] {
    const { samples, workbench: { shots, teaching } } = this.#parts;
    const wanted = shots.filter((shot) => !samples.begun(shot.file) || teaching.panel.traces(shot).length > 0);
    return wanted.length > 0 ? wanted : shots;
  }

  async #saveMasks() {
    const shots = this.#wanted;
    const names = namesOf(shots.map(({ file }) => file.name));
    this.#parts.saving.save(await this.#zip([], async (add) => {
      for (const [at, shot] of shots.entries()) await add(shot, names[at] ?? "", `${at + 1} of ${shots.length}`);
    }), "masks.zip");
  }

  /** Saves the masks of a folder's photographs, in several zips where they are many; answers why some have none, a sentence each. `tell` says which is at work, `saved` which zip was saved. */
  async saveFolder(name: string, photos: readonly Listed[], signal: AbortSignal, tell: (text: string) => void, saved: (zip: string) => void): Promise<string[]> {
    const failed: string[] = [];
    const names = namesOf(photos.map(({ path }) => path));
    const begun = performance.now();
    const work: Work = (title, call) => {
      tell(title);
      return call({ signal });
    };
    let at = 0;
    for (let zips = 1; at < photos.length; zips++) {
      const zip = await this.#zip([], async (add) => {
        const end = at + MOST_PHOTOGRAPHS;
        for (let bytes = 0; at < Math.min(end, photos.length) && bytes < WHOLE_ZIP; at++) {
          const { path, file } = photos[at]!;
          const each = (performance.now() - begun) / 1000 / Math.max(1, at);
          const left = at > 0 ? `, about ${remaining(each * (photos.length - at))} left` : "";
          try {
            bytes = await add(newShot(new File([await file()], path)), names[at] ?? "", `${at + 1} of ${photos.length}${left}`);
          } catch (error) {
            signal.throwIfAborted();
            failed.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
          }
        }
      }, work);
      const file = `${name}-masks${zips > 1 || at < photos.length ? `-${zips}` : ""}.zip`;
      save(zip, file);
      saved(file);
    }
    return failed;
  }

  async #saveVideoMasks(button: HTMLElement) {
    const { live } = this.#parts;
    const { video } = live;
    if (!video) return;
    const times = Array.from({ length: this.#count(video) }, (_, at) => at / Number(this.#rate.value));
    const table = ["frame,seconds", ...times.map((seconds, at) => `${frameName(at)},${seconds.toFixed(3)}`)].join("\n");
    const all = (add: Add) => live.frames(video, times, (frame, at) => add(frame, stem(frameName(at)), `${at + 1} of ${times.length}`));
    this.#parts.saving.save(await this.#zip([{ name: "frames.csv", bytes: bytesOf(`${table}\n`) }], all), named(video.name, "masks.zip"), button);
  }

  /** One zip: a PNG of indices for each picture, COCO's annotations, a table of areas, the head. */
  async #zip(further: readonly Entry[], all: (add: Add) => Promise<void>, work = this.#behindBar()): Promise<Blob> {
    const { engine } = this.#parts;
    const files = [...further];
    const made: MaskFiles[] = [];
    let bytes = 0;
    await all(async (shot, name, place) => {
      const one = await work(`Masks: picture ${place}`, (options) => this.#filesOf(shot, name, options));
      files.push(...one.files);
      made.push(one);
      return (bytes += one.files.reduce((sum, file) => sum + file.bytes.byteLength, 0));
    });
    const coco = joined(made);
    const head = await engine.call("exportHead", null);
    files.push({ name: "annotations.json", bytes: bytesOf(JSON.stringify(coco)) }, { name: "areas.csv", bytes: bytesOf(areas(coco)) }, { name: HEAD, bytes: head });
    return new Blob([await engine.call("archive", files)], { type: "application/zip" });
  }

  /** Work behind the page's progress bar. */
  #behindBar(): Work {
    const stop = new AbortController();
    return (title, call) => this.#parts.tasks.run(title, stop, call);
  }

  /** The files of a picture, which is encoded once more where its features were released. */
  async #filesOf(shot: Shot, name: string, options: Options): Promise<MaskFiles> {
    const { engine, settings, workbench: { teaching, edges } } = this.#parts;
    const of = (photo: number) => engine.call("maskFiles", { photo, file: shot.file.name, name, refine: teaching.refine(edges), soft: this.#soft.checked }, options);
    if (shot.encoding) return of(shot.encoding.photo);
    const encoding = await engine.call("encode", { photo: shot.file, settings: settings.read() }, options);
    encoding.bitmap.close();
    try {
      return await of(encoding.photo);
    } finally {
      void engine.call("forget", encoding.photo);
    }
  }

  async #saveHead(button: HTMLElement) {
    const { engine, saving } = this.#parts;
    saving.save(new Blob([await engine.call("exportHead", null)]), HEAD, button);
  }
}

/** A picture whose transparent parts stay so. */
function pngOf({ rgba, width, height }: { rgba: Uint8Array<ArrayBuffer>; width: number; height: number }): Promise<Blob> {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  pen(canvas)?.putImageData(new ImageData(new Uint8ClampedArray(rgba.buffer, rgba.byteOffset, rgba.length), width, height), 0, 0);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The browser could not write the picture."))), "image/png");
  });
}

/** A name for each picture, without its ending where no other has the same. */
function namesOf(files: readonly string[]): string[] {
  const taken = new Set<string>();
  const counts = new Map<string, number>();
  const plain = (file: string) => stem(file).toLowerCase();
  for (const file of files) counts.set(plain(file), (counts.get(plain(file)) ?? 0) + 1);
  return files.map((file) => {
    const usual = (counts.get(plain(file)) ?? 0) > 1 ? fileName(file) : stem(file);
    let name = usual;
    // Files of different folders may have one name.
    for (let at = 2; taken.has(name.toLowerCase()); at++) name = `${usual} (${at})`;
    taken.add(name.toLowerCase());
    return name;
  });
}

interface Coco {
  /** `mask_file` is ours: the picture's PNG of indices in the archive. */
  images: { id: number; file_name: string; mask_file: string; width: number; height: number }[];
  annotations: { id: number; image_id: number; category_id: number; area: number }[];
  categories: { id: number; name: string }[];
}

/** COCO's texts of one picture each as one. */
function joined(all: readonly MaskFiles[]): Coco {
  const one: Coco = { images: [], annotations: [], categories: [] };
  for (const { annotations: text, files: [mask] } of all) {
    const { images, annotations, categories } = JSON.parse(text) as Coco;
    const before = one.images.length;
    one.images.push(...images.map((image) => ({ ...image, id: image.id + before, mask_file: mask?.name ?? "" })));
    const from = one.annotations.length;
    one.annotations.push(...annotations.map((part) => ({ ...part, id: part.id + from, image_id: part.image_id + before })));
    one.categories = categories;
  }
  return one;
}

/** The area of each class on each picture, in pixels and in percent of the picture. */
function areas({ images, annotations, categories }: Coco): string {
  const found = new Map<string, number>();
  for (const { image_id, category_id, area } of annotations) found.set(`${image_id} ${category_id}`, (found.get(`${image_id} ${category_id}`) ?? 0) + area);
  const rows = images.flatMap(({ id, file_name, mask_file, width, height }) => categories.map((category) => {
    const area = found.get(`${id} ${category.id}`) ?? 0;
    return [cell(file_name), cell(category.name), area, ((100 * area) / (width * height)).toFixed(3), cell(mask_file)].join(",");
  }));
  return ["file,class,pixels,percent,mask", ...rows, ""].join("\n");
}

/** A text as a cell of a table. One that begins as a formula does would be one to a spreadsheet. */
function cell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
