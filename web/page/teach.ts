// The lesson: classes of the visitor's own, and patches of them on any number of photographs.

import { make, part } from "./dom";
import { History } from "./history";
import type { Taught } from "../shared/protocol";
import type { Shot } from "./shots";
import type { Place } from "./vectors";
import { spelled } from "../shared/spelled";
import { tokenAt } from "./views";

/** Characters of a note at most. */
const MOST = 1000;

export interface Example {
  shot: Shot;
  /** Parts of the region's width and height, so that they outlive a change of image size. */
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

export interface TeachPanel {
  /** A click on a patch: gives it the class in hand, or takes it away where it has that already; false where nothing changed. */
  add(shot: Shot, at: Place, drag: boolean): boolean;
  /** Whether two classes have patches. */
  readonly complete: boolean;
  readonly names: readonly string[];
  readonly all: readonly Example[];
  examples(shot: Shot): Example[];
  /** All places on a photograph that the lesson has, or undo can bring back. */
  places(shot: Shot): Place[];
  /** A head that was imported takes the place of the classes; `before` and `after` are what the layers were and are. */
  take(head: Imported, before: Dial, after: Dial): void;
  /** The head that is in use in place of a lesson. */
  readonly head: Imported | null;
  say(text: string): void;
}

export interface TeachActions {
  changed(): void;
  exportHead(): void;
  importHead(file: File): void;
  /** Brings a photograph to the stage, on which undo or redo changes something. */
  open(shot: Shot): void;
  dial(dial: Dial): void;
}

/** The engine's own first colours (Okabe and Ito's), in its order. */
export const classColours: readonly [number, number, number][] = [
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
  dials: [Dial, Dial] | null;
}

const start: State = { names: ["object", "background"], examples: [], head: null };
const nowhere: Where = { shot: null, dials: null };

export function teachPanel(root: HTMLElement, actions: TeachActions): TeachPanel {
  const list = part(root, "ul", HTMLUListElement);
  const note = part(root, ".fit", HTMLElement);
  const button = (name: string) => part(root, `[data-${name}]`, HTMLButtonElement);
  const [more, undo, redo, clear] = [button("add"), button("undo"), button("redo"), button("clear")];
  const [out, into] = [button("export"), button("import")];
  const file = part(root, "input[type=file]", HTMLInputElement);
  const history = new History<State, Where>(start);
  let inHand = 0;
  /** Whether the pointer that is down has changed something already. */
  let stroke = false;

  const complete = () => new Set(history.now.examples.map((example) => example.class)).size >= 2;

  function render() {
    const { names, examples, head } = history.now;
    inHand = Math.min(inHand, names.length - 1);
    list.replaceChildren(
      ...names.map((name, index) => {
        const id = `class-${index}`;
        const radio = make("input", { type: "radio", name: "class", id, checked: index === inHand });
        radio.setAttribute("aria-label", `Click patches of ${name}`);
        radio.addEventListener("change", () => (inHand = index));
        const swatch = make("span", { className: "swatch" });
        swatch.style.background = `rgb(${classColours[index]?.join(" ")})`;
        const text = make("input", { type: "text", value: name, maxLength: 40 });
        text.setAttribute("aria-label", `Name of class ${index + 1}`);
        text.addEventListener("change", () => rename(index, text.value.trim() || `class ${index + 1}`));
        const count = examples.filter((example) => example.class === index).length;
        const amount = make("span", { className: "count", textContent: count === 1 ? "1 patch" : `${count} patches` });
        return make("li", {}, radio, make("label", { htmlFor: id }, swatch), text, amount);
      }),
    );
    more.disabled = names.length >= classColours.length;
    undo.disabled = !history.undoable;
    redo.disabled = !history.redoable;
    clear.disabled = examples.length === 0 && head === null;
    out.disabled = head === null && !complete();
  }

  function change(next: Partial<State>, where: Where = nowhere, join = false) {
    history.change({ ...history.now, ...next }, where, join);
    render();
  }

  function rename(index: number, name: string) {
    if (history.now.names[index] !== name) change({ names: history.now.names.map((old, at) => (at === index ? name : old)) });
    render();
    actions.changed();
  }

  function step(where: Where | null, dial: 0 | 1) {
    if (!where) return;
    stroke = false;
    render();
    if (where.dials) actions.dial(where.dials[dial]);
    if (where.shot) actions.open(where.shot);
    actions.changed();
  }
  const back = () => step(history.undo(), 0);
  const forth = () => step(history.redo(), 1);

  more.addEventListener("click", () => {
    const { names } = history.now;
    inHand = names.length;
    change({ names: [...names, `class ${names.length + 1}`] });
    const texts = list.querySelectorAll<HTMLInputElement>("input[type=text]");
    texts[inHand]?.select();
  });
  undo.addEventListener("click", back);
  redo.addEventListener("click", forth);
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement && event.target.type === "text";
    if (root.hidden || typing || !(event.ctrlKey || event.metaKey)) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) forth();
    else back();
  });
  clear.addEventListener("click", () => {
    change({ examples: [], head: null });
    actions.changed();
  });
  out.addEventListener("click", actions.exportHead);
  into.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (chosen) actions.importHead(chosen);
  });
  render();

  return {
    get complete() {
      return complete();
    },
    get names() {
      return history.now.names;
    },
    get all() {
      return history.now.examples;
    },
    get head() {
      return complete() ? null : history.now.head;
    },
    add(shot, at, drag) {
      if (!drag) stroke = false;
      const encoding = shot.encoding;
      const token = encoding && tokenAt(at, encoding);
      if (!encoding || token === null || encoding.clear.includes(token)) return false;
      const { examples } = history.now;
      const known = examples.find((example) => example.shot === shot && tokenAt(example.at, encoding) === token);
      // A stroke over patches of its own class leaves them as they are.
      if (known?.class === inHand && drag) return false;
      const others = examples.filter((example) => example !== known);
      const next = known?.class === inHand ? others : [...others, { shot, at, class: inHand }];
      change({ examples: next }, { shot, dials: null }, drag && stroke);
      stroke = true;
      return true;
    },
    examples: (shot) => history.now.examples.filter((example) => example.shot === shot),
    places(shot) {
      const all = history.states.flatMap(({ examples }) => examples).filter((example) => example.shot === shot);
      return [...new Map(all.map(({ at }) => [String(at), at])).values()];
    },
    take(head, before, after) {
      inHand = 0;
      change({ names: [...head.taught.names], examples: [], head }, { shot: null, dials: [before, after] });
    },
    say(text) {
      note.textContent = spelled(text, MOST);
    },
  };
}
