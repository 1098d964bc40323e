// Where else: the open pictures in the order of how alike their best patch is to the pinned one.

import type { Engine } from "./engine";
import { make } from "./dom";
import { Repeated } from "./requests";
import type { Shot } from "./shots";

/** The pinned patch, and the pictures to look through. */
export interface Pinned {
  shot: Shot;
  token: number;
  layer: number;
  among: readonly Shot[];
}

/** Most pictures that are listed. */
const MOST = 8;

export class Ranking {
  readonly #root: HTMLElement;
  readonly #engine: Engine;
  readonly #open: (shot: Shot) => void;
  readonly #asking: Repeated;
  #wanted: Pinned | null = null;

  constructor(root: HTMLElement, engine: Engine, open: (shot: Shot) => void, error: (error: unknown) => void) {
    this.#root = root;
    this.#engine = engine;
    this.#open = open;
    this.#asking = new Repeated(() => this.#ask(), { begin: () => undefined, end: () => undefined, error });
  }

  /** Ranks the pictures; null clears the list. */
  rank(wanted: Pinned | null) {
    this.#wanted = wanted;
    if (wanted) void this.#asking.ask();
    else this.#root.hidden = true;
  }

  async #ask() {
    const wanted = this.#wanted;
    const of = wanted?.shot.encoding?.photo;
    if (!wanted || of === undefined) return;
    const found: { shot: Shot; score: number }[] = [];
    for (const shot of wanted.among) {
      if (!shot.encoding || shot === wanted.shot) continue;
      const { token, layer } = wanted;
      const map = await this.#engine.call("view", { photo: shot.encoding.photo, request: { view: "similarity", layer, token, of }, edges: "patches" });
      if (this.#wanted !== wanted) return;
      found.push({ shot, score: map.data[map.best ?? 0] ?? 0 });
    }
    this.#show(found);
  }

  #show(found: { shot: Shot; score: number }[]) {
    found.sort((a, b) => b.score - a.score);
    const items = found.slice(0, MOST).map(({ shot, score }) => {
      const button = make("button", { type: "button", className: "link", textContent: shot.file.name });
      button.addEventListener("click", () => this.#open(shot));
      return make("li", {}, button, make("span", { className: "count", textContent: score.toFixed(2) }));
    });
    this.#root.replaceChildren(make("p", { className: "hint", textContent: "Best match in your other open pictures:" }), make("ol", {}, ...items));
    this.#root.hidden = items.length === 0;
  }
}
