// The photographs of this visit: opened, encoded, and brought to the stage.

import { duration } from "../../shared/format";
import type { Encoding, Model, Settings } from "../../shared/protocol";
import type { DeviceStatus } from "../device/device";
import type { Engine } from "../engine";
import { showFacts } from "../device/facts";
import type { HowItWorks } from "../how";
import { askedSample, nameSample } from "../link";
import type { ModelLoading } from "../models/loading";
import type { Notice } from "../notice";
import { unless } from "../../shared/unless";
import { Latest, type Attempt } from "../requests";
import type { Samples } from "./samples";
import type { SettingsForm } from "../settings";
import { MOST, newShot, thumbnail, type Shot, type ShotStrip } from "./shots";
import type { Tasks } from "../tasks";
import { Trail } from "./trail";
import type { Workbench } from "../workbench";

export interface PhotographParts {
  stage: HTMLElement;
  facts: HTMLElement;
  engine: Engine;
  tasks: Tasks;
  messages: Notice;
  status: DeviceStatus;
  loading: ModelLoading;
  workbench: Workbench;
  strip: ShotStrip;
  samples: Samples;
  settings: SettingsForm;
  how: HowItWorks;
  /** An encoding that is there of a photograph that was not opened; null where there is none. */
  ahead(photo: File): Encoding | null;
  /** A photograph is about to take the stage. */
  opening(): void;
  /** Tells what the engine had to do by itself. */
  tell(notes: string): Promise<void>;
}

/** "stopped": the visitor cancelled, or asked for something else. */
type Outcome = "shown" | "stopped" | Error;

/** Patches on a side of the model's image before the model is known. */
const USUAL_PATCHES = 16;

export class Photographs {
  readonly #parts: PhotographParts;
  readonly #encodings = new Latest();
  readonly #trail = new Trail();
  /** The encoding that was begun last. */
  #work: Promise<unknown> = Promise.resolve();
  #all: Shot[] = [];
  /** The one on the stage, or last there. */
  #shown: Shot | null = null;
  /** The one whose encoding was begun last. */
  #asked: Shot | null = null;
  /** Whether a camera or a video has the stage. */
  #away = false;
  /** The encoded ones, the last used at the end. */
  #encoded: Shot[] = [];
  /** Patches on a side of the model's image. */
  #patches = USUAL_PATCHES;

  constructor(parts: PhotographParts) {
    this.#parts = parts;
  }

  /** The one on the stage, or last there. */
  get shown(): Shot | null {
    return this.#shown;
  }

