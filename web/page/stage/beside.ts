// A second view beside the first, of the same photograph, by the same model or another: its controls, its map, and its
// light on what is pointed at.

import type { Edges, ViewMap } from "../../shared/protocol";
import { make, part } from "../dom";
import type { Engine } from "../engine";
import { Guest, type GuestParts } from "../models/guest";
import type { Light } from "./light";
import { placeOf, tokenAt } from "../../shared/patches";
import { aborted } from "../requests";
import { isOwn, type Shelf } from "../models/shelf";
import type { Shot } from "../photographs/shots";
import { Spot, type Pointed } from "./spot";
import { viewNames, type ViewName, type Views } from "../views/table";
import type { View } from "../views/view";

/** What is shown beside; a layer of null is the last. */
export interface BesideChoice {
  view: ViewName;
  layer: number | null;
  /** The model that it is of; empty for the one in front. */
  model: string;
}

/** What is drawn beside. */
export interface BesideMap {
  view: View;
  map: ViewMap | null;
  /** The photograph by the model beside, and the held patch on its grid. */
  shot: Shot;
  token: number | null;
  /** What is in front, and what is beside, in words. */
  own: string;
  title: string;
}

/** The view in front. */
export interface Front {
  view: ViewName;
  layer: number;
  layers: number;
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
  readonly #model: HTMLSelectElement;
  /** What a link cannot hold. */
  readonly #own: HTMLElement;
  readonly #shelf: Shelf;
  readonly #guest: Guest;
  readonly #error: (error: unknown) => void;
  #choice: BesideChoice | null = null;
  #front: Front = { view: "pca", layer: 0, layers: 0 };
  /** Whether the models that can be chosen may have changed. */
  #stale = true;

