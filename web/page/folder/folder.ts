// A folder of photographs: read beside the page's other work, shown as a sheet or as a map, searched by likeness.

import { Caller } from "../../client/caller";
import { remaining } from "../../shared/format";
import type { FolderCalls } from "../../shared/folder";
import type { Model } from "../../shared/protocol";
import { byTouch, make } from "../dom";
import type { Engine } from "../engine";
import { aborted, Latest } from "../requests";
import { fileName, save } from "../save";
import { Chart } from "./chart";
import { alike, nearest, twinsOf, type Found } from "./near";
import { Panel, type Mode } from "./panel";
import { Reading, type Photo } from "./reading";
import { Rows } from "./rows";
import { Sheet, type Item } from "./sheet";
import type { Listed, Listing } from "./source";

export interface FolderParts {
  main: HTMLElement;
  engine: Engine;
  /** The model that is loaded; waits while one is being loaded. */
  model(): Promise<Model | null>;
  /** Brings a photograph to the stage, which leaves the folder. */
  open(file: File): void;
  closed(): void;
  /** Whether something was taught, whose masks can be made. */
  taught(): boolean;
  /** Saves the masks of photographs, in one zip or several; answers why some have none. */
  saveMasks(name: string, photos: readonly Listed[], signal: AbortSignal, tell: (text: string) => void, saved: (zip: string) => void): Promise<string[]>;
  /** Asks for another folder. */
  another(): void;
  /** How far it is read, in words. */
  told(text: string): void;
  alarm(error: unknown): void;
  say(text: string): void;
}

/** Most photographs that are shown as like another. */
const MOST_ALIKE = 200;
/** Seconds over which the speed is averaged. */
const SPAN = 10;
/** How often it is told how far a folder is read, in milliseconds. */
const TELL_EVERY = 250;

