// The panel of a lesson: its classes and what was painted of them, the method, undo and redo of all of it.

import { spelled } from "../../shared/spelled";
import { ClassRow, hexOf } from "./class-row";
import { part } from "../dom";
import { History } from "./history";
import { distinct, firstLesson, joined, MOST_CLASSES, ofHead, used, withChanged, withClass, withoutClass, type Imported, type Lesson, type Method, type Trace } from "./lesson";
import { MethodForm } from "./method";
import { tokenAt, type Place } from "../../shared/patches";
import type { Shot } from "../photographs/shots";
import { between, erased, painted, pointAt, type Sheet } from "./traces";

/** Longest note, in characters. */
const MOST = 1000;

/** The layer that is shown, and learned from; null for the last. */
export type Dial = number | null;

export interface LessonActions {
  changed(): void;
  importHead(file: File): void;
  /** Brings a photograph to the stage, on which undo or redo changes something. */
  open(shot: Shot): void;
  dial(dial: Dial): void;
  /** Draws the marks again. */
  marked(): void;
}

/** Where a step happened, and the layer before and after it where it changed that. */
interface Where {
  shot: Shot | null;
  dials: readonly [Dial, Dial] | null;
}

/** What paints: its radius, and whether it takes away. */
export interface Stylus {
  radius: number;
  erases: boolean;
}

const nowhere: Where = { shot: null, dials: null };

type Buttons = Record<"add" | "undo" | "redo" | "clear" | "export" | "import", HTMLButtonElement>;

export class LessonPanel {
  readonly root: HTMLElement;
  readonly #actions: LessonActions;
  readonly #list: HTMLUListElement;
  readonly #note: HTMLElement;
  readonly #buttons: Buttons;
  readonly #method: MethodForm;
  readonly #history = new History<Lesson, Where>(firstLesson);
  readonly #rows: ClassRow;
  /** The class that is painted. */
  #inHand = 0;
  /** Whether the pressed pointer has changed something already. */
  #stroke = false;
  /** Where the pressed pointer was last. */
  #last: Place | null = null;
  /** The trace that the pressed pointer lengthens. */
  #grown: Trace | null = null;
  #lit: Trace | null = null;
  /** Whether a lesson of an earlier visit was brought back. */
  #brought = false;
  /** The step of the layer that goes on while nothing else is done. */
  #turning: Where | null = null;

