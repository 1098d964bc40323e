// The panel of a folder: how far it is read, what is shown of it, and what there is to do with a photograph of it.

import { make } from "../dom";

/** What is shown: all photographs, their map, what is like a chosen one, those that are nearly the same, or what a text finds. */
export type Mode = "all" | "map" | "alike" | "twins" | "words";

export interface PanelActions {
  close(): void;
  another(): void;
  /** Stops reading, or goes on. */
  stop(): void;
  mode(mode: Mode): void;
  /** Something of the map or of the twins was set. */
  set(): void;
  look(text: string): void;
  zoom(by: number): void;
  whole(): void;
  showEncircled(): void;
  letGo(): void;
  open(): void;
  alike(): void;
  saveTable(): void;
  saveMasks(): void;
  /** Stops what is being saved. */
  cancel(): void;
  forget(): void;
}

const TITLES: readonly [Mode, string][] = [["all", "All"], ["map", "Map"], ["alike", "Alike"], ["twins", "Twins"], ["words", "Words"]];

export class Panel {
  readonly root: HTMLElement;
  readonly #title = make("h2");
  readonly #state = make("p", { className: "hint", role: "status" });
  readonly #bar = make("progress", { ariaLabel: "Photographs read" });
  readonly #stop: HTMLButtonElement;
  readonly #radios = new Map<Mode, HTMLInputElement>();
  readonly #said = make("p", { className: "caption" });
  readonly #lasso = make("input", { type: "checkbox" });
  readonly #coloured = make("input", { type: "checkbox" });
  readonly #groups = make("input", { type: "range", min: "2", max: "16", value: "8", ariaLabel: "Groups" });
  readonly #groupsName = make("span", { className: "value" });
  readonly #from = make("input", { type: "range", min: "800", max: "999", value: "950", ariaLabel: "Nearly the same from" });
  readonly #fromName = make("span", { className: "value" });
  readonly #text = make("input", { type: "text", maxLength: 300, placeholder: "a red car", autocomplete: "off", spellcheck: false, ariaLabel: "Look for" });
  readonly #ofWords: HTMLElement;
  readonly #ofMap: HTMLElement;
  readonly #ofTwins: HTMLElement;
  readonly #ofEncircled: HTMLElement;
  readonly #encircled = make("span");
  readonly #ofChosen: HTMLElement;
  readonly #picture = make("img", { alt: "", width: 96, height: 72 });
  readonly #name = make("p", { className: "name" });
  readonly #fault = make("p", { className: "note" });
  readonly #alike: HTMLButtonElement;
  readonly #table: HTMLButtonElement;
  readonly #masks: HTMLButtonElement;
  readonly #work: HTMLElement;
  readonly #workName = make("span", { className: "hint", role: "status" });
  readonly #cancel: HTMLButtonElement;
  readonly #kept: HTMLElement;

