// The film of the layers: a small picture of the features after each, which the mouse runs along, and a button that plays them.

import { Cells } from "./cells";
import { part } from "../dom";
import { rasterOf } from "./drawing";
import type { Engine } from "../engine";
import { Latest } from "../requests";
import type { Shot } from "../photographs/shots";

/** Most small pictures; a deeper model shows some of its layers. */
const MOST = 14;
const FRAME_MILLISECONDS = 320;

export class Film {
  readonly #engine: Engine;
  readonly #cells: Cells;
  readonly #button: HTMLButtonElement;
  readonly #choose: (layer: number) => void;
  readonly #runs = new Latest();
  /** The layers that have a small picture. */
  #layers: number[] = [];
  #shown: unknown = null;
  #last = 0;
  /** The layer that is shown. */
  #at = 0;
  /** The layer to which the view returns when the mouse leaves. */
  #rest: number | null = null;
  #timer = 0;

  constructor(root: HTMLElement, engine: Engine, choose: (layer: number) => void) {
    this.#engine = engine;
    this.#choose = choose;
    this.#cells = new Cells(part(root, "#film", HTMLElement), (index) => this.#take(this.#layers[index] ?? 0), (index) => this.#scrub(index));
    this.#button = part(root, "#play", HTMLButtonElement);
    this.#button.hidden = false;
    this.#button.addEventListener("click", () => (this.#timer ? this.#pause() : this.#play()));
    // Who moves the slider goes on by hand.
    part(root, "#layer", HTMLInputElement).addEventListener("input", () => this.#pause());
  }

  /** Makes the small pictures of a photograph, between the page's other work. */
  async show(shot: Shot, layers: number) {
    const { encoding } = shot;
    this.#last = layers;
    if (!encoding || encoding === this.#shown) return;
    const run = this.#runs.begin();
    this.#shown = encoding;
    const count = Math.min(MOST, layers + 1);
    this.#layers = Array.from({ length: count }, (_, at) => Math.round((at * layers) / (count - 1)));
    const cells = [];
    for (const layer of this.#layers) {
      const map = await this.#engine.call("view", { photo: encoding.photo, request: { view: "pca", layer, foreground: false, basis: "own" }, edges: "patches" }).catch(() => null);
      if (!map || !run.current || shot.encoding !== encoding) return;
      cells.push({ photo: encoding.bitmap, over: rasterOf(map), title: layer === 0 ? "embedding" : `layer ${layer}` });
    }
    this.#cells.show(cells);
    this.mark(this.#at);
  }

  mark(layer: number) {
    this.#at = layer;
    const nearest = this.#layers.reduce((best, one, at) => (Math.abs(one - layer) < Math.abs((this.#layers[best] ?? 0) - layer) ? at : best), 0);
    this.#cells.mark(nearest);
  }

  /** A click: the view stays with this layer. */
  #take(layer: number) {
    this.#pause();
    this.#rest = null;
    this.#choose(layer);
  }

  /** The mouse runs along the film; null where it has left. A film that plays is not disturbed. */
  #scrub(index: number | null) {
    if (this.#timer) return;
    const layer = index === null ? this.#rest : (this.#layers[index] ?? 0);
    this.#rest = index === null ? null : (this.#rest ?? this.#at);
    if (layer !== null && layer !== this.#at) this.#choose(layer);
  }

  /** Plays from the layer that is shown on; from the first where that is the last. */
  #play() {
    this.#rest = null;
    let layer = this.#at < this.#last ? this.#at : 0;
    const step = () => {
      this.#choose(layer);
      if (layer++ >= this.#last) return this.#pause();
      this.#timer = setTimeout(step, FRAME_MILLISECONDS);
    };
    this.#name(true);
    this.#timer = setTimeout(step, 0);
  }

  #pause() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#name(false);
  }

  #name(playing: boolean) {
    this.#button.textContent = playing ? "❚❚ pause" : "▷ play";
    this.#button.ariaPressed = String(playing);
  }
}
