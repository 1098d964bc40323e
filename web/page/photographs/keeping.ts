// Keeps the pictures and the lesson in this browser, brings them back on the next visit, and deletes them when asked.

import type { Model } from "../../shared/protocol";
import { bytes } from "../../shared/format";
import { part } from "../dom";
import { Kept, type KeptLesson } from "./kept";
import type { Lesson, Trace } from "../teach/lesson";
import type { Notice } from "../notice";
import type { Photographs } from "./photographs";
import type { Samples } from "./samples";
import type { Shot } from "./shots";
import type { Column } from "../teach/vectors";
import type { Workbench } from "../workbench";

export interface KeepingParts {
  workbench: Workbench;
  photographs: Photographs;
  samples: Samples;
  messages: Notice;
}

/** How long the lesson rests before it is kept, in milliseconds: what is taught in it is lost where the page is left. */
const REST = 100;
/** How long until its features are: reading them takes the engine a moment. */
const LONG_REST = 4000;
/** Keys of samples, which need not be kept. */
const SAMPLE = "sample:";

export class Keeping {
  readonly #parts: KeepingParts;
  readonly #kept = new Kept();
  readonly #root = part(document, "#kept", HTMLElement);
  readonly #note = part(this.#root, "[data-kept]", HTMLElement);
  readonly #keys = new Map<Shot, string>();
  /** Keys of pictures that are kept. */
  readonly #stored = new Set<string>();
  #model = "";
  /** The pictures that were kept last. */
  #seen = "";
  /** Pictures that were there when all was deleted: they are kept again only once something is taught on them. */
  #dropped: ReadonlySet<Shot> = new Set();
  /** The lesson at that time. */
  #past: Lesson | null = null;
  /** The lesson that was kept, or brought back, last. */
  #written: Lesson;
  #timer = 0;
  #longTimer = 0;
  /** Whether an earlier lesson is being brought back. */
  #restoring = false;
  #keeping: Promise<unknown> = Promise.resolve();

  constructor(parts: KeepingParts) {
    this.#parts = parts;
    this.#written = this.#lesson;
    part(this.#root, "[data-forget]", HTMLButtonElement).addEventListener("click", () => void this.#forget());
    part(document, "#teach", HTMLElement).addEventListener("lesson", () => this.#later());
    // Another picture, or more of them.
    new MutationObserver(() => this.#seen !== this.#scene && this.#later()).observe(part(document, "#stage", HTMLElement), { attributeFilter: ["data-drawn"] });
  }

  /** Brings the last visit's pictures and lesson back; `show` whether its picture may come to the stage. */
  async restore(show: boolean): Promise<void> {
    this.#restoring = true;
    try {
      const kept = await this.#kept.lesson().catch(() => null);
      if (kept) await this.#bring(kept, show);
    } catch (error) {
      this.#parts.messages.alarm(new Error(`What was kept of your last visit could not be brought back: ${String(error)}.`));
    } finally {
      this.#restoring = false;
      this.#later();
    }
  }

  async #bring(kept: KeptLesson, show: boolean) {
    const keys = [...kept.pictures, ...kept.traces.map(({ picture }) => picture), ...(await this.#kept.pictures())];
    const shots = await this.#shots([...new Set(keys)]);
    // A lesson that was begun meanwhile goes on, on its own picture.
    const begun = this.#touched;
    this.#take(kept, shots);
    if (!begun) this.#written = this.#lesson;
    await this.#loadVectors();
    this.#tell();
    const shown = shots.get(kept.shown);
    if (show && shown && !begun) await this.#parts.photographs.bringBack(shown);
  }

  /** Another model: its features of the lesson's pictures may be kept. */
  async fit({ name, info }: Model): Promise<void> {
    this.#model = `${name} ${info.hidden} ${info.layers} ${info.bytes}`;
    await this.#loadVectors().catch(() => undefined);
  }

  /** What tells whether there are other pictures. */
  get #scene(): string {
    const { workbench: { shown }, photographs: { all } } = this.#parts;
    return `${all.length} ${shown ? all.indexOf(shown) : ""}`;
  }

  get #lesson(): Lesson {
    return this.#parts.workbench.teaching.panel.now;
  }

  /** What is taught, and not deleted. */
  get #traces(): readonly Trace[] {
    return this.#lesson === this.#past ? [] : this.#lesson.traces;
  }

  /** Whether anything is taught, or loaded, that is not deleted. */
  get #taught(): boolean {
    return this.#traces.length > 0 || (this.#lesson !== this.#past && this.#lesson.head !== null);
  }