  constructor(root: HTMLElement, engine: Engine, views: Views, guests: GuestParts, on: { edges(): Edges; light(light: Light | null): void; changed(choice: BesideChoice | null): void; error(error: unknown): void }) {
    this.#root = part(root, "#beside", HTMLElement);
    this.#views = views;
    this.#engine = engine;
    this.#shelf = guests.shelf;
    // What is asked of a model while it is left needs no answer.
    this.#error = (error) => aborted(error) || on.error(error);
    this.#spot = new Spot(engine, on.edges, on.light, this.#error);
    const again = () => on.changed(this.#choice);
    this.#guest = new Guest(guests, {
      came: again,
      failed: (error) => {
        on.changed(this.#choice && { ...this.#choice, layer: this.#another, model: "" });
        guests.tasks.complain(error, "Cancelled.");
      },
    });
    this.#toggle = part(root, "#beside-on", HTMLInputElement);
    this.#select = part(root, "#beside-view", HTMLSelectElement);
    this.#layer = part(root, "#beside-layer", HTMLInputElement);
    this.#layerName = part(root, "#beside-layer-name", HTMLElement);
    this.#model = part(root, "#beside-model", HTMLSelectElement);
    this.#own = part(root, "#beside [data-own]", HTMLElement);
    this.#toggle.addEventListener("change", () => on.changed(this.#toggle.checked ? { view: this.#standing(this.#front.view), layer: this.#another, model: "" } : null));
    this.#select.addEventListener("change", () => this.#choice && on.changed({ ...this.#choice, view: this.#select.value as ViewName }));
    // What two models make of a photograph is in their last layers.
    this.#model.addEventListener("change", () => {
      const model = this.#model.value;
      if (this.#choice) on.changed({ ...this.#choice, layer: model ? null : this.#another, model });
    });
    this.#layer.addEventListener("input", () => this.#choice && on.changed({ ...this.#choice, layer: this.#layer.valueAsNumber }));
  }

  /** Another model is in front. */
  fit() {
    this.#stale = true;
  }

  /** Sets the controls; nothing stands beside a lesson. */
  sync(choice: BesideChoice | null, front: Front) {
    this.#front = front;
    this.#root.hidden = ["teach", "segmentation", "labels", "talk"].includes(front.view);
    this.#choice = this.#root.hidden ? null : choice && { ...choice, view: this.#standing(choice.view) };
    if (!this.#other) this.#guest.leave();
    const offered = viewNames.filter((name) => name === this.#standing(name));
    this.#select.replaceChildren(...offered.map((value) => make("option", { value, textContent: this.#views[value].title })));
    this.#toggle.checked = this.#choice !== null;
    for (const control of this.#root.querySelectorAll<HTMLElement>("[data-on]")) control.hidden = this.#choice === null;
    this.#own.hidden = !isOwn(this.#other);
    if (!this.#choice) return;
    if (this.#stale) void this.#offer();
    this.#model.value = this.#other;
    const [layer, layers] = [this.#shown(this.#choice), this.#layers];
    this.#select.value = this.#choice.view;
    [this.#layer.min, this.#layer.max] = [String(this.#views[this.#choice.view].firstLayer ?? 0), String(layers)];
    this.#layer.valueAsNumber = layer;
    this.#layerName.textContent = nameOf(layer, layers);
    this.#layer.setAttribute("aria-valuetext", nameOf(layer, layers));
  }

  /** The map beside; null where none stands there. `token` is the patch that is held or pointed at. */
  async map(shot: Shot, token: number | null, edges: (view: View) => Edges, quick: boolean): Promise<BesideMap | null> {
    const [choice, model] = [this.#choice, this.#other];
    if (!choice || !shot.encoding) return null;
    const view = this.#views[choice.view];
    const front = titled(this.#views[this.#front.view], nameOf(this.#front.layer, this.#front.layers), model && this.#shelf.title(this.#shelf.front));
    const seat = model ? this.#guest.seat(model, shot) : { engine: this.#engine, shot };
    const encoding = seat?.shot.encoding;
    // Until the other model is there the photograph stands for its view.
    if (!seat || !encoding) return { view, map: null, shot, token: null, own: front, title: `${this.#shelf.title(model)} …` };
    const layer = this.#shown(choice);
    const own = token === null ? null : tokenAt(placeOf(token, shot.encoding), encoding);
    const subject = { layer, token: view.pointing === "none" ? null : own, photo: encoding.photo, frame: shot.frame, quick, guest: model !== "" };
    const map = await view.map(seat.engine, subject, seat.shot, edges(view)).catch((error: unknown) => {
      if (!model) throw error;
      this.#error(error);
      return null;
    });
    return { view, map, shot: seat.shot, token: own, own: front, title: titled(view, nameOf(layer, this.#layers), model && this.#shelf.title(model)) };
  }

  /** Lights up what is alike in the layer beside. */
  point(pointed: Pointed | null) {
    if (!pointed?.shot.encoding || !this.#choice) return this.#spot.point(null);
    const layer = this.#shown(this.#choice);
    if (!this.#other) return this.#spot.point({ ...pointed, layer });
    const seat = this.#guest.seat(this.#other, pointed.shot);
    const token = seat && tokenAt(placeOf(pointed.token, pointed.shot.encoding), seat.shot.encoding);
    this.#spot.point(seat && token !== null ? { engine: seat.engine, shot: seat.shot, token, layer } : null);
  }

  /** A layer to begin with: the last one twice tells nothing. */
  get #another(): number {
    return Math.ceil(this.#front.layers / 3);
  }

  /** Another model than the one in front; empty where there is none. */
  get #other(): string {
    const model = this.#choice?.model ?? "";
    return model === this.#shelf.front ? "" : model;
  }

  /** The layers of the model beside; those of the one in front until they are known. */
  get #layers(): number {
    return (this.#other && this.#guest.layers) || this.#front.layers;
  }

  /** Offers the models that are here, but for the one in front. */
  async #offer() {
    this.#stale = false;
    const offers = await this.#shelf.offers();
    const others = offers.filter(({ name }) => name !== this.#shelf.front);
    const options = [{ name: "", text: "this model" }, ...others].map(({ name, text }) => make("option", { value: name, textContent: text }));
    this.#model.replaceChildren(...options);
    this.#model.value = this.#other;
  }

  #standing(view: ViewName): ViewName {
    return ANYWHERE.includes(view) || (view === "similarity" && this.#front.view === view) ? view : "pca";
  }

  #shown({ view, layer }: BesideChoice): number {
    return Math.max(this.#views[view].firstLayer ?? 0, Math.min(layer ?? this.#layers, this.#layers));
  }
}

/** A layer in words. */
const nameOf = (layer: number, layers: number) => (layer === 0 ? "embedding" : `layer ${layer} of ${layers}`);

/** A view in words, with its model where two stand side by side. */
const titled = ({ title }: View, layer: string, model: string) => `${title}, ${layer}${model && ` · ${model}`}`;
