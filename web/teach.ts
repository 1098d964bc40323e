// The lesson: classes of the visitor's own, and patches of them on any number of photographs.

import { make, part } from "./dom";
import type { Encoded, Lesson, Taught } from "./protocol";
import type { Shot } from "./shots";
import { tokenAt } from "./views";

export interface Example {
  shot: Shot;
  /** Parts of the region's width and height, so that they outlive a change of image size. */
  at: [number, number];
  class: number;
}

export interface TeachPanel {
  /** Adds a patch of the class in hand; false where that patch has it already. */
  add(shot: Shot, at: [number, number], drag: boolean): boolean;
  /** What the engine is to fit; null before two classes have patches. */
  lesson(layers: number[]): Lesson | null;
  examples(shot: Shot): Example[];
  /** A head that was imported takes the place of the classes. */
  take(taught: Taught): void;
  say(text: string): void;
  /** Lets go of what was taught on photographs that are gone. */
  drop(shot: Shot): void;
  /** Whether the head was imported, and not fitted to patches. */
  readonly imported: boolean;
}

export interface TeachActions {
  changed(): void;
  exportHead(): void;
  importHead(file: File): void;
}

/** The engine's own first colours (Okabe and Ito's), in its order. */
export const classColours: readonly [number, number, number][] = [
  [230, 159, 0], [0, 114, 178], [0, 158, 115], [204, 121, 167], [86, 180, 233], [213, 94, 0], [240, 228, 66],
];

export function teachPanel(root: HTMLElement, actions: TeachActions): TeachPanel {
  const list = part(root, "ul", HTMLUListElement);
  const note = part(root, ".fit", HTMLElement);
  const more = part(root, "[data-add]", HTMLButtonElement);
  const undo = part(root, "[data-undo]", HTMLButtonElement);
  const clear = part(root, "[data-clear]", HTMLButtonElement);
  const out = part(root, "[data-export]", HTMLButtonElement);
  const into = part(root, "[data-import]", HTMLButtonElement);
  const file = part(root, "input[type=file]", HTMLInputElement);
  let names = ["object", "background"];
  let inHand = 0;
  let examples: Example[] = [];
  /** How many examples there were before each click. */
  let steps: number[] = [];
  let imported = false;

  function render() {
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
        text.addEventListener("change", () => {
          names[index] = text.value.trim() || `class ${index + 1}`;
          render();
          actions.changed();
        });
        const count = examples.filter((example) => example.class === index).length;
        const amount = make("span", { className: "count", textContent: count === 1 ? "1 patch" : `${count} patches` });
        return make("li", {}, radio, make("label", { htmlFor: id }, swatch), text, amount);
      }),
    );
    more.disabled = names.length >= classColours.length;
    undo.disabled = steps.length === 0;
    clear.disabled = examples.length === 0;
    out.disabled = !imported && new Set(examples.map((example) => example.class)).size < 2;
  }

  more.addEventListener("click", () => {
    names.push(`class ${names.length + 1}`);
    inHand = names.length - 1;
    render();
    const texts = list.querySelectorAll<HTMLInputElement>("input[type=text]");
    texts[inHand]?.select();
  });
  const stepBack = () => {
    const before = steps.pop();
    if (before === undefined) return;
    examples = examples.slice(0, before);
    render();
    actions.changed();
  };
  undo.addEventListener("click", stepBack);
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement && event.target.type === "text";
    if (root.hidden || typing || event.key !== "z" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    stepBack();
  });
  clear.addEventListener("click", () => {
    examples = [];
    steps = [];
    imported = false;
    render();
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
    get imported() {
      return imported;
    },
    add(shot, at, drag) {
      const token = shot.encoding && tokenAt(at, shot.encoding);
      const same = (example: Example) => example.shot === shot && shot.encoding && tokenAt(example.at, shot.encoding) === token;
      const known = examples.find(same);
      if (known?.class === inHand) return false;
      if (!drag || steps.length === 0) steps.push(examples.length);
      if (known) {
        // Renamed: undo cannot look behind it.
        examples = examples.filter((example) => example !== known);
        steps = [examples.length];
      }
      examples.push({ shot, at, class: inHand });
      imported = false;
      render();
      return true;
    },
    lesson(layers) {
      if (new Set(examples.map((example) => example.class)).size < 2) return null;
      const placed = examples.flatMap(({ shot, at, class: index }) => {
        const encoding: Encoded | null = shot.encoding;
        const token = encoding && tokenAt(at, encoding);
        return encoding && token !== null ? [{ photo: encoding.photo, token, class: index }] : [];
      });
      return new Set(placed.map((example) => example.class)).size < 2 ? null : { layers, names: [...names], examples: placed };
    },
    examples: (shot) => examples.filter((example) => example.shot === shot),
    take(taught) {
      names = [...taught.names];
      inHand = 0;
      examples = [];
      steps = [];
      imported = true;
      render();
    },
    say(text) {
      note.textContent = text;
    },
    drop(shot) {
      examples = examples.filter((example) => example.shot !== shot);
      steps = [];
      render();
    },
  };
}