  constructor(root: HTMLElement, actions: LessonActions) {
    const button = (name: string) => part(root, `[data-${name}]`, HTMLButtonElement);
    this.root = root;
    this.#actions = actions;
    this.#list = part(root, "ul", HTMLUListElement);
    this.#note = part(root, ".fit", HTMLElement);
    this.#buttons = {
      add: button("add"), undo: button("undo"), redo: button("redo"), clear: button("clear"), export: button("export"), import: button("import"),
    };
    this.#method = new MethodForm(root, (method) => this.#step({ method }));
    this.#rows = new ClassRow({
      choose: (index) => this.choose(index), remove: (index) => this.#edit(withoutClass(this.now, index)),
      change: (index, change) => this.#edit(withChanged(this.now, index, change)), rename: (index, name) => this.#rename(index, name),
      erase: (trace) => this.#edit({ ...this.now, traces: this.now.traces.filter((one) => one !== trace) }, trace.shot),
      light: (trace) => this.#light(trace), open: (shot) => actions.open(shot),
    });
    this.#connect();
    this.#render();
  }

  get now(): Lesson {
    return this.#history.now;
  }

  /** Whether two classes are painted. */
  get complete(): boolean {
    return used(this.now).length >= 2;
  }

  /** The class that is painted. */
  get inHand(): number {
    return this.#inHand;
  }

  get method(): Method {
    return this.now.method;
  }

  /** The head that is in use in place of a lesson. */
  get head(): Imported | null {
    return this.complete ? null : this.now.head;
  }

  /** The trace that is pointed at in the list. */
  get lit(): Trace | null {
    return this.#lit;
  }

  /** The colour of the class in hand. */
  get colour(): string {
    return hexOf(this.now.classes[this.#inHand]?.colour ?? [0, 0, 0]);
  }

  traces(shot: Shot): Trace[] {
    return this.now.traces.filter((trace) => trace.shot === shot);
  }

  /** Whether something was painted that was begun in this visit. */
  get begun(): boolean {
    return this.touched && !this.#brought && this.now.traces.length > 0;
  }

  /** Whether anything was done. */
  get touched(): boolean {
    return this.#history.undoable || this.#history.redoable;
  }

  /** The places on a photograph that the lesson has. */
  placesNow(shot: Shot): Place[] {
    return this.traces(shot).flatMap(({ path }) => path);
  }

  /** All places on a photograph that the lesson has, or undo can bring back. */
  places(shot: Shot): Place[] {
    const all = new Set(this.#history.states.flatMap(({ traces }) => traces.filter((trace) => trace.shot === shot)));
    return [...new Map([...all].flatMap(({ path }) => path).map((at) => [String(at), at])).values()];
  }

  /** The pressed pointer begins, or goes on, at a place; false where nothing changed. */
  paint(shot: Shot, at: Place, drag: boolean, sheet: Sheet, { radius, erases }: Stylus): boolean {
    if (!drag) [this.#stroke, this.#last, this.#grown] = [false, null, null];
    const { traces } = this.now;
    // What is wholly transparent is in no lesson.
    const path = (this.#last ? between(this.#last, at, radius, sheet) : [at]).filter((place) => !sheet.clear.includes(tokenAt(place, sheet) ?? -1));
    this.#last = at;
    if (path.length === 0) return false;
    if (erases) return this.#paint(erased(traces, shot, path, radius, sheet), shot);
    const again = drag ? null : pointAt(traces, shot, at, this.#inHand, sheet);
    // A second click takes a point away.
    if (again) return this.#paint(traces.filter((trace) => trace !== again), shot);
    const next = painted(traces, this.#grown, { shot, path, radius, class: this.#inHand }, sheet);
    this.#grown = next.at(-1) ?? null;
    return this.#paint(next, shot);
  }

  /** The class in hand. */
  choose(index: number) {
    if (index >= this.now.classes.length) return;
    this.#inHand = index;
    this.#render();
  }

  /** An imported head replaces the classes; `before` and `after` are the layers before and after it. */
  take(head: Imported, before: Dial, after: Dial) {
    this.#inHand = 0;
    this.#change(ofHead(this.now, head), { shot: null, dials: [before, after] });
  }

  /** Another layer is learned from; all the way of the slider is one step. */
  turn(before: Dial, after: Dial) {
    if (before === after) return;
    const way: Where = { shot: null, dials: [this.#turning?.dials ? this.#turning.dials[0] : before, after] };
    this.#change(this.now, way, this.#turning !== null);
    this.#turning = way;
  }

  /** Takes away all that was painted on a picture. */
  without(shot: Shot) {
    this.#edit({ ...this.now, traces: this.now.traces.filter((trace) => trace.shot !== shot) }, shot);
  }

  /** Puts a lesson of an earlier visit below what was done meanwhile: marks are added to it, a head takes its place, as they would have. */
  restore(lesson: Lesson) {
    const begun = this.now;
    this.#history.begin({ ...lesson, classes: distinct(lesson.classes) });
    this.#brought = true;
    // A stroke that is being painted goes on as another one.
    [this.#stroke, this.#grown, this.#turning] = [false, null, null];
    if (begun.head || begun.traces.length > 0) {
      this.#history.change(begun.head ? begun : joined(this.now, begun), nowhere);
      this.#inHand = this.now.traces.at(-1)?.class ?? 0;
    }
    this.#render();
    this.#actions.changed();
  }

  undo() {
    this.#go(this.#history.undo(), 0);
  }

  redo() {
    this.#go(this.#history.redo(), 1);
  }

  say(text: string) {
    this.#note.textContent = spelled(text, MOST);
  }

  #connect() {
    const file = part(this.root, "input[type=file]", HTMLInputElement);
    this.#buttons.add.addEventListener("click", () => this.#addClass());
    this.#buttons.undo.addEventListener("click", () => this.undo());
    this.#buttons.redo.addEventListener("click", () => this.redo());
    this.#buttons.clear.addEventListener("click", () => this.#edit({ ...this.now, traces: [], head: null }));
    this.#buttons.import.addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      const [chosen] = file.files ?? [];
      file.value = "";
      if (chosen) this.#actions.importHead(chosen);
    });
  }

  #addClass() {
    this.#inHand = this.now.classes.length;
    this.#edit(withClass(this.now));
    this.#list.querySelectorAll<HTMLInputElement>("input[type=text]")[this.#inHand]?.select();
  }

  /** Two classes of one name would be one in masks and files: such a name is refused. */
  #rename(index: number, name: string) {
    const { classes } = this.now;
    if (!classes.some((one, at) => one.name === name && at !== index)) return this.#edit(withChanged(this.now, index, { name }));
    this.#render();
    this.say(`There is a class ${name} already, so this one stays ${classes[index]?.name}. Choose another name.`);
  }

  #paint(traces: readonly Trace[], shot: Shot): boolean {
    if (traces === this.now.traces) return false;
    this.#change({ ...this.now, traces }, { shot, dials: null }, this.#stroke);
    this.#stroke = true;
    return true;
  }

  #light(trace: Trace | null) {
    if (trace === this.#lit) return;
    this.#lit = trace;
    this.#actions.marked();
  }

  #go(where: Where | null, dial: 0 | 1) {
    if (!where) return;
    [this.#stroke, this.#grown, this.#last, this.#turning] = [false, null, null, null];
    this.#render();
    if (where.dials) this.#actions.dial(where.dials[dial]);
    if (where.shot) this.#actions.open(where.shot);
    this.#actions.changed();
  }

  #step(change: Partial<Lesson>) {
    this.#edit({ ...this.now, ...change });
  }

  /** A change that is no stroke. */
  #edit(next: Lesson, shot: Shot | null = null) {
    this.#lit = null;
    this.#change(next, { shot, dials: null });
    this.#actions.changed();
  }

  #change(next: Lesson, where: Where = nowhere, join = false) {
    this.#turning = null;
    this.#history.change(next, where, join);
    this.#render();
  }

  #render() {
    const { classes, traces, head, method } = this.now;
    this.#inHand = Math.min(this.#inHand, classes.length - 1);
    const focused = document.activeElement instanceof HTMLElement ? (document.activeElement.dataset.key ?? "") : "";
    this.#list.replaceChildren(...classes.map((_, index) => this.#rows.make(this.now, index, index === this.#inHand)));
    // What had the focus is made anew.
    if (focused) this.#list.querySelector<HTMLElement>(`[data-key="${focused}"]`)?.focus();
    this.#method.show(method);
    this.#buttons.add.disabled = classes.length >= MOST_CLASSES;
    this.#buttons.undo.disabled = !this.#history.undoable;
    this.#buttons.redo.disabled = !this.#history.redoable;
    this.#buttons.clear.disabled = traces.length === 0 && head === null;
    this.#buttons.export.disabled = head === null && !this.complete;
    this.root.dispatchEvent(new Event("lesson"));
  }
}
