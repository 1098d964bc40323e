// Features of the lesson's patches on photographs whose encodings were released, in all layers.

import type { Engine } from "../engine";
import type { Encoded, Lesson, ModelInfo, Settings } from "../../shared/protocol";
import type { Trace } from "./lesson";
import type { Shot } from "../photographs/shots";
import { tokenAt, type Place } from "../../shared/patches";

/** The features of one patch, `[layers + 1, C]`. */
export type Column = Float32Array<ArrayBuffer>;

/** By places; those in one patch share its column. */
export type Columns = ReadonlyMap<string, Column>;

export class Vectors {
  readonly #engine: Engine;
  readonly #kept = new Map<Shot, Columns>();
  #pending: Promise<unknown> = Promise.resolve();
  #width = 0;
  /** A number for each model: answers of an earlier model are discarded. */
  #model = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Discards all features: another model has others. */
  fit({ hidden }: ModelInfo) {
    this.#model++;
    this.#width = hidden;
    this.#kept.clear();
  }

  /** The features of a photograph's places that are stored. */
  columns(shot: Shot): Columns {
    return this.#kept.get(shot) ?? new Map();
  }

  /** Takes features of an earlier visit, of the same model. */
  load(shot: Shot, columns: Columns) {
    this.#kept.set(shot, columns);
  }

  /** Stores the features of some places before the encoding is released. */
  keep(shot: Shot, encoding: Encoded, places: readonly Place[]): Promise<void> {
    const gathering = this.#gather(shot, encoding, places);
    this.#pending = Promise.all([this.#pending, gathering.catch(() => undefined)]);
    return gathering;
  }

  async #gather(shot: Shot, encoding: Encoded, places: readonly Place[]) {
    const model = this.#model;
    const tokens = places.map((at) => tokenAt(at, encoding) ?? 0);
    const patches = [...new Set(tokens)];
    if (patches.length === 0) return;
    const { shape: [count = 1], data } = await this.#engine.call("vectors", { photo: encoding.photo, patches });
    if (model !== this.#model) return;
    const length = data.length / count;
    const columns = new Map(patches.map((token, index) => [token, data.slice(index * length, (index + 1) * length)]));
    this.#kept.set(shot, new Map(places.flatMap((at, index) => {
      const column = columns.get(tokens[index] ?? 0);
      return column ? [[String(at), column] as const] : [];
    })));
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

  /** Examples by the stored features in some layers, concatenated: one for each patch and class. */
  examples(shot: Shot, traces: readonly Trace[], layers: readonly number[]): NonNullable<Lesson["vectors"]> {
    const known = this.columns(shot);
    const found = traces.flatMap((trace) => {
      const columns = new Set(trace.path.map((at) => known.get(String(at))));
      return [...columns].flatMap((column) => (column ? [{ column, class: trace.class }] : []));
    });
    return found.map(({ column, class: index }) => ({ features: this.#part(column, layers), class: index }));
  }

  #part(column: Column, layers: readonly number[]): Float32Array {
    const width = this.#width;
    const features = new Float32Array(layers.length * width);
    layers.forEach((layer, index) => features.set(column.subarray(layer * width, (layer + 1) * width), index * width));
    return features;
  }
}
