// The wipe: a handle between the photograph, on its left, and the view on its right.

import { part } from "../dom";

/** Where the handle comes to rest after its first sweep, as a part of the width. */
const REST = 0.36;
const SWEEP_MILLISECONDS = 1500;
/** What an arrow key moves it by, and the keys for pages. */
const STEPS: Readonly<Record<string, number>> = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1 };

export class Wipe {
  readonly #handle: HTMLElement;
  readonly #frame: HTMLElement;
  readonly #photo: HTMLElement;
  readonly #view: HTMLElement;
  readonly #changed: (at: number) => void;
  #at = 0;
  #animation = 0;
  /** Whether the visitor has moved it. */
  #own = false;
  #swept = false;

  constructor(frame: HTMLElement, changed: (at: number) => void) {
    this.#frame = frame;
    this.#changed = changed;
    this.#handle = part(frame, ".wipe", HTMLElement);
    this.#photo = part(frame, '.tag[data-side="photo"]', HTMLElement);
    this.#view = part(frame, '.tag[data-side="view"]', HTMLElement);
    this.#connect();
  }

  get at(): number {
    return this.#at;
  }

  /** Sweeps once from the photograph to the view, unless the visitor prefers stillness. */
  sweep() {
    if (this.#swept) return;
    this.#swept = true;
    if (still()) return this.#set(REST);
    this.#glide(1, REST, SWEEP_MILLISECONDS);
  }

  /** Leaves the view whole, unless the visitor has put the handle where it is. */
  leave() {
    this.#swept = true;
    if (this.#own || this.#at === 0) return;
    if (still()) this.#set(0);
    else this.#glide(this.#at, 0, 250);
  }

  #connect() {
    const handle = this.#handle;
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.setPointerCapture(event.pointerId);
      handle.focus({ preventScroll: true });
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { left, width } = this.#frame.getBoundingClientRect();
      this.#move((event.clientX - left) / width);
    });
    handle.addEventListener("keydown", (event) => {
      const { key } = event;
      const to = key === "Home" ? 0 : key === "End" ? 1 : key in STEPS ? this.#at + (STEPS[key] ?? 0) : null;
      if (to === null) return;
      event.preventDefault();
      this.#move(to);
    });
  }

  #move(to: number) {
    cancelAnimationFrame(this.#animation);
    [this.#own, this.#swept] = [true, true];
    this.#set(Math.min(1, Math.max(0, to)));
  }

  #glide(from: number, to: number, milliseconds: number) {
    const begin = performance.now();
    const step = (now: number) => {
      const part = Math.min(1, Math.max(0, (now - begin) / milliseconds));
      const eased = part * part * (3 - 2 * part);
      this.#set(from + (to - from) * eased);
      if (part < 1) this.#animation = requestAnimationFrame(step);
    };
    cancelAnimationFrame(this.#animation);
    step(begin);
  }

  #set(at: number) {
    this.#at = at;
    const percent = String(Math.round(100 * at));
    this.#handle.setAttribute("aria-valuenow", percent);
    this.#handle.setAttribute("aria-valuetext", `${percent} % photograph`);
    this.#frame.style.setProperty("--at", `${100 * at}%`);
    this.#photo.hidden = at < 0.2;
    this.#view.hidden = at === 0 || at > 0.7;
    this.#changed(at);
  }
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
