// Takes one picture out of the strip, with what the lesson has on it, and puts both back when asked.

import { part } from "../dom";
import { amount, type Lesson } from "../teach/lesson";
import type { LessonPanel } from "../teach/panel";
import type { Photographs } from "./photographs";
import { spelled } from "../../shared/spelled";
import type { Shot } from "./shots";

/** Longest name that is told whole, in characters. */
const MOST = 60;

export class Removal {
  readonly #photographs: Photographs;
  readonly #panel: LessonPanel;
  readonly #root = part(document, "#removed", HTMLElement);
  readonly #text = part(this.#root, "[data-text]", HTMLElement);
  readonly #undo = part(this.#root, "[data-back]", HTMLButtonElement);
  /** What was removed last, and the lesson without it where that had something on it. */
  #last: { shot: Shot; at: number; shown: boolean; lesson: Lesson | null } | null = null;

  constructor(photographs: Photographs, panel: LessonPanel) {
    [this.#photographs, this.#panel] = [photographs, panel];
    this.#undo.addEventListener("click", () => this.#back());
    part(this.#root, "[data-close]", HTMLButtonElement).addEventListener("click", () => this.#tell(""));
  }

  take(shot: Shot) {
    const traces = this.#panel.traces(shot);
    const shown = this.#photographs.shown === shot;
    const at = this.#photographs.remove(shot);
    if (traces.length > 0) this.#panel.without(shot);
    this.#last = { shot, at, shown, lesson: traces.length > 0 ? this.#panel.now : null };
    this.#tell(`Removed ${spelled(shot.file.name, MOST)}${traces.length > 0 ? `, and its ${amount(traces)}` : ""}.`);
    this.#undo.focus({ preventScroll: true });
  }

  #back() {
    const { shot, at, shown, lesson } = this.#last ?? {};
    this.#tell("");
    if (!shot || at === undefined) return;
    this.#photographs.putBack(shot, at);
    // What was taught since stays; the points come back by the lesson's own undo then.
    if (lesson && lesson === this.#panel.now) this.#panel.undo();
    else if (shown) void this.#photographs.open(shot);
  }

  #tell(text: string) {
    if (!text) this.#last = null;
    this.#text.textContent = text;
    this.#root.hidden = !text;
  }
}