  /** Whether there is a lesson already. */
  get #touched(): boolean {
    return this.#parts.workbench.teaching.panel.touched;
  }

  /** The pictures to keep. */
  get #worth(): Shot[] {
    const taught = new Set(this.#traces.map((trace) => trace.shot));
    return this.#parts.photographs.all.filter((shot) => !this.#dropped.has(shot) || taught.has(shot));
  }

  #key(shot: Shot): string {
    const sample = this.#parts.samples.nameOf(shot.file);
    const known = this.#keys.get(shot) ?? (sample ? SAMPLE + sample : `${Date.now()}-${Math.random()}`);
    this.#keys.set(shot, known);
    return known;
  }

  /** The pictures of some keys, as far as they are there. */
  async #shots(keys: readonly string[]): Promise<Map<string, Shot>> {
    const { samples, photographs } = this.#parts;
    const found = new Map<string, Shot>();
    for (const key of keys) {
      const file = key.startsWith(SAMPLE) ? await samples.file(key.slice(SAMPLE.length)).catch(() => null) : await this.#kept.picture(key);
      if (!file) continue;
      const shot = photographs.add(file);
      this.#keys.set(shot, key);
      this.#stored.add(key);
      found.set(key, shot);
    }
    return found;
  }

  #take(kept: KeptLesson, shots: ReadonlyMap<string, Shot>) {
    const traces: Trace[] = kept.traces.flatMap(({ picture, ...trace }) => {
      const shot = shots.get(picture);
      return shot ? [{ ...trace, shot }] : [];
    });
    const { teaching } = this.#parts.workbench;
    teaching.panel.restore({ classes: kept.classes, traces, method: kept.method, head: kept.head ?? null });
    teaching.outdate();
  }

  async #loadVectors() {
    const { vectors } = this.#parts.workbench.teaching;
    for (const shot of new Set(this.#lesson.traces.map((trace) => trace.shot))) {
      const kept = await this.#kept.vectors(this.#key(shot));
      if (kept?.model !== this.#model || vectors.of(shot)) continue;
      const columns = new Map(kept.places.flatMap(([place, at]) => (kept.columns[at] ? [[place, kept.columns[at]]] : [])));
      vectors.load(shot, { columns, spread: kept.spread ?? null });
    }
  }

  #later() {
    if (this.#restoring) return;
    clearTimeout(this.#timer);
    clearTimeout(this.#longTimer);
    this.#note.ariaBusy = "true";
    this.#timer = setTimeout(() => this.#now(), REST);
    this.#longTimer = setTimeout(() => this.#next(() => this.#keepFeatures()), LONG_REST);
  }

  #next(work: () => Promise<void>) {
    this.#keeping = this.#keeping.then(work).catch(() => this.#failed());
  }

  /** Keeps what has had its rest. */
  #now() {
    this.#timer = 0;
    this.#next(async () => {
      await this.#keep();
      // What has come meanwhile waits for its own rest.
      if (this.#timer === 0) this.#note.ariaBusy = "false";
    });
  }

  async #keep() {
    const { workbench: { shown } } = this.#parts;
    this.#seen = this.#scene;
    const lesson = this.#lesson;
    const own = this.#worth;
    // Where nothing was ever kept, nothing need be written.
    if (own.every((shot) => this.#key(shot).startsWith(SAMPLE)) && !this.#taught && this.#root.hidden) return;
    for (const shot of own) {
      const key = this.#key(shot);
      if (!key.startsWith(SAMPLE) && !this.#stored.has(key)) await this.#kept.keepPicture(key, shot.file);
      this.#stored.add(key);
    }
    const keys = own.map((shot) => this.#key(shot));
    // What another tab has taught stays where this one has taught nothing since.
    const earlier = lesson === this.#written ? await this.#kept.lesson() : null;
    await this.#kept.keepLesson({
      ...(earlier ?? {
        classes: lesson.classes, method: lesson.method, head: this.#taught ? lesson.head : null,
        traces: this.#traces.map(({ shot, ...trace }) => ({ ...trace, picture: this.#key(shot) })),
      }),
      pictures: keys, shown: shown && own.includes(shown) ? this.#key(shown) : "",
    });
    this.#written = lesson;
    await this.#dropRemoved(own);
    this.#tell();
  }

  /** What other tabs keep is not this one's to delete. */
  async #dropRemoved(own: readonly Shot[]) {
    for (const [shot, key] of this.#keys) {
      if (own.includes(shot) || !this.#stored.delete(key)) continue;
      await this.#kept.dropPicture(key);
    }
  }

  async #keepFeatures() {
    for (const shot of new Set(this.#traces.map((trace) => trace.shot))) await this.#keepVectors(shot).catch(() => undefined);
  }

  async #keepVectors(shot: Shot) {
    const { teaching } = this.#parts.workbench;
    if (shot.encoding && !shot.coarse) await teaching.vectors.keep(shot, shot.encoding, teaching.panel.placesNow(shot));
    const released = teaching.vectors.of(shot);
    if (!released) return;
    const list: Column[] = [...new Set(released.columns.values())];
    const places = [...released.columns].map(([place, column]) => [place, list.indexOf(column)] as const);
    await this.#kept.keepVectors(this.#key(shot), { model: this.#model, places, columns: list, spread: released.spread });
  }

  #tell() {
    const kept = [...this.#keys].filter(([, key]) => !key.startsWith(SAMPLE) && this.#stored.has(key));
    const size = kept.reduce((sum, [shot]) => sum + shot.file.size, 0);
    const pictures = kept.length === 0 ? [] : [`${kept.length} ${kept.length === 1 ? "picture" : "pictures"} (${bytes(size)})`];
    const what = [...(this.#taught ? ["your lesson"] : []), ...pictures].join(" and ");
    this.#root.hidden = !what;
    this.#note.textContent = what ? `Kept in this browser alone: ${what}.` : "";
  }

  #failed() {
    this.#note.textContent = "This browser could not keep your pictures and your lesson: it has no room, or the window is private.";
    this.#root.hidden = false;
  }

  /** Deletes all; pictures that are added then, and what is taught, are kept again. */
  async #forget() {
    clearTimeout(this.#timer);
    clearTimeout(this.#longTimer);
    this.#timer = 0;
    this.#note.ariaBusy = "false";
    await this.#keeping;
    await this.#kept.clear().catch(this.#parts.messages.alarm);
    this.#stored.clear();
    this.#dropped = new Set(this.#parts.photographs.all);
    this.#past = this.#lesson;
    this.#seen = this.#scene;
    this.#root.hidden = true;
    this.#parts.messages.say("What was kept is deleted from this browser. What you see stays until you leave.");
  }
}
