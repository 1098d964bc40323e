// A camera or a video on the stage: the view of one frame after the other, each taken when the engine is free.

import type { Settings } from "../../shared/protocol";
import { part } from "../dom";
import type { Engine } from "../engine";
import { secondsFor } from "../device/estimate";
import { LiveBar } from "./bar";
import { Footage, type FootageEvents } from "./footage";
import { Pace } from "./pace";
import type { ModelLoading } from "../models/loading";
import type { Notice } from "../notice";
import type { Photographs } from "../photographs/photographs";
import { Latest, type Attempt } from "../requests";
import type { SettingsForm } from "../settings";
import { newShot, type Shot } from "../photographs/shots";
import type { Workbench } from "../workbench";

export interface LiveParts {
  stage: HTMLElement;
  engine: Engine;
  workbench: Workbench;
  photographs: Photographs;
  loading: ModelLoading;
  settings: SettingsForm;
  messages: Notice;
}

/** Pixels of the longer side of a frame: more would show little, and cost time. */
const SIDE = 640;
/** Patches on a side while the first frame is being encoded. */
const PATCHES = 16;

/** The file of a frame by its place among those that are asked for. */
export const frameName = (index: number) => `frame-${String(index).padStart(6, "0")}.png`;

export class Live {
  readonly #parts: LiveParts;
  readonly #bar: LiveBar;
  readonly #opens = new Latest();
  /** What shows frames: a run of them, or a single one. */
  readonly #runs = new Latest();
  readonly #events: FootageEvents = { ended: () => this.pause() };
  #pace: Pace | null = null;
  #footage: Footage | null = null;
  /** Whether it runs, so that the next frame comes by itself. */
  #playing = false;
  /** The frames whose features are on the device: the last one, and those with something pinned. */
  #frames: Shot[] = [];

