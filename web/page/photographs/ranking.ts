// Where else: the pictures of this visit in the order of how alike their best patch is to the pinned ones, as the view measures it.

import { remaining } from "../../shared/format";
import type { Settings } from "../../shared/protocol";
import type { Engine } from "../engine";
import { make } from "../dom";
import { Latest, type Attempt } from "../requests";
import type { Shot } from "./shots";
import type { View } from "../views/view";

/** The pinned patch, what is pinned besides, and the pictures to look through. */
export interface Pinned {
  view: View;
  pins: readonly unknown[];
  shot: Shot;
  token: number;
  layer: number;
  among: readonly Shot[];
}

export interface RankingActions {
  open(shot: Shot): void;
  error(error: unknown): void;
  /** How photographs are encoded. */
  settings(): Settings;
}

interface Found {
  shot: Shot;
  score: number;
}

export class Ranking {
  readonly #root: HTMLElement;
  readonly #engine: Engine;
  readonly #actions: RankingActions;
  readonly #runs = new Latest();
  readonly #title = make("p", { className: "hint", textContent: "Best match in your other pictures:" });
  readonly #list = make("ol", { tabIndex: 0, ariaLabel: "Pictures, the most alike first" });
  /** What is being looked through, and the button that ends it. */
  readonly #said = make("span", { className: "hint", role: "status" });
  readonly #line: HTMLElement;
  #wanted: Pinned | null = null;
  /** What was found in pictures whose features were released, for the pinned patch. */
  #again: Found[] = [];

  constructor(root: HTMLElement, engine: Engine, actions: RankingActions) {
    this.#root = root;
    this.#engine = engine;
    this.#actions = actions;
    const stop = make("button", { type: "button", textContent: "Cancel" });
    stop.addEventListener("click", () => this.#cancel());
    this.#line = make("p", { className: "line" }, this.#said, stop);
  }

  /** Ranks the pictures; null clears the list. */
  rank(wanted: Pinned | null) {
    const before = this.#wanted;
    const same = wanted && before?.shot === wanted.shot && before.token === wanted.token && before.layer === wanted.layer
      && before.pins === wanted.pins && before.shot.encoding === wanted.shot.encoding;
    // Drawn again with the same pin: what is being looked through goes on.
    if (same && this.#runs.running && before.among.length === wanted.among.length) return;
    this.#wanted = wanted;
    if (!same) this.#again = [];
    if (!wanted) {
      this.#runs.drop();
      this.#root.hidden = true;
    } else void this.#run((run) => this.#rankEncoded(wanted, run));
  }

  /** Does some work; of several the latest wins. */
  async #run(work: (run: Attempt) => Promise<void>) {
    const run = this.#runs.begin();
    try {
      await work(run);
    } catch (error) {
      if (run.current && !run.signal.aborted) this.#actions.error(error);
    } finally {
      run.abort();
    }
  }

  /** Those that have their features; it takes no time. */
  async #rankEncoded(wanted: Pinned, run: Attempt) {
    const found: Found[] = [];
    const others = wanted.among.filter((shot) => shot !== wanted.shot);
    for (const shot of others) {
      if (!shot.encoding) continue;
      const score = await this.#score(wanted, shot);
      if (!run.current) return;
      if (score !== null) found.push({ shot, score });
    }
    const known = this.#again.filter(({ shot }) => !shot.encoding && others.includes(shot));
    this.#show(wanted, [...found, ...known]);
  }

  /** Encodes again those whose features were released, one after the other. */
  async #rankReleased(wanted: Pinned, found: Found[], released: readonly Shot[], run: Attempt) {
    for (const [at, shot] of released.entries()) {
      this.#show(wanted, found, `Picture ${at + 1} of ${released.length}: ${shot.file.name}`);
      const encoding = await this.#engine.call("encode", { photo: shot.file, settings: this.#actions.settings() }, { signal: run.signal });
      encoding.bitmap.close();
      try {
        const score = await this.#score(wanted, { ...shot, encoding });
        if (!run.current || run.signal.aborted) return;
        if (score === null) continue;
        this.#again.push({ shot, score });
        found.push({ shot, score });
      } finally {
        void this.#engine.call("forget", encoding.photo);
      }
    }
  }

  /** The value of a picture's best patch; null where the pinned one's features are gone. */
  async #score({ view, shot, token, layer }: Pinned, other: Shot): Promise<number | null> {
    const photo = shot.encoding?.photo;
    const map = photo === undefined ? null : await view.map(this.#engine, { layer, token, photo, frame: false }, other, "patches");
    return map && (map.data[map.best ?? 0] ?? 0);
  }

  #show(wanted: Pinned, found: readonly Found[], progress = "") {
    const items = [...found].sort((a, b) => b.score - a.score).map(({ shot, score }) => {
      const button = make("button", { type: "button", className: "link", textContent: shot.file.name });
      button.addEventListener("click", () => this.#actions.open(shot));
      return make("li", {}, button, make("span", { className: "count", textContent: score.toFixed(2) }));
    });
    this.#list.replaceChildren(...items);
    this.#list.hidden = items.length === 0;
    const foot = progress ? [this.#line] : this.#offer(wanted, found);
    this.#said.textContent = progress;
    // A button that is put in anew would lose the focus, and the click that presses it.
    if (!progress || !this.#line.isConnected) this.#root.replaceChildren(this.#title, this.#list, ...foot);
    this.#root.hidden = items.length === 0 && foot.length === 0;
  }

  #cancel() {
    this.#runs.abort();
    const wanted = this.#wanted;
    if (wanted) void this.#run((run) => this.#rankEncoded(wanted, run));
  }

  /** A button that looks through the pictures whose features were released, with the time that it takes. */
  #offer(wanted: Pinned, found: readonly Found[]): HTMLElement[] {
    const released = wanted.among.filter((shot) => shot !== wanted.shot && !found.some((one) => one.shot === shot));
    if (released.length === 0) return [];
    const each = (wanted.shot.encoding?.milliseconds ?? 0) / 1000;
    const textContent = `Look through ${released.length} more, about ${remaining(each * released.length)}`;
    const button = make("button", { type: "button", textContent });
    button.addEventListener("click", () => void this.#run(async (run) => {
      const all = [...found];
      await this.#rankReleased(wanted, all, released, run);
      if (run.current && !run.signal.aborted) this.#show(wanted, all);
    }));
    return [button];
  }
}
