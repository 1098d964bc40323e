// Brush and eraser: what is in hand, how large it is, and the ring that shows it on the picture.

import { make, part } from "../dom";

export type Tool = "brush" | "eraser";

/** Radii in parts of the picture's longer side. The first is a point. */
const RADII = [0, 0.008, 0.016, 0.032, 0.064] as const;
const NAMES = ["point", "thin", "medium", "wide", "very wide"] as const;

/** Radius of the ring of a point, and of the smallest eraser, in pixels of the screen. */
const LEAST = 7;

export interface BrushActions {
  /** Whether a picture is there to paint on. */
  ready(): boolean;
  /** Pixels of the screen for the longer side of what the model sees. */
  side(): number;
  /** The colour of the class in hand. */
  colour(): string;
}

export class Brush {
  readonly #actions: BrushActions;
  readonly #tools: HTMLInputElement[];
  readonly #size: HTMLInputElement;
  readonly #name: HTMLElement;
  readonly #frame: HTMLElement;
  readonly #ring = make("span", { className: "ring", hidden: true });

  constructor(panel: HTMLElement, frame: HTMLElement, actions: BrushActions) {
    this.#actions = actions;
    this.#frame = frame;
    this.#tools = [...panel.querySelectorAll<HTMLInputElement>('input[name="tool"]')];
    this.#size = part(panel, "#brush-size", HTMLInputElement);
    this.#name = part(panel, "#brush-name", HTMLElement);
    this.#size.max = String(RADII.length - 1);
    this.#size.addEventListener("input", () => this.#tell());
    for (const tool of this.#tools) tool.addEventListener("change", () => this.#tell());
    this.#ring.ariaHidden = "true";
    frame.append(this.#ring);
    const canvas = part(frame, "canvas", HTMLCanvasElement);
    for (const event of ["pointermove", "pointerdown"] as const) canvas.addEventListener(event, (moved) => this.#follow(moved));
    canvas.addEventListener("pointerleave", () => (this.#ring.hidden = true));
    canvas.addEventListener("pointerup", ({ pointerType }) => pointerType === "touch" && (this.#ring.hidden = true));
    this.#tell();
  }

  get tool(): Tool {
    return this.#tools.find(({ checked }) => checked)?.value === "eraser" ? "eraser" : "brush";
  }

  /** In parts of the longer side. The smallest eraser is as large as its ring. */
  get radius(): number {
    const radius = RADII[this.#size.valueAsNumber] ?? 0;
    return this.tool === "eraser" ? Math.max(radius, RADII[1]) : radius;
  }

  take(tool: Tool) {
    for (const input of this.#tools) input.checked = input.value === tool;
    this.#tell();
  }

  /** Larger or smaller by a step. */
  resize(by: number) {
    this.#size.valueAsNumber += by;
    this.#tell();
  }

  /** Hides the ring where nothing can be painted. */
  leave() {
    this.#ring.hidden = true;
  }

  #tell() {
    const name = NAMES[this.#size.valueAsNumber] ?? "";
    this.#name.textContent = name;
    this.#size.setAttribute("aria-valuetext", name);
    this.#shape();
  }

  #shape() {
    const { style, dataset } = this.#ring;
    const pixels = Math.max(LEAST, this.radius * this.#actions.side());
    style.width = style.height = `${2 * pixels}px`;
    style.borderColor = this.tool === "eraser" ? "" : this.#actions.colour();
    dataset.tool = this.tool;
  }

  #follow({ clientX, clientY }: PointerEvent) {
    this.#ring.hidden = !this.#actions.ready();
    if (this.#ring.hidden) return;
    const { left, top } = this.#frame.getBoundingClientRect();
    this.#ring.style.translate = `calc(${clientX - left}px - 50%) calc(${clientY - top}px - 50%)`;
    this.#shape();
  }
}
