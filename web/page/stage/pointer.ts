// The patch that the visitor points at, by mouse, finger or keyboard.

import type { Scene } from "./drawing";
import { placeOf, type Place } from "../../shared/patches";

export interface PointerHandlers {
  /** The patch under the pointer or the keyboard's cursor; null where there is none. */
  hover(token: number | null, place: Place | null): void;
  /** A click, a tap, Enter. `drag`: the pointer was pressed on another patch. `touch`: a finger, which cannot hover. */
  pick(token: number, place: Place, drag: boolean, touch: boolean): void;
  /** The pressed pointer moves, within a patch too. */
  trace?(place: Place): void;
}

/** Steps of the arrow keys, in rows and columns. */
const MOVES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
};

/** Pixels that a finger moves while it only taps. */
const SLACK = 6;

export class Pointer {
  /** The keyboard's patch. */
  cursor: number | null = null;
  /** The patch that the pressed pointer was on last. */
  #pressed: number | null = null;
  /** A finger that has not moved yet: it taps, paints, or is the first of two. */
  #waiting: PointerEvent | null = null;
  /** The fingers on the picture. */
  readonly #fingers = new Set<number>();
  /** Whether there were two of them, which enlarge the picture and touch nothing on it. */
  #pinched = false;
  readonly #canvas: HTMLCanvasElement;
  readonly #scene: () => Scene | null;
  readonly #handlers: PointerHandlers;

  /** `redraw` is called when the cursor has moved. */
  constructor(canvas: HTMLCanvasElement, scene: () => Scene | null, handlers: PointerHandlers, redraw: () => void) {
    this.#canvas = canvas;
    this.#scene = scene;
    this.#handlers = handlers;
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    // A finger that is lifted leaves what it pointed at.
    canvas.addEventListener("pointerleave", ({ pointerType }) => pointerType !== "touch" && handlers.hover(null, null));
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    for (const end of ["pointerup", "pointercancel"] as const) addEventListener(end, (event) => this.#release(event));
    canvas.addEventListener("keydown", (event) => {
      if (!this.#key(event.key)) return;
      event.preventDefault();
      redraw();
    });
    canvas.addEventListener("blur", () => {
      this.cursor = null;
      redraw();
    });
  }

  /** The patch at a point of the canvas, and the point as a place on the region. */
  #under({ clientX, clientY }: PointerEvent): [number, Place] | null {
    const scene = this.#scene();
    if (!scene?.grid) return null;
    const { region: [left, top, width, height], rows, cols } = scene.grid;
    const box = this.#canvas.getBoundingClientRect();
    const x = (((clientX - box.left) / box.width) * scene.photo.width - left) / width;
    const y = (((clientY - box.top) / box.height) * scene.photo.height - top) / height;
    if (!(x >= 0 && x < 1 && y >= 0 && y < 1)) return null;
    return [Math.floor(y * rows) * cols + Math.floor(x * cols), [x, y]];
  }

  #move(event: PointerEvent) {
    if (this.#pinched) return;
    const first = this.#waiting;
    if (first) {
      if (Math.hypot(event.clientX - first.clientX, event.clientY - first.clientY) < SLACK) return;
      this.#waiting = null;
      this.#begin(first);
    }
    const found = this.#under(event);
    this.#handlers.hover(found?.[0] ?? null, found?.[1] ?? null);
    if (!found || this.#pressed === null) return;
    for (const each of event.getCoalescedEvents()) {
      const passed = this.#under(each);
      if (passed) this.#handlers.trace?.(passed[1]);
    }
    this.#handlers.trace?.(found[1]);
    if (this.#pressed === found[0]) return;
    this.#pressed = found[0];
    this.#handlers.pick(...found, true, event.pointerType === "touch");
  }

  /** A finger waits: a second one may follow. */
  #press(event: PointerEvent) {
    if (event.pointerType !== "touch") return this.#begin(event);
    this.#fingers.add(event.pointerId);
    this.#pinched = this.#fingers.size > 1;
    this.#waiting = this.#pinched ? null : event;
    if (this.#pinched) this.#pressed = null;
  }

  #release({ type, pointerId }: PointerEvent) {
    if (this.#waiting && type === "pointerup") this.#begin(this.#waiting);
    [this.#waiting, this.#pressed] = [null, null];
    this.#fingers.delete(pointerId);
    if (this.#fingers.size === 0) this.#pinched = false;
  }

  #begin(event: PointerEvent) {
    const found = this.#under(event);
    if (!found || event.button !== 0) return;
    this.#pressed = found[0];
    if (this.cursor !== null) this.cursor = found[0];
    this.#handlers.pick(...found, false, event.pointerType === "touch");
  }

  /** Whether a key moves the cursor or picks its patch. */
  #key(key: string): boolean {
    const grid = this.#scene()?.grid;
    if (!grid) return false;
    const { rows, cols } = grid;
    const move = MOVES[key];
    const at = this.cursor ?? Math.floor(rows / 2) * cols + Math.floor(cols / 2);
    if (move) {
      const row = Math.min(rows - 1, Math.max(0, Math.floor(at / cols) + move[0]));
      const col = Math.min(cols - 1, Math.max(0, (at % cols) + move[1]));
      this.cursor = row * cols + col;
      this.#handlers.hover(this.cursor, [(col + 0.5) / cols, (row + 0.5) / rows]);
    } else if (key === "Enter" || key === " ") {
      this.cursor = at;
      this.#handlers.pick(at, placeOf(at, grid), false, false);
    } else return false;
    return true;
  }
}
