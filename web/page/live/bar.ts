// The controls below what moves: pause, take a picture, the place in a video, stop; and how quick it is.

import { part } from "../dom";
import type { Footage } from "./footage";

export interface LiveBarActions {
  play(): void;
  pause(): void;
  /** Goes to a place in the video, in seconds. */
  seek(seconds: number): void;
  take(): void;
  /** Goes on with another camera. */
  turn(): void;
  stop(): void;
}

/** Seconds by which an arrow key moves a video: about a picture. */
const STEP = 0.04;

export class LiveBar {
  readonly #root: HTMLElement;
  readonly #rate: HTMLElement;
  readonly #play: HTMLButtonElement;
  readonly #take: HTMLButtonElement;
  readonly #turn: HTMLButtonElement;
  readonly #time: HTMLInputElement;
  readonly #timeName: HTMLElement;
  #playing = false;

  constructor(root: HTMLElement, actions: LiveBarActions) {
    const button = (name: string, work: () => void) => {
      const found = part(root, `[data-${name}]`, HTMLButtonElement);
      found.addEventListener("click", work);
      return found;
    };
    this.#root = root;
    this.#rate = part(root, "[data-rate]", HTMLElement);
    this.#time = part(root, "#live-time", HTMLInputElement);
    this.#timeName = part(root, "[data-time]", HTMLElement);
    this.#play = button("play", () => (this.#playing ? actions.pause() : actions.play()));
    this.#take = button("take", actions.take);
    this.#turn = button("turn", actions.turn);
    button("stop", actions.stop);
    this.#time.step = String(STEP);
    this.#time.addEventListener("input", () => actions.seek(this.#time.valueAsNumber));
  }

  /** Shows the controls of a camera or a video; null hides them. */
  show(footage: Footage | null) {
    this.#root.hidden = footage === null;
    if (!footage) return;
    this.#root.ariaLabel = footage.isCamera ? "Camera" : `Video ${footage.name}`;
    this.#time.max = String(footage.seconds);
    for (const one of this.#root.querySelectorAll<HTMLElement>("[data-video]")) one.hidden = footage.isCamera;
    this.#take.disabled = this.#turn.hidden = true;
    this.#rate.textContent = "";
    this.run(footage, false);
    // What had the focus may be gone, and the next thing to do is here.
    this.#play.focus({ preventScroll: true });
  }

  /** Offers the next of several cameras. */
  offer(cameras: number) {
    this.#turn.hidden = cameras < 2;
  }

  /** Nothing moves while frames are taken one by one. */
  lock(on: boolean) {
    this.#play.disabled = this.#time.disabled = on;
  }

  /** Whether it moves. */
  run(footage: Footage, playing: boolean) {
    this.#playing = playing;
    this.#root.toggleAttribute("data-playing", playing);
    this.#play.textContent = playing ? "Pause" : footage.isCamera ? "Turn on" : "Play";
    if (!playing) this.#rate.textContent = footage.isCamera ? "The camera is off." : "Paused.";
  }

  /** A picture is shown: pictures a second, and pixels of its short side as it is encoded. */
  tell(footage: Footage, rate: number | null, side: number) {
    this.#take.disabled = false;
    if (this.#playing && rate !== null) this.#rate.textContent = `${rate.toFixed(1)} pictures a second · ${side} px`;
    if (footage.isCamera) return;
    this.#time.valueAsNumber = footage.at;
    const name = `${clock(footage.at)} of ${clock(footage.seconds)}`;
    this.#timeName.textContent = name;
    this.#time.setAttribute("aria-valuetext", name);
  }
}

/** Seconds as "1:05.2". */
function clock(seconds: number): string {
  const tenths = Math.floor(10 * seconds);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}
