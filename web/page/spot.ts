// Pointing in any view: what is alike to the patch under the pointer lights up.

import type { Engine } from "./engine";
import type { Light } from "./light";
import { Repeated } from "./requests";
import type { Shot } from "./shots";

/** What is pointed at. */
export interface Pointed {
  shot: Shot;
  token: number;
  layer: number;
}

/** The centred cosine from which on a patch counts as alike, where the visitor has chosen none. */
export const ALIKE = 0.45;

/** The light of centred cosines around a threshold. */
export function alikeLight(values: Float32Array, width: number, height: number, threshold: number, line: boolean): Light {
  return { values, width, height, low: threshold - 0.3, high: threshold + 0.15, line: line ? threshold : null };
}

export class Spot {
  readonly #engine: Engine;
  readonly #show: (light: Light | null) => void;
  readonly #asking: Repeated;
  #wanted: Pointed | null = null;

  constructor(engine: Engine, show: (light: Light | null) => void, error: (error: unknown) => void) {
    this.#engine = engine;
    this.#show = show;
    this.#asking = new Repeated(() => this.#ask(), { begin: () => undefined, end: () => undefined, error });
  }

  /** Lights up what is alike to a patch; null puts the light out. */
  point(wanted: Pointed | null) {
    const before = this.#wanted;
    this.#wanted = wanted;
    if (!wanted) return before ? this.#show(null) : undefined;
    if (before?.shot === wanted.shot && before.token === wanted.token && before.layer === wanted.layer) return;
    void this.#asking.ask();
  }

  /** Goes on with the next frame of what is pointed at. */
  follow(shot: Shot) {
    if (this.#wanted) this.point({ ...this.#wanted, shot });
  }

  async #ask() {
    const wanted = this.#wanted;
    const encoding = wanted?.shot.encoding;
    if (!wanted || !encoding) return;
    const { token, layer } = wanted;
    const { photo } = encoding;
    const map = await this.#engine.call("view", { photo, request: { view: "similarity", layer, token, of: photo, centred: true }, edges: "patches" });
    if (this.#wanted?.shot !== wanted.shot || wanted.shot.encoding !== encoding) return;
    this.#show(alikeLight(map.data, map.width, map.height, ALIKE, false));
  }
}
