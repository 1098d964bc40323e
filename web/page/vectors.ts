// Features of the lesson's patches on photographs whose encodings were released, in all layers.

import type { Engine } from "./engine";
import type { Encoded, Settings } from "../shared/protocol";
import type { Shot } from "./shots";
import { tokenAt, type Place } from "./patches";

/** The features of one patch, `[layers + 1, C]`. */
type Column = Float32Array;

export class Vectors {
  readonly #engine: Engine;
  readonly #kept = new Map<Shot, Map<string, Column>>();
  #pending: Promise<unknown> = Promise.resolve();
  /** A number for each model: answers of an earlier model are discarded. */
  #model = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Discards all features: another model has others. */
  clear() {
    this.#model++;
    this.#kept.clear();
  }

  /** Stores the features of some places before the encoding is released. */
  keep(shot: Shot, encoding: Encoded, places: readonly Place[]): Promise<void> {
    const gathering = this.#gather(shot, encoding, places);
    this.#pending = Promise.all([this.#pending, gathering.catch(() => undefined)]);
    return gathering;
  }

  async #gather(shot: Shot, encoding: Encoded, places: readonly Place[]) {
    const model = this.#model;
    const patches = places.map((at) => tokenAt(at, encoding) ?? 0);
    if (patches.length === 0) return;
    const { shape: [count = 1], data } = await this.#engine.call("vectors", { photo: encoding.photo, patches });
    if (model !== this.#model) return;
    const length = data.length / count;
    const own = new Map(places.map((at, index) => [String(at), data.slice(index * length, (index + 1) * length)]));
    this.#kept.set(shot, own);
  }

  /** Encodes a photograph once more for places that are not stored. The stage does not change. */
  async restore(shot: Shot, places: readonly Place[], settings: Settings): Promise<void> {
    await this.#pending;
    if (shot.encoding || places.every((at) => this.#kept.get(shot)?.has(String(at)))) return;
    const encoding = await this.#engine.call("encode", { photo: shot.file, settings });
    encoding.bitmap.close();
    await this.keep(shot, encoding, places);
    await this.#engine.call("forget", encoding.photo);
  }

  /** The features of a place in some layers, concatenated; null where they are not stored. */
  of(shot: Shot, at: Place, layers: readonly number[], width: number): Float32Array | null {
    const column = this.#kept.get(shot)?.get(String(at));
    if (!column) return null;
    const features = new Float32Array(layers.length * width);
    layers.forEach((layer, index) => features.set(column.subarray(layer * width, (layer + 1) * width), index * width));
    return features;
  }
}