  constructor(parts: LiveParts) {
    this.#parts = parts;
    this.#bar = new LiveBar(part(document, "#live", HTMLElement), {
      play: () => void this.#play(), pause: () => this.pause(), seek: (seconds) => void this.#hold(seconds),
      take: () => void this.#take(false), stop: () => this.stop(), turn: () => void this.#turn(),
    });
    // Nobody sees the frames, and the camera's light goes out.
    document.addEventListener("visibilitychange", () => document.hidden && this.#playing && this.pause());
    addEventListener("pagehide", () => this.#footage && this.stop());
  }

  /** Whether a frame is on the stage. */
  get shown(): boolean {
    return this.#parts.workbench.shown?.frame ?? false;
  }

  /** The video that is open; null for none, and for a camera. */
  get video(): Footage | null {
    return this.#footage?.isCamera ? null : this.#footage;
  }

  openCamera() {
    void this.#open(() => Promise.resolve(Footage.camera(this.#events)));
  }

  openVideo(file: File) {
    void this.#open(() => Footage.of(file, this.#events));
  }

  /** Halts at the last frame; a camera is turned off. */
  pause() {
    if (!this.#footage) return;
    this.#halt();
    void this.#hold(null);
  }

  /** Makes a photograph of the frame on the stage, to be painted on. */
  halt() {
    void this.#take(true);
  }

  /** Leaves the stage to a photograph. */
  leave() {
    if (this.#footage) this.#halt();
    this.#runs.drop();
    this.#parts.workbench.rest();
  }

  /** Shows the frame on the stage once more: by another model, or another size. */
  again() {
    if (!this.#playing) void this.#hold(null);
  }

  /** Another model is loaded, and has none of the frames. */
  releaseAll() {
    for (const frame of this.#frames) frame.encoding = null;
    this.#frames = [];
  }

  stop() {
    const { photographs, messages } = this.#parts;
    this.leave();
    this.#footage?.close();
    this.#footage = null;
    this.#bar.show(null);
    this.#sweep(() => false);
    if (photographs.away) photographs.back();
    messages.say("Stopped.");
  }

  /** Gives some frames of a video by themselves, at its own size. Afterwards it is where it was. */
  async frames(video: Footage, times: readonly number[], give: (frame: Shot, index: number) => Promise<unknown>) {
    const before = video.at;
    this.#halt();
    this.#bar.lock(true);
    try {
      for (const [index, seconds] of times.entries()) {
        await video.seek(seconds);
        await give(newShot(video.grab(frameName(index))), index);
      }
    } finally {
      this.#bar.lock(false);
      if (this.shown) await this.#hold(before);
      else if (video === this.#footage) await video.seek(before);
    }
  }

  async #open(open: () => Promise<Footage>) {
    const attempt = this.#opens.begin();
    const { messages } = this.#parts;
    messages.clear();
    try {
      const footage = await open();
      if (!attempt.current) return footage.close();
      this.leave();
      this.#footage?.close();
      this.#footage = footage;
      this.#pace = null;
      await this.#play();
    } catch (error) {
      if (attempt.current) messages.alarm(error);
    }
  }

  /** Lets it run: each time the engine is free it gets the frame that is there, and those before are dropped. */
  async #play() {
    const { photographs, messages, workbench, settings } = this.#parts;
    const footage = this.#footage;
    if (!footage) return;
    const run = this.#runs.begin();
    try {
      await footage.play();
      if (!run.current) return footage.pause();
      photographs.leave();
      this.#bar.show(footage);
      this.#playing = true;
      this.#bar.run(footage, true);
      messages.say(footage.isCamera ? "The camera is on. Nothing is recorded." : `${footage.name} plays.`);
      settings.enable(true);
      this.#bar.offer(await footage.cameras());
      await this.#preview(footage, run);
      while (!run.signal.aborted) {
        await footage.next(run.signal);
        if (!run.signal.aborted) await this.#show(footage, run);
      }
    } catch (error) {
      if (!run.current) return;
      // A camera that was never on leaves nothing to turn on.
      if (!workbench.shown?.frame) this.stop();
      else this.#halt();
      messages.alarm(error);
    }
  }

  /** Goes on with the next camera. */
  async #turn() {
    await this.#footage?.turn();
    await this.#play();
  }

  /** Shows the last frame, or the one at a place of the video, and stays there. */
  async #hold(seconds: number | null) {
    const { workbench, messages } = this.#parts;
    const footage = this.#footage;
    if (!footage) return;
    if (seconds !== null) this.#halt();
    const run = this.#runs.begin();
    try {
      if (seconds !== null) await footage.seek(seconds);
      if (run.current) await this.#show(footage, run);
    } catch (error) {
      if (run.current) messages.alarm(error);
    } finally {
      run.abort();
      this.#pace?.rest();
      if (run.current) workbench.rest();
    }
  }

  /** Encodes the frame that is there, and draws its view. */
  async #show(footage: Footage, run: Attempt) {
    const { engine, workbench, photographs, stage } = this.#parts;
    const settings = await this.#settings();
    const begin = performance.now();
    const shot: Shot = { ...newShot(footage.grab(footage.name, SIDE)), frame: true, coarse: true };
    shot.encoding = await engine.call("encode", { photo: shot.file, settings });
    this.#frames.push(shot);
    if (run.current) {
      const shown = workbench.step(shot, photographs.all);
      stage.dataset.state = "shown";
      await shown;
    }
    this.#sweep((frame) => workbench.holds(frame));
    if (!run.current) return;
    this.#pace?.shown(performance.now(), performance.now() - begin, this.#own !== undefined);
    this.#bar.tell(footage, this.#pace?.rate ?? null, settings.image_size ?? 0);
  }

  /** As the visitor wants it, but for the size, which the device's speed gives; and never in several parts. */
  async #settings(): Promise<Settings> {
    const model = await this.#parts.loading.ready();
    if (!model) throw new Error("Load a model first: the bundled one, or your own files.");
    const { resize, most_patches } = this.#parts.settings.read();
    const known = this.#parts.photographs.shown?.encoding;
    this.#pace ??= new Pace((side) => (known ? 1000 * secondsFor({ image_size: side, resize: "native" }, known, model.info) : 0));
    const settings: Settings = { image_size: this.#own ?? this.#pace.side(model.info.patch) };
    return { ...settings, ...(resize && { resize }), ...(most_patches && { most_patches }) };
  }

  /** The size that the visitor has set. */
  get #own(): number | undefined {
    return this.#parts.settings.told().settings.image_size;
  }

  /** Shows what moves until the first frame is encoded. */
  async #preview(footage: Footage, run: Attempt) {
    const { workbench, stage } = this.#parts;
    if (this.shown) return;
    const bitmap = await createImageBitmap(footage.grab(footage.name, SIDE));
    if (!run.current) return;
    workbench.preview(null, bitmap, PATCHES);
    stage.dataset.state = "busy";
  }

  #halt() {
    this.#playing = false;
    this.#runs.abort();
    this.#footage?.pause();
    this.#pace?.rest();
    if (this.#footage) this.#bar.run(this.#footage, false);
  }

  /** Takes the picture that is there into the strip; `open` brings it to the stage, in place of what moves. */
  async #take(open: boolean) {
    const { photographs, messages } = this.#parts;
    const footage = this.#footage;
    if (!footage) return;
    try {
      if (open) this.leave();
      const file = await footage.picture();
      if (open) await photographs.openFile(file);
      else photographs.add(file);
      messages.say(`${file.name} is among your pictures.`);
    } catch (error) {
      messages.alarm(error);
    }
  }

  /** Lets the features of all other frames go. */
  #sweep(keep: (frame: Shot) => boolean) {
    const gone = this.#frames.filter((frame) => !keep(frame));
    this.#frames = this.#frames.filter(keep);
    for (const frame of gone) {
      if (frame.encoding) void this.#parts.engine.call("forget", frame.encoding.photo);
      frame.encoding?.bitmap.close();
      frame.encoding = null;
    }
  }
}
