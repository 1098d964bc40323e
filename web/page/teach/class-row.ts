// A class in the panel of a lesson: its colour and name, and the points and strokes of it, each of which can be taken away.

import { make } from "../dom";
import { amount, type ClassOf, type Colour, type Lesson, type Trace } from "./lesson";
import type { Shot } from "../photographs/shots";

export interface RowActions {
  choose(index: number): void;
  change(index: number, change: Partial<ClassOf>): void;
  rename(index: number, name: string): void;
  remove(index: number): void;
  erase(trace: Trace): void;
  /** Shows a trace on the picture while it is pointed at. */
  light(trace: Trace | null): void;
  open(shot: Shot): void;
}

/** Classes below which none can be deleted. */
const LEAST = 2;
/** Keys that choose a class. */
const KEYS = 9;

export class ClassRow {
  readonly #actions: RowActions;
  /** The classes whose lists are open. */
  readonly #open = new Set<number>();

  constructor(actions: RowActions) {
    this.#actions = actions;
  }

  make(lesson: Lesson, index: number, chosen: boolean): HTMLLIElement {
    const { name } = lesson.classes[index] ?? { name: "" };
    const radio = make("input", { type: "radio", name: "class", id: `class-${index}`, checked: chosen });
    radio.ariaLabel = `Paint ${name}`;
    radio.title = index < KEYS ? `Paint ${name} (key ${index + 1})` : `Paint ${name}`;
    radio.addEventListener("change", () => this.#actions.choose(index));
    const traces = lesson.traces.filter((trace) => trace.class === index);
    const list = make("ul", { className: "marks", id: `marks-${index}`, hidden: !this.#open.has(index) || traces.length === 0 }, ...traces.map((trace, at) => this.#trace(trace, `${index}-${at}`, at)));
    list.addEventListener("pointerleave", () => this.#actions.light(null));
    const line = make(
      "div", { className: "class" }, keyed(radio, `choose-${index}`), this.#colour(lesson, index), this.#name(lesson, index),
      this.#count(traces, index, list), this.#delete(lesson, index),
    );
    return make("li", {}, line, list);
  }

  /** The number of traces, which opens their list. */
  #count(traces: readonly Trace[], index: number, list: HTMLElement): HTMLElement {
    const button = make("button", { type: "button", className: "link count", textContent: amount(traces), ariaExpanded: String(!list.hidden), disabled: traces.length === 0 });
    button.setAttribute("aria-controls", list.id);
    button.addEventListener("click", () => {
      list.hidden = !list.hidden;
      button.ariaExpanded = String(!list.hidden);
      if (list.hidden) this.#open.delete(index);
      else this.#open.add(index);
    });
    return keyed(button, `marks-${index}`);
  }

  #colour({ classes }: Lesson, index: number): HTMLElement {
    const input = make("input", { type: "color", value: hexOf(classes[index]?.colour ?? [0, 0, 0]), ariaLabel: `Colour of class ${index + 1}` });
    input.addEventListener("change", () => this.#actions.change(index, { colour: colourOfHex(input.value) }));
    return keyed(input, `colour-${index}`);
  }

  #name({ classes }: Lesson, index: number): HTMLElement {
    const before = classes[index]?.name ?? "";
    const input = make("input", { type: "text", value: before, maxLength: 40, ariaLabel: `Name of class ${index + 1}` });
    input.addEventListener("change", () => {
      const name = input.value.trim() || before;
      if (name !== before) this.#actions.rename(index, name);
      else input.value = name;
    });
    return keyed(input, `name-${index}`);
  }

  #delete({ classes }: Lesson, index: number): HTMLElement {
    const button = make("button", { type: "button", className: "cross", textContent: "×", ariaLabel: `Delete class ${classes[index]?.name}`, title: "Delete this class" });
    button.disabled = classes.length <= LEAST;
    button.addEventListener("click", () => this.#actions.remove(index));
    return keyed(button, `delete-${index}`);
  }

  #trace(trace: Trace, key: string, at: number): HTMLElement {
    const what = `${trace.path.length === 1 ? "Point" : "Stroke"} ${at + 1}`;
    const show = make("button", { type: "button", className: "link", textContent: `${what} on ${trace.shot.file.name}` });
    show.addEventListener("click", () => this.#actions.open(trace.shot));
    const cross = make("button", { type: "button", className: "cross", textContent: "×", ariaLabel: `Take away ${what} on ${trace.shot.file.name}` });
    cross.addEventListener("click", () => this.#actions.erase(trace));
    const item = make("li", {}, keyed(show, `show-${key}`), keyed(cross, `erase-${key}`));
    for (const event of ["pointerenter", "focusin"]) item.addEventListener(event, () => this.#actions.light(trace));
    item.addEventListener("focusout", () => this.#actions.light(null));
    return item;
  }
}

/** An element that is found again when it is made anew. */
function keyed<E extends HTMLElement>(element: E, key: string): E {
  element.dataset.key = key;
  return element;
}

export function hexOf(colour: Colour): string {
  return `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

function colourOfHex(hex: string): Colour {
  const value = Number.parseInt(hex.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
