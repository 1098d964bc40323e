// Pointing in any view: what is alike to the patch under the pointer lights up.

import type { Edges, ViewMap } from "../../shared/protocol";
import type { Engine } from "../engine";
import { valuesOf, type Light } from "./light";
import { Repeated } from "../requests";
import type { Shot } from "../photographs/shots";

/** What is pointed at. */
export interface Pointed {
  /** That of a second model; else the page's. */
  engine?: Engine;
  shot: Shot;
  token: number;
  layer: number;
}

/** The centred cosine from which on a patch counts as alike, where the visitor has chosen none. */
export const ALIKE = 0.45;

/** How long the pointer rests before its light follows the photograph's edges, in milliseconds: these take the engine a moment. */
export const REST = 120;

/** The light of a map of centred cosines around a threshold. */
export function alikeLight(map: ViewMap, threshold: number, line: boolean): Light {
  const { width, height } = map.fine ?? map;
  return { values: valuesOf(map), width, height, low: threshold - 0.3, high: threshold + 0.15, line: line ? threshold : null };
}

export class Spot {
  readonly #engine: Engine;
  readonly #show: (light: Light | null) => void;
  readonly #asking: Repeated;
  readonly #edges: () => Edges;
  #wanted: Pointed | null = null;
  #timer = 0;
  /** Whether the pointer rests. */
  #resting = false;

  /** `edges` are those of the light while the pointer rests. */
  constructor(engine: Engine, edges: () => Edges, show: (light: Light | null) => void, error: (error: unknown) => void) {
    this.#engine = engine;
    this.#edges = edges;
    this.#show = show;
    this.#asking = new Repeated(() => this.#light(), { begin: () => undefined, end: () => undefined, error });
  }

  /** Lights up what is alike to a patch; null puts the light out. */
  point(wanted: Pointed | null) {
    const before = this.#wanted;
    this.#wanted = wanted;
    if (wanted && before?.shot === wanted.shot && before.token === wanted.token && before.layer === wanted.layer) return;
    clearTimeout(this.#timer);
    if (!wanted) return before ? this.#show(null) : undefined;
    this.#ask(false);
    // What moves takes the light along by itself.
    if (!wanted.shot.frame && this.#edges() !== "patches") this.#timer = setTimeout(() => this.#ask(true), REST);
  }

  /** Goes on with the next frame of what is pointed at. */
  follow(shot: Shot) {
    if (this.#wanted) this.point({ ...this.#wanted, shot });
  }

  #ask(resting: boolean) {
    this.#resting = resting;
    void this.#asking.ask();
  }

  async #light() {
    const wanted = this.#wanted;
    const encoding = wanted?.shot.encoding;
    if (!wanted || !encoding) return;
    const { token, layer, engine = this.#engine } = wanted;
    const { photo } = encoding;
    const map = await engine.call("view", { photo, request: { view: "similarity", layer, token, of: photo, centred: true }, edges: this.#resting ? this.#edges() : "patches" });
    if (this.#wanted?.shot !== wanted.shot || wanted.shot.encoding !== encoding) return;
    this.#show(alikeLight(map, ALIKE, false));
  }
}
