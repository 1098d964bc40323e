// Small pictures side by side, one of them chosen: layers of a model, heads of a layer.

import { make } from "../dom";

/** Pixels of a small picture's longer side. */
const SIDE = 96;

/** One small picture: a photograph and what lies over it. */
export interface Cell {
  photo: ImageBitmap;
  over: HTMLCanvasElement;
  title: string;
}

/** The mouse's way to what a slider or a list beside it offers to the keyboard: hidden from screen readers. */
export class Cells {
  readonly #root: HTMLElement;
  readonly #choose: (index: number) => void;
  #buttons: HTMLElement[] = [];

  /** `hover` follows a mouse that is not pressed; null once it has left. */
  constructor(root: HTMLElement, choose: (index: number) => void, hover: (index: number | null) => void = () => undefined) {
    this.#root = root;
    this.#choose = choose;
    root.setAttribute("aria-hidden", "true");
    const at = (event: PointerEvent, act: (index: number) => void) => {
      const index = this.#indexOf(event);
      if (index >= 0) act(index);
    };
    root.addEventListener("pointermove", (event) => {
      if (event.buttons > 0) at(event, this.#choose);
      else if (event.pointerType === "mouse") at(event, hover);
    });
    root.addEventListener("pointerdown", (event) => at(event, this.#choose));
    root.addEventListener("pointerleave", () => hover(null));
  }

  /** Shows pictures in place of those before. */
  show(cells: readonly Cell[]) {
    this.#buttons = cells.map(({ photo, over, title }) => {
      const scale = SIDE / Math.max(photo.width, photo.height);
      const canvas = make("canvas", { width: Math.max(1, Math.round(photo.width * scale)), height: Math.max(1, Math.round(photo.height * scale)) });
      const context = canvas.getContext("2d");
      context?.drawImage(photo, 0, 0, canvas.width, canvas.height);
      context?.drawImage(over, 0, 0, canvas.width, canvas.height);
      return make("span", { title }, canvas);
    });
    this.#root.replaceChildren(...this.#buttons);
    this.#root.hidden = cells.length === 0;
  }

  mark(index: number | null) {
    this.#buttons.forEach((button, at) => button.classList.toggle("chosen", at === index));
  }

  /** The small picture under the pointer, by its place; -1 between them. */
  #indexOf({ target }: PointerEvent): number {
    return target instanceof Element ? this.#buttons.findIndex((button) => button.contains(target)) : -1;
  }
}
