// A question and its answer, as they are shown.

import type { Place, Saying } from "../shared/talk";
import { make } from "./dom";
import { markdown } from "./markdown";

export class Turn {
  readonly element: HTMLLIElement;
  readonly question: string;
  readonly photo: File | null;
  /** Where it begins in the conversation; null while it has no answer. */
  place: Place | null = null;
  readonly #answer = make("div", { className: "answer" });
  readonly #speed = make("span", { className: "hint" });
  /** When the first token was there, in milliseconds. */
  #start = 0;

  constructor(question: string, photo: File | null, actions: { edit(): void; again(): void }) {
    [this.question, this.photo] = [question, photo];
    const asked = make("p", { className: "asked", textContent: question });
    const button = (textContent: string, onclick: () => void) => make("button", { type: "button", className: "link", textContent, onclick });
    const line = make("p", { className: "line" }, this.#speed, button("Edit", actions.edit), button("Ask again", actions.again));
    this.element = make("li", {}, asked, this.#answer, line);
    if (photo) asked.title = photo.name;
  }

  /** Shows an answer so far, and answers with its speed in words. */
  tell({ text, tokens }: Saying): string {
    const now = performance.now();
    if (tokens <= 1) this.#start = now;
    this.#answer.replaceChildren(...markdown(text));
    const rate = tokens > 1 ? (1000 * (tokens - 1)) / Math.max(1, now - this.#start) : 0;
    const speed = `${tokens} tokens${rate > 0 ? `, ${rate.toFixed(rate < 10 ? 1 : 0)} a second` : ""}`;
    this.#speed.textContent = speed;
    return speed;
  }

  /** Tells that the answer was stopped. */
  stopped() {
    this.#speed.textContent = `${this.#speed.textContent ?? ""} Stopped.`.trim();
  }
}
