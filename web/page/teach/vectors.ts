// Features of the lesson's patches on photographs whose encodings were released, in all layers.

import type { Engine } from "../engine";
import type { Encoded, Lesson, ModelInfo, Settings, Spread } from "../../shared/protocol";
import type { Trace } from "./lesson";
import type { Shot } from "../photographs/shots";
import { tokenAt, type Place } from "../../shared/patches";

/** The features of one patch, `[layers + 1, C]`. */
export type Column = Float32Array<ArrayBuffer>;

/** What is stored of a photograph. */
export interface Released {
  /** By places; those in one patch share its column. */
  columns: ReadonlyMap<string, Column>;
  /** Of all its patches in all layers; null where an earlier version stored it. */
  spread: Spread | null;
}

export class Vectors {
  readonly #engine: Engine;
  readonly #kept = new Map<Shot, Released>();
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

  /** What is stored of a photograph; null where nothing is. */
  of(shot: Shot): Released | null {
    return this.#kept.get(shot) ?? null;
  }

  /** Takes features of an earlier visit, of the same model. */
  load(shot: Shot, released: Released) {
    this.#kept.set(shot, released);
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
    const { vectors: { shape: [count = 1], data }, spread } = await this.#engine.call("kept", { photo: encoding.photo, patches });
    if (model !== this.#model) return;
    const length = data.length / count;
    const found = new Map(patches.map((token, index) => [token, data.slice(index * length, (index + 1) * length)]));
    const columns = new Map(places.flatMap((at, index) => {
      const column = found.get(tokens[index] ?? 0);
      return column ? [[String(at), column] as const] : [];
    }));
    this.#kept.set(shot, { columns, spread });
  }

  /** Encodes a photograph once more for places that are not stored. The stage does not change. */
  async restore(shot: Shot, places: readonly Place[], settings: Settings): Promise<void> {
    await this.#pending;
    if (shot.encoding || places.every((at) => this.#kept.get(shot)?.columns.has(String(at)))) return;
    const encoding = await this.#engine.call("encode", { photo: shot.file, settings });
    encoding.bitmap.close();
    await this.keep(shot, encoding, places);
    await this.#engine.call("forget", encoding.photo);
  }

  /** Examples by the stored features in some layers, concatenated: one for each patch and class. */
  examples(shot: Shot, traces: readonly Trace[], layers: readonly number[]): NonNullable<Lesson["vectors"]> {
    const known = this.#kept.get(shot)?.columns ?? new Map<string, Column>();
    const found = traces.flatMap((trace) => {
      const columns = new Set(trace.path.map((at) => known.get(String(at))));
      return [...columns].flatMap((column) => (column ? [{ column, class: trace.class }] : []));
    });
    return found.map(({ column, class: index }) => ({ features: this.#part(column, layers), class: index }));
  }

  /** How the patches of stored photographs are spread in some layers, concatenated. */
  spreads(shots: readonly Shot[], layers: readonly number[]): Spread[] {
    return shots.flatMap((shot) => {
      const spread = this.#kept.get(shot)?.spread;
      return spread ? [{ count: spread.count, mean: this.#part(spread.mean, layers), variance: this.#part(spread.variance, layers) }] : [];
    });
  }

  #part(column: Column, layers: readonly number[]): Column {
    const width = this.#width;
    const features = new Float32Array(layers.length * width);
    layers.forEach((layer, index) => features.set(column.subarray(layer * width, (layer + 1) * width), index * width));
    return features;
  }
}
