// Zoom: the picture is enlarged inside its frame, by wheel, pinch, two fingers, keys and buttons.

import { part } from "../dom";

/** Times that the picture is enlarged, at most. */
const MOST = 8;
/** By what a key enlarges. */
const STEP = 1.4;
/** Pixels of a wheel's line, where it counts lines. */
const LINE = 16;

type Point = readonly [x: number, y: number];

export class Zoom {
  readonly #frames: HTMLElement;
  readonly #frame: HTMLElement;
  readonly #chip: HTMLButtonElement;
  readonly #changed: () => void;
  #scale = 1;
  /** The picture's left upper corner, in parts of the frame. */
  #corner: Point = [0, 0];
  /** The two fingers' middle, in parts of the frame, and their distance, in pixels. */
  #fingers: { middle: Point; apart: number } | null = null;
  /** Where the middle mouse button drags. */
  #dragged: Point | null = null;

  /** `frames` has all pictures, which are enlarged alike; `changed` draws what depends on it. */
  constructor(frames: HTMLElement, changed: () => void) {
    this.#frames = frames;
    this.#frame = part(frames, "#frame", HTMLElement);
    this.#chip = part(frames, "[data-whole]", HTMLButtonElement);
    this.#changed = changed;
    this.#chip.addEventListener("click", () => {
      this.reset();
      part(this.#frame, "canvas", HTMLCanvasElement).focus({ preventScroll: true });
    });
    for (const frame of frames.querySelectorAll<HTMLElement>(".frame")) this.#connect(frame);
    this.#connectFull(part(frames, "[data-full]", HTMLButtonElement));
  }

  /** The whole picture. */
  reset() {
    this.#set(1, [0, 0]);
  }

  /** A part of the frame's width as one of the picture's. At its left edge all of the picture is to the right. */
  across(at: number): number {
    return at === 0 ? 0 : Math.min(1, Math.max(0, (at - this.#corner[0]) / this.#scale));
  }

  /** Moves a place of the picture into sight, as the keyboard's cursor goes there. */
  reveal([x, y]: Point) {
    if (this.#scale === 1) return;
    const into = (corner: number, place: number) => {
      const at = corner + place * this.#scale;
      return corner + (Math.min(0.9, Math.max(0.1, at)) - at);
    };
    this.#set(this.#scale, [into(this.#corner[0], x), into(this.#corner[1], y)]);
  }

  #connect(frame: HTMLElement) {
    frame.addEventListener("wheel", (event) => this.#wheel(event, frame), { passive: false });
    // Two fingers are the picture's, and not the browser's.
    for (const name of ["touchstart", "touchmove"] as const) frame.addEventListener(name, (event) => this.#touch(event, frame), { passive: false });
    for (const name of ["touchend", "touchcancel"] as const) frame.addEventListener(name, () => this.#pinch(null));
    frame.addEventListener("pointerdown", (event) => {
      if (event.button !== 1 || this.#scale === 1) return;
      event.preventDefault();
      frame.setPointerCapture(event.pointerId);
      this.#dragged = placeIn(frame, event.clientX, event.clientY);
    });
    frame.addEventListener("pointermove", (event) => {
      if (!this.#dragged) return;
      const at = placeIn(frame, event.clientX, event.clientY);
      this.#move(at[0] - this.#dragged[0], at[1] - this.#dragged[1]);
      this.#dragged = at;
    });
    for (const name of ["pointerup", "pointercancel"] as const) frame.addEventListener(name, () => (this.#dragged = null));
    part(frame, "canvas", HTMLCanvasElement).addEventListener("keydown", (event) => this.#key(event));
  }

  /** Full screen, where the browser has it. */
  #connectFull(button: HTMLButtonElement) {
    button.hidden = !document.fullscreenEnabled;
    button.addEventListener("click", () => void (document.fullscreenElement ? document.exitFullscreen() : this.#frames.requestFullscreen()).catch(() => undefined));
    document.addEventListener("fullscreenchange", () => {
      const full = document.fullscreenElement === this.#frames;
      button.ariaLabel = button.title = full ? "Leave full screen" : "Full screen";
    });
  }

  /** With Ctrl or ⌘, as a pinch on a trackpad reports itself, the wheel enlarges; without, it moves an enlarged picture. */
  #wheel(event: WheelEvent, frame: HTMLElement) {
    const { ctrlKey, metaKey, deltaMode, clientX, clientY } = event;
    const enlarges = ctrlKey || metaKey;
    if (!enlarges && this.#scale === 1) return;
    event.preventDefault();
    const unit = deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE;
    // A mouse's wheel makes large steps, a trackpad's pinch small ones.
    const [x, y] = [event.deltaX, event.deltaY].map((delta) => Math.min(100, Math.max(-100, delta * unit))) as [number, number];
    if (enlarges) this.#enlarge(Math.exp(-y / 200), placeIn(frame, clientX, clientY));
    else this.#move(-x / frame.clientWidth, -y / frame.clientHeight);
  }

  #touch(event: TouchEvent, frame: HTMLElement) {
    const [one, two] = event.touches;
    if (!one || !two || event.touches.length !== 2) return this.#pinch(null);
    if (event.cancelable) event.preventDefault();
    const middle = placeIn(frame, (one.clientX + two.clientX) / 2, (one.clientY + two.clientY) / 2);
    const apart = Math.max(1, Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY));
    const before = this.#fingers;
    this.#pinch({ middle, apart });
    if (!before) return;
    this.#move(middle[0] - before.middle[0], middle[1] - before.middle[1]);
    this.#enlarge(apart / before.apart, middle);
  }

  #pinch(fingers: { middle: Point; apart: number } | null) {
    this.#fingers = fingers;
    this.#frames.toggleAttribute("data-pinched", fingers !== null);
  }

  #key(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    if (key === "+" || key === "=") this.#enlarge(STEP, [0.5, 0.5]);
    else if (key === "-") this.#enlarge(1 / STEP, [0.5, 0.5]);
    else if (key === "0") this.reset();
    else return;
    event.preventDefault();
  }

  /** Enlarges, so that what is at a place of the frame stays there. */
  #enlarge(by: number, [x, y]: Point) {
    const scale = Math.min(MOST, Math.max(1, this.#scale * by));
    const real = scale / this.#scale;
    this.#set(scale, [x - (x - this.#corner[0]) * real, y - (y - this.#corner[1]) * real]);
  }

  #move(x: number, y: number) {
    this.#set(this.#scale, [this.#corner[0] + x, this.#corner[1] + y]);
  }

  /** The picture fills its frame wherever it is moved. */
  #set(asked: number, [left, top]: Point) {
    // What is all but whole is whole.
    const scale = asked < 1.02 ? 1 : asked;
    const within = (corner: number) => Math.min(0, Math.max(1 - scale, corner));
    [this.#scale, this.#corner] = [scale, [within(left), within(top)]];
    const { style } = this.#frames;
    style.setProperty("--zoom", String(scale));
    style.setProperty("--left", `${100 * this.#corner[0]}%`);
    style.setProperty("--top", `${100 * this.#corner[1]}%`);
    this.#frames.toggleAttribute("data-zoomed", scale > 1);
    this.#chip.hidden = scale === 1;
    this.#chip.textContent = `${Math.round(100 * scale)} %`;
    this.#chip.ariaLabel = `${this.#chip.textContent}, show the whole picture`;
    this.#changed();
  }
}

/** A point of the window in parts of a frame. */
function placeIn(frame: HTMLElement, x: number, y: number): Point {
  const { left, top, width, height } = frame.getBoundingClientRect();
  return [(x - left) / width, (y - top) / height];
}