  /**
   * Opens files one after the other until something else is asked for. All stay in the strip; failures are shown at the
   * end, after that of what came with them.
   */
  async openAll(files: File[], failure: Error | null = null) {
    const failed = failure ? [failure.message] : [];
    const all = files.map((file) => this.#shotOf(file));
    if (files.length > 1) {
      this.#all.push(...all.filter((shot) => !this.#all.includes(shot)));
      this.#showStrip();
      void this.#paintThumbnails(all);
    }
    for (const [at, shot] of all.entries()) {
      // Removed before its turn.
      if (files.length > 1 && !this.#all.includes(shot)) continue;
      // Together they are one entry of the history.
      if (all.slice(0, at).includes(this.#trail.shot ?? shot)) this.#trail.claim(shot);
      const outcome = await this.open(shot, files.length > 1 ? `${at + 1} of ${files.length}, ` : "");
      if (outcome === "stopped") return;
      if (outcome instanceof Error) failed.push(outcome.message);
    }
    if (failed.length > 0) this.#parts.messages.alarm(failed.join("; "));
  }

  /** All of this visit. */
  get all(): readonly Shot[] {
    return this.#all;
  }

  /** Adds a picture to the strip, without opening it. */
  add(file: File): Shot {
    const shot = this.#shotOf(file);
    if (!this.#all.includes(shot)) this.#all.push(shot);
    this.#showStrip();
    void this.#paintThumbnails([shot]);
    return shot;
  }

  /** Takes a picture out of the strip; another comes to the stage in its place. Returns where it was. */
  remove(shot: Shot): number {
    const { workbench, engine, stage, samples } = this.#parts;
    if (this.#asked === shot) this.cancel();
    const at = this.#all.indexOf(shot);
    if (at < 0) return 0;
    this.#all.splice(at, 1);
    this.#encoded = this.#encoded.filter((one) => one !== shot);
    if (shot.encoding) {
      workbench.teaching.keep(shot, shot.encoding);
      void engine.call("forget", shot.encoding.photo);
    }
    [shot.encoding, shot.coarse, shot.opened] = [null, false, false];
    const next = this.#all[at] ?? this.#all[at - 1] ?? null;
    const wasShown = this.#shown === shot;
    if (wasShown) this.#shown = null;
    // A camera or a video keeps the stage, and leaves it to what is next.
    if (this.#away) this.#shown ??= next;
    else if (this.#shown?.encoding) workbench.show(this.#shown, this.#all);
    else if (wasShown && next) void this.open(next);
    else if (wasShown) {
      stage.dataset.state = "empty";
      samples.begin();
    }
    this.#showStrip();
    return at;
  }

  /** Puts a picture back into the strip where it was. */
  putBack(shot: Shot, at: number) {
    if (!this.#all.includes(shot)) this.#all.splice(at, 0, shot);
    this.#showStrip();
  }

  openFile(file: File): Promise<Outcome> {
    return this.open(this.#shotOf(file));
  }

  /** Whether a photograph is being encoded. */
  get busy(): boolean {
    return this.#encodings.running;
  }

  /** Waits until no model is being loaded and no photograph encoded. */
  async settled(): Promise<void> {
    do {
      // Another model encodes the photograph again.
      await this.#parts.loading.ready();
      await this.#work;
    } while (this.busy);
  }

  /** Brings a photograph to the stage; `place` is its place among several. */
  async open(shot: Shot, place = ""): Promise<Outcome> {
    this.cancel();
    this.#parts.opening();
    if (!shot.encoding) this.#takeAhead(shot);
    // Of several each takes the stage when it is encoded, so that it changes once a picture.
    if (!shot.encoding) return this.#encode(shot, place, place !== "" && this.#shown !== null);
    this.#parts.messages.clear();
    void this.#present(shot);
    return shot.coarse ? this.#encode(shot, place) : "shown";
  }

  /** Whether a photograph has been opened and encoded. */
  encoded(file: File): boolean {
    return this.#all.some((shot) => shot.file === file && shot.encoding !== null);
  }

  #takeAhead(shot: Shot) {
    shot.encoding = this.#parts.ahead(shot.file);
    if (shot.encoding) this.#isEncoded(shot);
  }

  /** Stops the encoding that runs. */
  cancel() {
    this.#encodings.abort();
  }

  /** Whether the stage is left, and nothing on the way to it. */
  get away(): boolean {
    return this.#away && !this.#encodings.running;
  }

  /** Leaves the stage to a camera or a video. */
  leave() {
    this.#encodings.drop();
    this.#away = true;
    this.#parts.samples.mark(null);
    history.replaceState(history.state, "", nameSample("", true));
    this.#showStrip();
  }

  /** Brings one of an earlier visit to the stage, in place of what the page began with. */
  async bringBack(shot: Shot) {
    this.#trail.claim(shot);
    await this.open(shot);
  }

  /** Shows what the history has led to: its picture, and the address's view. */
  follow() {
    const { samples, workbench } = this.#parts;
    const [shot, asked, shown] = [this.#trail.shot, askedSample(), this.#shown];
    // One that was removed is gone.
    const known = shot && (this.#all.includes(shot) || samples.nameOf(shot.file)) ? shot : null;
    const stays = known ? known === shown : !asked || asked === samples.nameOf(shown?.file ?? null);
    workbench.read(stays);
    if (!stays && known) void this.open(known);
    else if (!stays) samples.open(asked);
    // An entry of an earlier visit, or one of a link that was pasted, gets the picture that stays.
    else if (shown) this.#trail.claim(shown);
  }

  /** Comes back to the stage with the photograph that was there, if there was one. */
  back() {
    if (this.#shown) void this.open(this.#shown);
    else this.#parts.stage.dataset.state = "empty";
  }

  /** Encodes the photograph on the stage once more. */
  async encodeAgain() {
    if (this.#shown) await this.#encode(this.#shown);
  }

  /** Drops all encodings: another model is loaded. The photographs stay. */
  releaseAll({ info }: Model) {
    for (const shot of this.#all) [shot.encoding, shot.coarse] = [null, false];
    this.#encoded = [];
    this.#patches = info.image_size / info.patch;
  }

  /** Encodes the photograph on the stage by the new model, unless another one is being encoded. */
  async modelReplaced() {
    if (!this.#encodings.running && this.#shown) await this.#encode(this.#shown, "", true);
  }

  /** The photograph of a file, which may be open already. */
  #shotOf(file: File): Shot {
    return this.#all.find((shot) => shot.file === file) ?? newShot(file);
  }

  async #present(shot: Shot) {
    const { stage, facts, samples, workbench, settings, status, loading, how, messages } = this.#parts;
    const another = this.#shown !== null && this.#shown !== shot;
    [this.#shown, this.#away] = [shot, false];
    this.#releaseOthers(shot);
    stage.dataset.state = "shown";
    samples.mark(shot.file);
    this.#trail.note(shot, samples.nameOf(shot.file), another);
    this.#showStrip();
    workbench.show(shot, this.#all);
    if (!shot.encoding) return;
    showFacts(facts, shot.file.name, shot.encoding, await status.device, await loading.model);
    settings.enable(true);
    settings.estimate(shot.encoding);
    const layers = (await loading.model)?.info.layers;
    if (layers) await how.show(shot.encoding, layers).catch(messages.alarm);
  }

  /** Encodes a photograph; `quiet` leaves what is on the stage until the new picture is there. */
  #encode(shot: Shot, place = "", quiet = false): Promise<Outcome> {
    const work = this.#attempt(shot, place, quiet);
    this.#work = work;
    return work;
  }

  async #attempt(shot: Shot, place: string, quiet: boolean): Promise<Outcome> {
    const { messages, samples } = this.#parts;
    const attempt = this.#encodings.begin();
    this.#asked = shot;
    messages.clear();
    samples.mark(shot.file);
    const preview = shot.coarse || quiet ? Promise.resolve() : this.#preview(shot, attempt.signal);
    try {
      const { milliseconds } = await this.#encodeTwice(shot, place, attempt, preview, quiet);
      messages.say(`${shot.file.name} took ${duration(milliseconds)}. Its features are shown.`);
      return "shown";
    } catch (error) {
      return attempt.current ? this.#giveUp(shot, attempt, error) : "stopped"; // another photograph has taken its place
    } finally {
      attempt.abort(); // ends a preview that is still being decoded
    }
  }

  /** Encodes for a quick first look, then as the settings say. One of several files gets no first look. */
  async #encodeTwice(shot: Shot, place: string, attempt: Attempt, preview: Promise<void>, quiet: boolean): Promise<Encoding> {
    const { settings, loading } = this.#parts;
    const { name } = shot.file;
    if (!(await unless(attempt.signal, loading.ready()))) throw new Error("Load a model first: the bundled one, or your own files.");
    attempt.signal.throwIfAborted();
    const quick = place || quiet || shot.encoding ? null : settings.quick();
    if (quick) await this.#encodeAs(shot, quick, `Encoding ${name}`, attempt);
    shot.coarse = quick !== null || shot.coarse;
    // Its size tells the time before it begins, where that is worth telling.
    if (!shot.encoding && settings.long) await preview;
    const time = settings.estimate(shot.encoding, shot.preview);
    const encoding = await this.#encodeAs(shot, settings.read(), `Encoding ${place}${name}${time}`, attempt);
    shot.coarse = false;
    return encoding;
  }

  /** Encodes a photograph and brings it to the stage. */
  async #encodeAs(shot: Shot, asked: Settings, title: string, attempt: Attempt): Promise<Encoding> {
    const { tasks, engine, tell } = this.#parts;
    const result = await tasks.run(title, attempt, (options) => engine.call("encode", { photo: shot.file, settings: asked }, options));
    if (shot.encoding) void engine.call("forget", shot.encoding.photo);
    shot.encoding = result;
    shot.preview = null;
    this.#isEncoded(shot);
    void this.#present(shot);
    if (result.notes.length > 0) await tell(`${result.notes.join(". ")}.`);
    return result;
  }

  /** A photograph that has been encoded can be read, and stays. */
  #isEncoded(shot: Shot) {
    shot.opened = true;
    if (!this.#all.includes(shot)) this.#all.push(shot);
    if (!shot.thumbnail) void this.#paintThumbnails([shot]);
  }

  /** Goes back to the photograph before. One that cannot be read leaves the strip. */
  #giveUp(shot: Shot, { signal }: Attempt, error: unknown): Outcome {
    const { stage, samples, workbench, tasks } = this.#parts;
    samples.mark(this.#shown?.file ?? null);
    stage.dataset.state = workbench.revert() ? "shown" : "empty";
    if (!signal.aborted && !shot.opened) this.#all = this.#all.filter((one) => one !== shot);
    this.#showStrip();
    tasks.complain(error, "Cancelled.");
    if (signal.aborted) return "stopped";
    return error instanceof Error ? error : new Error(String(error));
  }

  /** Shows the photograph by the browser's decoder, which is quick, until the encoding is there. */
  async #preview(shot: Shot, signal: AbortSignal) {
    const bitmap = await createImageBitmap(shot.file).catch(() => null);
    if (!bitmap || signal.aborted) return;
    shot.preview = bitmap;
    const { workbench, stage, settings } = this.#parts;
    workbench.preview(shot, bitmap, this.#patches);
    stage.dataset.state = "busy";
    // Where the processor draws the page too, what moves takes its time from the model.
    stage.toggleAttribute("data-long", settings.long);
  }

  /** Releases the features of all but the last used photographs, which are encoded again when they are opened. */
  #releaseOthers(shot: Shot) {
    this.#encoded = [...this.#encoded.filter((one) => one !== shot && one.encoding), shot];
    for (const old of this.#encoded.splice(0, Math.max(0, this.#encoded.length - MOST))) {
      if (!old.encoding) continue;
      this.#parts.workbench.teaching.keep(old, old.encoding);
      void this.#parts.engine.call("forget", old.encoding.photo);
      old.encoding = null;
      old.coarse = false;
    }
  }

  /** Paints the strip's pictures one at a time: decoding a whole photograph takes much memory. */
  async #paintThumbnails(all: readonly Shot[]) {
    for (const shot of all) {
      shot.thumbnail ??= await thumbnail(shot.encoding?.bitmap ?? shot.file);
      this.#showStrip();
    }
  }

  #showStrip() {
    const { strip, samples } = this.#parts;
    strip.show(this.#all.filter((shot) => !samples.nameOf(shot.file)), this.#away ? null : this.#shown);
  }
}
