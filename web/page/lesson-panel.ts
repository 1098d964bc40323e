// The lesson: classes of the visitor's own, and patches of them on any number of photographs.

import type { Taught } from "../shared/protocol";
import { spelled } from "../shared/spelled";
import { make, part } from "./dom";
import { History } from "./history";
import { tokenAt, type Place } from "./patches";
import type { Shot } from "./shots";

/** Longest note, in characters. */
const MOST = 1000;

export interface Example {
  shot: Shot;
  /** A place, and no token, so that it outlives a change of image size. */
  at: Place;
  class: number;
}

/** A head from a file: in use until the lesson has patches of two classes. */
export interface Imported {
  file: File;
  taught: Taught;
}

/** The layers that are taught on. */
export interface Dial {
  layer: number | null;
  earlier: boolean;
}

export interface LessonActions {
  changed(): void;
  exportHead(): void;
  importHead(file: File): void;
  /** Brings a photograph to the stage, on which undo or redo changes something. */
  open(shot: Shot): void;
  dial(dial: Dial): void;
}

/** The engine's first colours (Okabe and Ito's), in its order. */
export const classColours: readonly (readonly [number, number, number])[] = [
  [230, 159, 0], [0, 114, 178], [0, 158, 115], [204, 121, 167], [86, 180, 233], [213, 94, 0], [240, 228, 66],
];

interface State {
  names: readonly string[];
  examples: readonly Example[];
  head: Imported | null;
}

/** Where a step happened, and the layers before and after it where it changed them. */
interface Where {
  shot: Shot | null;
  dials: readonly [Dial, Dial] | null;
}

const start: State = { names: ["object", "background"], examples: [], head: null };
const nowhere: Where = { shot: null, dials: null };

export class LessonPanel {
  readonly #root: HTMLElement;
  readonly #actions: LessonActions;
  readonly #list: HTMLUListElement;
  readonly #note: HTMLElement;
  readonly #buttons: Record<"add" | "undo" | "redo" | "clear" | "export" | "import", HTMLButtonElement>;
  readonly #history = new History<State, Where>(start);
  /** The class that a click gives. */
  #inHand = 0;
  /** Whether the pressed pointer has changed something already. */
  #stroke = false;

