// Small pictures side by side, one of them chosen: layers of a model, heads of a layer.

import { make } from "./dom";

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

  constructor(root: HTMLElement, choose: (index: number) => void) {
    this.#root = root;
    this.#choose = choose;
    root.setAttribute("aria-hidden", "true");
    root.addEventListener("pointermove", (event) => event.buttons > 0 && this.#pick(event));
    root.addEventListener("pointerdown", (event) => this.#pick(event));
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

  #pick({ target }: PointerEvent) {
    const index = target instanceof Element ? this.#buttons.findIndex((button) => button.contains(target)) : -1;
    if (index >= 0) this.#choose(index);
  }
}