export class Folder {
  readonly #parts: FolderParts;
  readonly #worker = new Caller<FolderCalls>(
    new Worker(new URL("../../worker/arranger.ts", import.meta.url), { type: "module" }),
    "The worker that arranges photographs has stopped. Close the folder and open it again.",
  );
  readonly #rows = new Rows();
  readonly #reading: Reading;
  readonly #runs = new Latest();
  readonly #saves = new Latest();
  readonly #panel: Panel;
  readonly #sheet = new Sheet((photo) => this.#choose(photo));
  readonly #chart: Chart;
  readonly #stage: HTMLElement;
  readonly #root: HTMLElement;
  #name = "";
  #photos: Photo[] = [];
  #mode: Mode = "all";
  /** The text that is looked for, and its features; null until they are there. */
  #text = "";
  #wanted: Float32Array | null = null;
  #chosen: Photo | null = null;
  /** Those that were encircled on the map. */
  #encircled: readonly Photo[] = [];
  #model: Model | null = null;
  #running = false;
  /** How many were read, and when, of the last seconds. */
  #past: [number, number][] = [];
  #timer = 0;

  constructor(parts: FolderParts) {
    this.#parts = parts;
    this.#reading = new Reading(parts.engine, this.#worker, this.#rows, (photo) => this.#changed(photo));
    this.#panel = new Panel({
      close: () => this.close(), another: parts.another, stop: () => (this.#running ? this.#runs.abort() : void this.#read()),
      mode: (mode) => this.#turn(mode), set: () => void this.#draw(), look: (text) => void this.#look(text), zoom: (by) => this.#chart.map.zoom(by), whole: () => this.#chart.map.whole(),
      showEncircled: () => this.#turn("all"), letGo: () => this.#encircle([]), open: () => void this.#open(), alike: () => this.#turn("alike"),
      saveTable: () => void this.#saveTable(), saveMasks: () => void this.#saveMasks(), cancel: () => this.#saves.abort(), forget: () => void this.#forget(),
    });
    this.#chart = new Chart(this.#worker, { choose: (photo) => this.#choose(photo), encircle: (all) => this.#encircle(all) });
    this.#stage = make("section", { className: "stage folder-stage", ariaLabel: "Photographs" }, this.#sheet.root, this.#chart.root);
    this.#root = make("div", { className: "folder" }, this.#stage, this.#panel.root);
    parts.main.prepend(this.#root);
  }

  /** Reads a folder in place of the one before. */
  async begin({ name, photos }: Listing) {
    this.#clear();
    this.#name = name;
    this.#photos = photos.map((one) => ({ ...one, thumbnail: null, embedded: null, failure: null }));
    this.show();
    await this.#draw();
    await this.#read();
  }

  show() {
    this.#parts.main.toggleAttribute("data-folder", true);
    this.#tell();
  }

  /** Leaves it for what the stage shows; it is read on. */
  hide() {
    this.#parts.main.toggleAttribute("data-folder", false);
  }

  /** Another model is loaded: it has other features. */
  fit() {
    if (this.#photos.length === 0) return;
    for (const photo of this.#photos) [photo.embedded, photo.failure] = [null, null];
    [this.#text, this.#wanted] = ["", null];
    if (this.#mode === "words") this.#mode = "all";
    for (const photo of this.#photos) this.#sheet.update(photo);
    void this.#read();
  }

  close() {
    this.#clear();
    this.hide();
    this.#parts.closed();
  }

  #clear() {
    this.#runs.drop();
    this.#saves.drop();
    clearTimeout(this.#timer);
    [this.#timer, this.#running] = [0, false];
    this.#panel.work("", false);
    for (const { thumbnail } of this.#photos) if (thumbnail) URL.revokeObjectURL(thumbnail);
    [this.#photos, this.#encircled, this.#chosen, this.#mode] = [[], [], null, "all"];
    this.#sheet.clear();
    this.#chart.clear();
    this.#panel.choose(null);
  }

  get #known(): Photo[] {
    return this.#photos.filter(({ embedded }) => embedded !== null);
  }

  async #read() {
    const attempt = this.#runs.begin();
    try {
      [this.#running, this.#past] = [true, []];
      this.#tell();
      const model = await this.#parts.model();
      if (!model) throw new Error("Load a model first: the bundled one, or your own files.");
      if (!attempt.current) return;
      this.#model = model;
      const key = await this.#parts.engine.call("fingerprint", null, { signal: attempt.signal });
      await this.#reading.run(this.#photos, key, attempt.signal);
      if (attempt.current) this.#parts.say(`${this.#name} is read.`);
    } catch (error) {
      if (attempt.current && !aborted(error)) this.#parts.alarm(error);
    } finally {
      if (attempt.current) {
        this.#running = false;
        this.#tell();
        await this.#draw().catch(this.#parts.alarm);
      }
    }
  }

  #changed(photo: Photo) {
    this.#sheet.update(photo);
    this.#chart.update(photo);
    if (photo === this.#chosen) this.#panel.choose(photo);
    // Each photograph is a change; a reader needs to know only now and then.
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#tell();
    }, TELL_EVERY);
  }

  /** Tells how far the folder is read. */
  #tell() {
    const all = this.#photos.length;
    const failed = this.#photos.filter(({ failure }) => failure !== null).length;
    const done = this.#known.length + failed;
    const left = this.#running && done < all ? this.#left(done, all) : "";
    const faults = failed > 0 ? `, ${failed} cannot be read` : "";
    const full = this.#reading.full ? " The browser has no room to keep more." : "";
    const state = all === 0 ? "No photographs in this folder." : `${this.#known.length} of ${all} read${faults}${left}.${full}`;
    this.#panel.tell(this.#name, state, all > 0 ? done / all : 1, this.#running);
    this.#parts.told(done < all ? `${done} of ${all} read` : `${all} photographs`);
    this.#sync();
  }

  /** The time that is left, by the speed of the last seconds. */
  #left(done: number, all: number): string {
    const now = performance.now() / 1000;
    this.#past.push([done, now]);
    while (this.#past.length > 2 && now - (this.#past[0]?.[1] ?? now) > SPAN) this.#past.shift();
    const [before, then] = this.#past[0] ?? [done, now];
    return now - then > 1 && done > before ? `, about ${remaining(((now - then) / (done - before)) * (all - done))} left` : "";
  }

  #sync() {
    this.#panel.sync({ mode: this.#mode, said: this.#said(), encircled: this.#encircled.length, ready: this.#known.length > 0, taught: this.#parts.taught(), reads: this.#model?.info.texts === "read" });
  }

  #said(): string {
    if (this.#mode === "map") return `What is alike lies together. ${byTouch() ? "Drag moves, two fingers enlarge." : "Drag moves, the wheel enlarges; drag with Shift encircles."}`;
    if (this.#mode === "alike") return this.#chosen ? "The most alike first, by the cosine of what stands for the whole photograph." : "Choose a photograph to find what is like it.";
    if (this.#mode === "words") return "What the text describes first. Compare cosines of one text only: they are small even where it fits well.";
    if (this.#mode === "twins") return "Nearly the same, in groups.";
    return this.#encircled.length > 0 ? "Those that you encircled." : "All photographs of the folder. Choose one.";
  }

  #turn(mode: Mode) {
    this.#mode = mode;
    void this.#draw().catch(this.#parts.alarm);
  }

  #choose(photo: Photo) {
    this.#chosen = photo;
    this.#panel.choose(photo);
    this.#sheet.mark(photo);
    this.#chart.mark(photo, this.#encircled);
    if (this.#mode === "alike") void this.#draw().catch(this.#parts.alarm);
  }

  #encircle(all: readonly Photo[]) {
    this.#encircled = all;
    this.#chart.mark(this.#chosen, all);
    if (this.#mode === "all") this.#turn("all");
    this.#sync();
  }

  /** Shows what the mode says. */
  async #draw() {
    const mode = this.#mode;
    this.#sync();
    this.#stage.dataset.mode = mode;
    const [sheet, chart] = [this.#sheet.root, this.#chart.root];
    [sheet.hidden, chart.hidden] = [mode === "map", mode !== "map"];
    if (mode === "map") {
      this.#chart.map.lassoing = this.#panel.lassoing;
      await this.#chart.show(this.#known, this.#panel.groups);
      this.#chart.mark(this.#chosen, this.#encircled);
      return;
    }
    const twins = mode === "twins" ? await this.#twins() : [];
    // The visitor may have turned to something else meanwhile.
    if (mode !== this.#mode) return;
    if (mode === "all") this.#sheet.show((this.#encircled.length > 0 ? this.#encircled : this.#photos).map((photo) => ({ photo, note: "" })));
    else if (mode === "alike") this.#sheet.show(this.#alike());
    else if (mode === "words") this.#sheet.show(this.#wanted ? this.#items(alike(this.#chart.vectors(this.#known), this.#wanted), 3) : []);
    else this.#sheet.show(twins);
    this.#sheet.mark(this.#chosen);
  }

  #alike(): Item[] {
    const known = this.#known;
    const at = this.#chosen ? known.indexOf(this.#chosen) : -1;
    if (at < 0) return known.map((photo) => ({ photo, note: "" }));
    return this.#items(nearest(this.#chart.vectors(known), at), 2);
  }

  /** The first of what was found, with their cosines. */
  #items(found: readonly Found[], digits: number): Item[] {
    const known = this.#known;
    return found.slice(0, MOST_ALIKE).flatMap(({ at, cosine }) => (known[at] ? [{ photo: known[at], note: cosine.toFixed(digits) }] : []));
  }

  /** Looks for what a text describes. */
  async #look(text: string) {
    this.#text = text.trim();
    const asked = this.#text;
    this.#wanted = null;
    try {
      const found = asked ? await this.#parts.engine.call("textVector", asked) : null;
      // Of texts that are being written the last one counts.
      if (this.#text !== asked) return;
      this.#wanted = found;
      await this.#draw();
    } catch (error) {
      if (this.#text === asked) this.#parts.alarm(error);
    }
  }

  async #twins(): Promise<Item[]> {
    const known = this.#known;
    const arranged = await this.#chart.arranged(known);
    const groups = arranged ? twinsOf(arranged, this.#panel.from) : [];
    return groups.flatMap((group, number) => group.flatMap(({ at, cosine }) => (known[at] ? [{ photo: known[at], note: `group ${number + 1} · ${cosine.toFixed(3)}` }] : [])));
  }

  async #open() {
    const photo = this.#chosen;
    if (!photo) return;
    try {
      const file = await photo.file();
      this.#parts.open(file);
    } catch {
      this.#parts.alarm(new Error(`${photo.path} is not there any more, or may not be read: open the folder again.`));
    }
  }

  async #saveTable() {
    const model = this.#model;
    if (!model) return;
    const rows = this.#photos.filter(({ embedded, failure }) => embedded !== null || failure !== null);
    const about = JSON.stringify({ model: model.name, image_size: model.info.image_size, failed: rows.filter(({ embedded }) => !embedded).length });
    try {
      const table = await this.#worker.ask("table", { rows: rows.map(({ path, embedded, failure }) => ({ path, embedded, failure })), about });
      const name = `${fileName(this.#name || "folder")}.parquet`;
      save(table, name);
      this.#panel.work(`Saved ${name} ✓`, false);
    } catch (error) {
      this.#parts.alarm(error);
    }
  }

  async #saveMasks() {
    const attempt = this.#saves.begin();
    const tell = (text: string) => attempt.current && this.#panel.work(text, true);
    const name = fileName(this.#name || "folder");
    const zips: string[] = [];
    try {
      const failed = await this.#parts.saveMasks(name, this.#known, attempt.signal, tell, (zip) => zips.push(zip));
      if (!attempt.current) return;
      this.#panel.work(`Saved ${zips.join(", ")} ✓`, false);
      if (failed.length > 0) this.#parts.alarm(new Error(`${failed.length} photographs have no mask: ${failed.join("; ")}`));
    } catch (error) {
      if (attempt.current) this.#panel.work(aborted(error) ? `Cancelled. ${zips.length > 0 ? `Saved ${zips.join(", ")}` : "Nothing was saved"}.` : "", false);
      if (!aborted(error)) this.#parts.alarm(error);
    }
  }

  /** Deletes what is kept of all folders. */
  async #forget() {
    await this.#rows.clear().catch(this.#parts.alarm);
    this.#parts.say("What was kept of folders is deleted from this browser.");
  }
}
