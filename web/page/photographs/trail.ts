// The pictures of this visit in the browser's history, so that Back and Forward lead from one to the next.

import { askedSample, nameSample } from "../link";
import type { Shot } from "./shots";

export class Trail {
  /** Those that have an entry, which knows its picture by the place here. */
  readonly #shots: Shot[] = [];

  /** The picture of the entry; null where this visit has opened none for it. */
  get shot(): Shot | null {
    const { visit, picture } = (history.state ?? {}) as { visit?: unknown; picture?: unknown };
    return visit === performance.timeOrigin && typeof picture === "number" ? (this.#shots[picture] ?? null) : null;
  }

  /** Notes a picture that has come to the stage: in a new entry where it took another one's place and the history did not lead here. */
  note(shot: Shot, sample: string, another: boolean) {
    const led = this.shot === shot || (sample !== "" && sample === askedSample());
    this.#write(shot, another && !led, nameSample(sample, another));
  }

  /** Makes the entry that of a picture which is about to come by itself. */
  claim(shot: Shot) {
    this.#write(shot, false, location.href);
  }

  #write(shot: Shot, push: boolean, url: string) {
    if (!this.#shots.includes(shot)) this.#shots.push(shot);
    const state = { visit: performance.timeOrigin, picture: this.#shots.indexOf(shot) };
    if (push) history.pushState(state, "", url);
    else history.replaceState(state, "", url);
  }
}