  constructor(root: HTMLElement, actions: LessonActions) {
    const button = (name: string) => part(root, `[data-${name}]`, HTMLButtonElement);
    this.#root = root;
    this.#actions = actions;
    this.#list = part(root, "ul", HTMLUListElement);
    this.#note = part(root, ".fit", HTMLElement);
    this.#buttons = {
      add: button("add"), undo: button("undo"), redo: button("redo"), clear: button("clear"), export: button("export"), import: button("import"),
    };
    this.#connect();
    this.#render();
  }

  /** Whether two classes have patches. */
  get complete(): boolean {
    return new Set(this.all.map((example) => example.class)).size >= 2;
  }

  get names(): readonly string[] {
    return this.#history.now.names;
  }

  get all(): readonly Example[] {
    return this.#history.now.examples;
  }

  /** The head that is in use in place of a lesson. */
  get head(): Imported | null {
    return this.complete ? null : this.#history.now.head;
  }

  examples(shot: Shot): Example[] {
    return this.all.filter((example) => example.shot === shot);
  }

  /** All places on a photograph that the lesson has, or undo can bring back. */
  places(shot: Shot): Place[] {
    const all = this.#history.states.flatMap(({ examples }) => examples).filter((example) => example.shot === shot);
    return [...new Map(all.map(({ at }) => [String(at), at])).values()];
  }

  /** Gives a patch the class in hand, or takes it away where the patch has it already; false where nothing changed. */
  add(shot: Shot, at: Place, drag: boolean): boolean {
    if (!drag) this.#stroke = false;
    const encoding = shot.encoding;
    const token = encoding && tokenAt(at, encoding);
    if (!encoding || token === null || encoding.clear.includes(token)) return false;
    const known = this.all.find((example) => example.shot === shot && tokenAt(example.at, encoding) === token);
    // A stroke over patches of its own class leaves them as they are.
    if (known?.class === this.#inHand && drag) return false;
    const others = this.all.filter((example) => example !== known);
    const next = known?.class === this.#inHand ? others : [...others, { shot, at, class: this.#inHand }];
    this.#change({ examples: next }, { shot, dials: null }, drag && this.#stroke);
    this.#stroke = true;
    return true;
  }

  /** An imported head replaces the classes; `before` and `after` are the layers before and after it. */
  take(head: Imported, before: Dial, after: Dial) {
    this.#inHand = 0;
    this.#change({ names: [...head.taught.names], examples: [], head }, { shot: null, dials: [before, after] });
  }

  say(text: string) {
    this.#note.textContent = spelled(text, MOST);
  }

  #connect() {
    const file = part(this.#root, "input[type=file]", HTMLInputElement);
    this.#buttons.add.addEventListener("click", () => this.#addClass());
    this.#buttons.undo.addEventListener("click", () => this.#undo());
    this.#buttons.redo.addEventListener("click", () => this.#redo());
    this.#buttons.clear.addEventListener("click", () => {
      this.#change({ examples: [], head: null });
      this.#actions.changed();
    });
    this.#buttons.export.addEventListener("click", () => this.#actions.exportHead());
    this.#buttons.import.addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      const [chosen] = file.files ?? [];
      file.value = "";
      if (chosen) this.#actions.importHead(chosen);
    });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  #addClass() {
    const { names } = this.#history.now;
    this.#inHand = names.length;
    this.#change({ names: [...names, `class ${names.length + 1}`] });
    this.#list.querySelectorAll<HTMLInputElement>("input[type=text]")[this.#inHand]?.select();
  }

  #key(event: KeyboardEvent) {
    const typing = event.target instanceof HTMLInputElement && event.target.type === "text";
    if (this.#root.hidden || typing || !(event.ctrlKey || event.metaKey)) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) this.#redo();
    else this.#undo();
  }

  #undo() {
    this.#step(this.#history.undo(), 0);
  }

  #redo() {
    this.#step(this.#history.redo(), 1);
  }

  #step(where: Where | null, dial: 0 | 1) {
    if (!where) return;
    this.#stroke = false;
    this.#render();
    if (where.dials) this.#actions.dial(where.dials[dial]);
    if (where.shot) this.#actions.open(where.shot);
    this.#actions.changed();
  }

  #change(next: Partial<State>, where: Where = nowhere, join = false) {
    this.#history.change({ ...this.#history.now, ...next }, where, join);
    this.#render();
  }

  #rename(index: number, name: string) {
    const { names } = this.#history.now;
    if (names[index] !== name) this.#change({ names: names.map((old, at) => (at === index ? name : old)) });
    this.#render();
    this.#actions.changed();
  }

  #render() {
    const { names, examples, head } = this.#history.now;
    this.#inHand = Math.min(this.#inHand, names.length - 1);
    this.#list.replaceChildren(...names.map((name, index) => this.#row(name, index)));
    this.#buttons.add.disabled = names.length >= classColours.length;
    this.#buttons.undo.disabled = !this.#history.undoable;
    this.#buttons.redo.disabled = !this.#history.redoable;
    this.#buttons.clear.disabled = examples.length === 0 && head === null;
    this.#buttons.export.disabled = head === null && !this.complete;
  }

  #row(name: string, index: number): HTMLLIElement {
    const id = `class-${index}`;
    const radio = make("input", { type: "radio", name: "class", id, checked: index === this.#inHand });
    radio.setAttribute("aria-label", `Click patches of ${name}`);
    radio.addEventListener("change", () => (this.#inHand = index));
    const swatch = make("span", { className: "swatch" });
    swatch.style.background = `rgb(${classColours[index]?.join(" ")})`;
    const text = make("input", { type: "text", value: name, maxLength: 40 });
    text.setAttribute("aria-label", `Name of class ${index + 1}`);
    text.addEventListener("change", () => this.#rename(index, text.value.trim() || `class ${index + 1}`));
    const count = this.all.filter((example) => example.class === index).length;
    const amount = make("span", { className: "count", textContent: count === 1 ? "1 patch" : `${count} patches` });
    return make("li", {}, radio, make("label", { htmlFor: id }, swatch), text, amount);
  }
}
