// A second model, for the view beside: an engine of its own, which lives as long as it is shown.

import type { Encoding, Model, ModelInfo, Settings } from "../../shared/protocol";
import { askedDevice } from "../device/device";
import { Engine } from "../engine";
import { askedPrecision } from "./precision";
import { unless } from "../../shared/unless";
import { Latest } from "../requests";
import type { Shelf } from "./shelf";
import type { Shot } from "../photographs/shots";
import type { Tasks } from "../tasks";

export interface GuestParts {
  shelf: Shelf;
  tasks: Tasks;
  /** How photographs are encoded. */
  settings(): Settings;
  say(text: string): void;
}

/** A photograph by the second model: its features are that model's. */
export interface Seat {
  engine: Engine;
  shot: Shot & { encoding: Encoding };
}

export class Guest {
  readonly #parts: GuestParts;
  readonly #on: { came(): void; failed(error: unknown): void };
  readonly #loads = new Latest();
  readonly #encodings = new Latest();
  #engine: Engine | null = null;
  #model: Promise<Model> = Promise.reject(new Error("No second model was asked for."));
  /** The model that was asked for, and its precision. */
  #asked = "";
  /** The encoding of the photograph in front that was encoded last, or is being encoded. */
  #of: Encoding | null = null;
  #seat: Seat | null = null;
  #layers = 0;

  /** `came` is called when a photograph is encoded, `failed` where none will be: broken, or cancelled. */
  constructor(parts: GuestParts, on: { came(): void; failed(error: unknown): void }) {
    [this.#parts, this.#on] = [parts, on];
    this.#model.catch(() => undefined);
  }

  /** The photograph on the stage by a model; null until it is there, which is seen to. */
  seat(name: string, shot: Shot): Seat | null {
    const asked = `${name} ${askedPrecision()}`;
    if (asked !== this.#asked) this.#invite(name, asked);
    // A first look is soon replaced.
    if (!shot.encoding || shot.coarse) return null;
    if (this.#of !== shot.encoding) void this.#encode(shot, shot.encoding);
    return this.#seat;
  }

  /** The model's layers; 0 until they are known. */
  get layers(): number {
    return this.#layers;
  }

  /** Ends the engine, and frees what it holds. */
  leave() {
    this.#encodings.drop();
    this.#loads.drop();
    this.#engine?.end();
    [this.#engine, this.#asked, this.#of, this.#seat, this.#layers] = [null, "", null, null, 0];
  }

  #invite(name: string, asked: string) {
    this.leave();
    const { shelf, tasks, say } = this.#parts;
    const engine = (this.#engine = new Engine(say));
    this.#asked = asked;
    const attempt = this.#loads.begin();
    this.#model = tasks.run(`Loading ${shelf.title(name)}`, attempt, async (options) => {
      const source = await unless(attempt.signal, shelf.source(name, options));
      const { kind } = await engine.call("open", askedDevice(), options);
      if (kind === "gpu") await engine.call("setPrecision", askedPrecision(), options);
      return engine.call("load", source, options);
    });
    // The photograph that waits for it tells.
    this.#model.catch(() => undefined);
  }

  async #encode(shot: Shot, of: Encoding) {
    const { tasks, settings } = this.#parts;
    const attempt = this.#encodings.begin();
    const last = this.#seat;
    [this.#of, this.#seat] = [of, null];
    try {
      const { name, info } = await this.#model;
      const engine = this.#engine;
      attempt.signal.throwIfAborted();
      if (!engine) return;
      this.#layers = info.layers;
      if (last) void engine.call("forget", last.shot.encoding.photo).catch(() => undefined);
      const encoding = await tasks.run(`Encoding ${shot.file.name} by ${name}`, attempt, (options) =>
        engine.call("encode", { photo: shot.file, settings: fitted(settings(), info) }, options));
      encoding.bitmap.close();
      this.#seat = { engine, shot: { ...shot, encoding: { ...encoding, bitmap: of.bitmap } } };
      this.#on.came();
    } catch (error) {
      if (attempt.current) this.#on.failed(error);
    }
  }
}

/** The settings in whole patches of a model. */
function fitted({ image_size, ...others }: Settings, { patch }: ModelInfo): Settings {
  return image_size ? { ...others, image_size: Math.max(1, Math.round(image_size / patch)) * patch } : others;
}
