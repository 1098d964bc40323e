// A second view beside the first, of the same photograph: its controls, its map, and its light on what is pointed at.

import type { Edges, ViewMap } from "../shared/protocol";
import { make, part } from "./dom";
import type { Engine } from "./engine";
import type { Light } from "./light";
import type { Shot } from "./shots";
import { Spot, type Pointed } from "./spot";
import { viewNames, type ViewName, type Views } from "./views/table";
import type { View } from "./views/view";

/** What is shown beside; a layer of null is the last. */
export interface BesideChoice {
  view: ViewName;
  layer: number | null;
}

/** What is drawn beside. */
export interface BesideMap {
  view: View;
  map: ViewMap | null;
  /** In words. */
  title: string;
}

/** What can stand beside any view: neither a lesson nor what some models lack. Find alike stands beside itself. */
const ANYWHERE: readonly ViewName[] = ["pca", "clusters", "attention", "norms"];

export class Beside {
  readonly #root: HTMLElement;
  readonly #views: Views;
  readonly #engine: Engine;
  readonly #spot: Spot;
  readonly #toggle: HTMLInputElement;
  readonly #select: HTMLSelectElement;
  readonly #layer: HTMLInputElement;
  readonly #layerName: HTMLElement;
  #choice: BesideChoice | null = null;
  /** The view in front, and the model's layers. */
  #front: ViewName = "pca";
  #layers = 0;

  constructor(root: HTMLElement, engine: Engine, views: Views, on: { light(light: Light | null): void; changed(choice: BesideChoice | null): void; error(error: unknown): void }) {
    this.#root = part(root, "#beside", HTMLElement);
    this.#views = views;
    this.#engine = engine;
    this.#spot = new Spot(engine, on.light, on.error);
    this.#toggle = part(root, "#beside-on", HTMLInputElement);
    this.#select = part(root, "#beside-view", HTMLSelectElement);
    this.#layer = part(root, "#beside-layer", HTMLInputElement);
    this.#layerName = part(root, "#beside-layer-name", HTMLElement);
    // A layer of its own to begin with: the same twice tells nothing.
    this.#toggle.addEventListener("change", () => on.changed(this.#toggle.checked ? { view: this.#standing(this.#front), layer: Math.ceil(this.#layers / 3) } : null));
    this.#select.addEventListener("change", () => on.changed({ view: this.#select.value as ViewName, layer: this.#choice?.layer ?? null }));
    this.#layer.addEventListener("input", () => this.#choice && on.changed({ ...this.#choice, layer: this.#layer.valueAsNumber }));
  }

  /** Sets the controls; nothing stands beside a lesson. */
  sync(choice: BesideChoice | null, front: ViewName, layers: number) {
    [this.#front, this.#layers] = [front, layers];
    this.#root.hidden = ["teach", "segmentation", "labels"].includes(front);
    this.#choice = this.#root.hidden ? null : choice && { ...choice, view: this.#standing(choice.view) };
    const offered = viewNames.filter((name) => name === this.#standing(name));
    this.#select.replaceChildren(...offered.map((value) => make("option", { value, textContent: this.#views[value].title })));
    this.#toggle.checked = this.#choice !== null;
    for (const control of this.#root.querySelectorAll<HTMLElement>("[data-on]")) control.hidden = this.#choice === null;
    if (!this.#choice) return;
    const layer = this.#shown(this.#choice);
    this.#select.value = this.#choice.view;
    [this.#layer.min, this.#layer.max] = [String(this.#views[this.#choice.view].firstLayer ?? 0), String(layers)];
    this.#layer.valueAsNumber = layer;
    this.#layerName.textContent = nameOf(layer, layers);
    this.#layer.setAttribute("aria-valuetext", nameOf(layer, layers));
  }

  /** The map beside; null where none stands there. `token` is the patch that is held or pointed at. */
  async map(shot: Shot, token: number | null, edges: (own: Edges) => Edges): Promise<BesideMap | null> {
    const choice = this.#choice;
    if (!choice || !shot.encoding) return null;
    const view = this.#views[choice.view];
    const layer = this.#shown(choice);
    const subject = { layer, token: view.pointing === "none" ? null : token, photo: shot.encoding.photo, frame: shot.frame };
    const map = await view.map(this.#engine, subject, shot, edges(view.edges));
    return { view, map, title: `${view.title}, ${nameOf(layer, this.#layers)}` };
  }

  /** Lights up what is alike in the layer beside. */
  point(pointed: Pointed | null) {
    this.#spot.point(pointed && this.#choice ? { ...pointed, layer: this.#shown(this.#choice) } : null);
  }

  #standing(view: ViewName): ViewName {
    return ANYWHERE.includes(view) || (view === "similarity" && this.#front === view) ? view : "pca";
  }

  #shown({ view, layer }: BesideChoice): number {
    return Math.max(this.#views[view].firstLayer ?? 0, Math.min(layer ?? this.#layers, this.#layers));
  }
}

/** A layer in words. */
export const nameOf = (layer: number, layers: number) => (layer === 0 ? "embedding" : `layer ${layer} of ${layers}`);
