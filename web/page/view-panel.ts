// The panel of the view: tabs, the layer, the opacity, the view's sentence and the controls of its settings.

import type { Edges, ModelInfo } from "../shared/protocol";
import type { Choice } from "./choice";
import { make, part } from "./dom";
import { viewNames, type ViewName, type Views } from "./views/table";

export interface PanelActions {
  turn(view: ViewName): void;
  layer(layer: number): void;
  /** A new opacity, in percent. */
  fade(opacity: number): void;
  /** The opacity was let go at its value. */
  faded(): void;
  edges(edges: Edges): void;
}

/** What the controls show. */
export interface PanelState {
  choice: Choice;
  /** The layer that is shown, and the last one. */
  layer: number;
  layers: number;
  opacity: number;
}

export class ViewPanel {
  readonly #root: HTMLElement;
  readonly #views: Views;
  readonly #tabs: HTMLButtonElement[];
  readonly #panel: HTMLElement;
  readonly #layer: HTMLInputElement;
  readonly #layerName: HTMLElement;
  readonly #fade: HTMLInputElement;
  readonly #fadeName: HTMLElement;
  readonly #edges: HTMLInputElement[];
  readonly #caption: HTMLElement;
  readonly #picture: HTMLElement;

  constructor(root: HTMLElement, views: Views, actions: PanelActions) {
    this.#root = root;
    this.#views = views;
    this.#panel = part(root, "#view", HTMLElement);
    this.#layer = part(root, "#layer", HTMLInputElement);
    this.#layerName = part(root, "#layer-name", HTMLElement);
    this.#fade = part(root, "#fade", HTMLInputElement);
    this.#fadeName = part(root, "#fade-name", HTMLElement);
    this.#edges = [...root.querySelectorAll<HTMLInputElement>("#edges input")];
    this.#caption = part(root, "#caption", HTMLElement);
    this.#picture = part(root, "#save-picture", HTMLElement);
    this.#tabs = viewNames.map((name) => this.#tab(name, actions.turn));
    part(root, "#views", HTMLElement).replaceChildren(...this.#tabs);
    this.#layer.addEventListener("input", () => actions.layer(this.#layer.valueAsNumber));
    this.#fade.addEventListener("input", () => actions.fade(this.#fade.valueAsNumber));
    // Browsers allow an address only a number of changes in a while.
    this.#fade.addEventListener("change", () => actions.faded());
    for (const radio of this.#edges) radio.addEventListener("change", () => actions.edges(radio.value as Edges));
  }

  /** Sets the controls as the choice is. */
  sync({ choice, layer, layers, opacity }: PanelState) {
    const view = this.#views[choice.view];
    for (const tab of this.#tabs) {
      const on = tab.id === `tab-${choice.view}`;
      tab.ariaSelected = String(on);
      tab.tabIndex = on ? 0 : -1;
    }
    this.#root.dataset.view = choice.view;
    this.#panel.setAttribute("aria-labelledby", `tab-${choice.view}`);
    const shown: string[] = [choice.view];
    if (view.firstLayer !== null) shown.push("layers");
    const edges = view.edges && (choice.edges ?? view.edges);
    if (edges) shown.push("edges", `edges-${edges}`);
    for (const radio of this.#edges) radio.checked = radio.value === edges;
    if (view.detailed) shown.push("detail");
    for (const control of this.#root.querySelectorAll<HTMLElement>("[data-for]")) {
      control.hidden = !shown.includes(control.dataset.for ?? "");
    }
    this.#layer.max = String(layers);
    this.#layer.min = String(view.firstLayer ?? 0);
    this.#layer.valueAsNumber = layer;
    const name = layer === 0 ? "embedding" : `${layer} of ${layers}`;
    this.#layerName.textContent = name;
    this.#layer.setAttribute("aria-valuetext", name);
    this.#fade.valueAsNumber = opacity;
    this.#fadeName.textContent = `${opacity} %`;
    this.#caption.textContent = view.about;
    // One row has all that saves: a lesson's first thing is what it cuts out, its picture is in the menu.
    const row = part(this.#root, ".saying .actions", HTMLElement);
    const place = choice.view === "teach" ? part(row, ".menu-list", HTMLElement) : row;
    if (this.#picture.parentElement !== place) place.prepend(this.#picture);
    view.sync(choice.at !== null);
  }

  /** Tells before a click which views the model cannot show, and why. */
  fit(model: ModelInfo) {
    viewNames.forEach((name, at) => {
      const tab = this.#tabs[at];
      const reason = this.#views[name].unavailable(model);
      if (!tab) return;
      tab.title = tab.ariaDescription = reason ?? "";
      tab.toggleAttribute("data-lacking", reason !== null);
    });
  }

  /** A tab as the ARIA practices describe it. */
  #tab(name: ViewName, turn: (view: ViewName) => void): HTMLButtonElement {
    const { title, hint } = this.#views[name];
    const tab = make("button", { type: "button", id: `tab-${name}`, textContent: title, role: "tab", ariaLabel: title, className: hint ? "" : "small" });
    tab.dataset.hint = hint;
    tab.setAttribute("aria-controls", "view");
    tab.addEventListener("click", () => turn(name));
    tab.addEventListener("keydown", ({ key }) => {
      const step = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0;
      if (step === 0) return;
      const next = viewNames[(viewNames.indexOf(name) + step + viewNames.length) % viewNames.length] ?? name;
      turn(next);
      this.#root.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
    });
    return tab;
  }
}