  constructor(on: PanelActions) {
    this.#stop = button("Cancel", on.stop);
    this.#alike = button("Find alike", on.alike);
    this.#table = button("Save table", on.saveTable);
    this.#masks = button("Save masks", on.saveMasks);
    this.#table.title = "Features as Parquet, with the columns of internvit encode";
    this.#masks.title = "What you taught, on each photograph: masks as PNG, COCO’s annotations, a table of areas";
    this.#cancel = button("Cancel", on.cancel);
    this.#work = make("p", { className: "line", hidden: true }, this.#workName, this.#cancel);
    this.#ofMap = this.#mapControls(on);
    this.#from.addEventListener("input", on.set);
    this.#text.addEventListener("input", () => on.look(this.#text.value));
    this.#ofWords = make("div", { className: "labels" }, this.#text);
    this.#ofTwins = make("div", { className: "slide" }, make("span", { textContent: "Alike from" }), this.#fromName, this.#from);
    this.#ofEncircled = make("p", { className: "line" }, this.#encircled, button("Show them", on.showEncircled), button("Let go", on.letGo, "link"));
    const actions = make("div", { className: "actions" }, button("Open", on.open), this.#alike);
    this.#ofChosen = make("section", { className: "chosen-photo", ariaLabel: "Chosen photograph" }, this.#picture, this.#name, this.#fault, actions);
    this.#kept = make("p", { className: "hint" }, make("span", { textContent: "Features and small pictures are kept in this browser alone. " }), button("Forget them", on.forget, "link"));
    this.root = make("section", { className: "panel", ariaLabel: "Folder" },
      make("div", { className: "line folder-title" }, this.#title, button("Close", on.close, "link"), button("Another folder", on.another, "link")),
      this.#state, this.#bar, make("div", { className: "actions" }, this.#stop),
      this.#modes(on), this.#ofMap, this.#ofTwins, this.#ofWords, this.#ofEncircled, this.#ofChosen,
      make("div", { className: "folder-foot" }, this.#said, make("div", { className: "actions" }, this.#table, this.#masks), this.#work, this.#kept));
  }

  get lassoing(): boolean {
    return this.#lasso.checked;
  }

  /** The number of groups by which the map is coloured; 0 for none. */
  get groups(): number {
    return this.#coloured.checked ? this.#groups.valueAsNumber : 0;
  }

  /** The cosine from which on two photographs are nearly the same. */
  get from(): number {
    return this.#from.valueAsNumber / 1000;
  }

  /** How far the folder is read; `running` while it goes on. */
  tell(name: string, state: string, part: number, running: boolean) {
    this.#title.textContent = name;
    if (this.#state.textContent !== state) this.#state.textContent = state;
    this.#bar.value = part;
    this.#bar.hidden = part >= 1;
    this.#stop.textContent = running ? "Cancel" : "Go on";
    this.#stop.hidden = part >= 1 && !running;
  }

  /** Tells what is being saved, or was; nothing for an empty text. */
  work(text: string, running: boolean) {
    this.#work.hidden = !text;
    this.#workName.textContent = text;
    this.#cancel.hidden = !running;
  }

  /** Sets the controls as what is shown wants them; `said` tells what that is. */
  sync({ mode, said, encircled, ready, taught, reads }: { mode: Mode; said: string; encircled: number; ready: boolean; taught: boolean; reads: boolean }) {
    const radio = this.#radios.get(mode);
    if (radio) radio.checked = true;
    this.#said.textContent = said;
    this.#ofMap.hidden = mode !== "map";
    this.#ofTwins.hidden = mode !== "twins";
    this.#ofWords.hidden = mode !== "words";
    const words = this.#radios.get("words")?.parentElement;
    if (words) words.hidden = !reads;
    this.#groupsName.textContent = this.#groups.value;
    this.#groups.disabled = !this.#coloured.checked;
    this.#fromName.textContent = this.from.toFixed(3);
    this.#ofEncircled.hidden = encircled === 0;
    this.#encircled.textContent = `${encircled} encircled`;
    this.#table.disabled = !ready;
    this.#masks.disabled = !ready || !taught;
  }

  /** The photograph that is chosen; null for none. */
  choose(photo: { path: string; thumbnail: string | null; failure: string | null; embedded: unknown } | null) {
    this.#ofChosen.hidden = photo === null;
    if (!photo) return;
    this.#picture.hidden = photo.thumbnail === null;
    if (photo.thumbnail) this.#picture.src = photo.thumbnail;
    this.#name.textContent = photo.path;
    this.#fault.hidden = photo.failure === null;
    this.#fault.textContent = photo.failure ?? "";
    this.#alike.disabled = !photo.embedded;
  }

  #modes({ mode: turn }: PanelActions): HTMLElement {
    const labels = TITLES.map(([mode, title]) => {
      const radio = make("input", { type: "radio", name: "folder-mode", value: mode });
      radio.addEventListener("change", () => turn(mode));
      this.#radios.set(mode, radio);
      return make("label", {}, radio, document.createTextNode(title));
    });
    return make("fieldset", { className: "detail", ariaLabel: "Shown" }, make("div", { className: "choices" }, ...labels));
  }

  #mapControls({ set, zoom, whole }: PanelActions): HTMLElement {
    for (const input of [this.#lasso, this.#coloured]) input.addEventListener("change", set);
    this.#groups.addEventListener("input", set);
    const larger = button("+", () => zoom(1.5));
    const smaller = button("−", () => zoom(1 / 1.5));
    [larger.ariaLabel, smaller.ariaLabel] = ["Enlarge", "Reduce"];
    return make("div", { className: "map-controls" },
      make("div", { className: "actions" }, larger, smaller, button("Whole map", whole)),
      make("p", { className: "line" }, make("label", { title: "Or drag with Shift" }, this.#lasso, document.createTextNode("Drag encircles"))),
      make("div", { className: "slide" }, make("label", { className: "line" }, this.#coloured, document.createTextNode("Colour by group")), this.#groupsName, this.#groups));
  }
}

function button(textContent: string, onclick: () => void, className = ""): HTMLButtonElement {
  return make("button", { type: "button", textContent, onclick, className });
}
