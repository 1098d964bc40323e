// A question and its answer, as they are shown.

import type { Place, Saying } from "../../shared/talk";
import { boxesOf, type Box } from "./boxes";
import { make } from "../dom";
import { markdown } from "./markdown";
import { wordsOf, type Word } from "./said";

export interface TurnActions {
  edit(): void;
  again(): void;
  /** A word of the answer was chosen, or let go. */
  choose(word: number | null): void;
}

export class Turn {
  readonly element: HTMLLIElement;
  readonly question: string;
  readonly photo: File | null;
  /** Where it begins in the conversation. */
  readonly place: Place;
  readonly #answer = make("div", { className: "answer", tabIndex: 0, role: "group", ariaLabel: "Answer. The arrow keys choose a word." });
  readonly #list = make("ul", { className: "boxes", ariaLabel: "What is shown in the picture", hidden: true });
  readonly #speed = make("span", { className: "hint" });
  /** When the first token was there, in milliseconds. */
  #start = 0;
  #text = "";
  /** Where in the text each token ends. */
  readonly #ends: number[] = [];
  #words: Word[] = [];
  #boxes: Box[] = [];
  #chosen: number | null = null;
  /** The place of the answer's first token in the conversation. */
  #at = 0;

  constructor(question: string, photo: File | null, place: Place, actions: TurnActions) {
    [this.question, this.photo, this.place] = [question, photo, place];
    const asked = make("p", { className: "asked", textContent: question });
    const button = (textContent: string, onclick: () => void) => make("button", { type: "button", className: "link", textContent, onclick });
    const line = make("p", { className: "line" }, this.#speed, button("Edit", actions.edit), button("Ask again", actions.again));
    this.element = make("li", {}, asked, this.#answer, this.#list, line);
    if (photo) asked.title = photo.name;
    this.#connect(actions);
  }

  #connect({ choose }: TurnActions) {
    this.#answer.addEventListener("click", ({ target }) => {
      const number = target instanceof HTMLElement ? target.closest<HTMLElement>(".word")?.dataset.word : undefined;
      if (number === undefined || getSelection()?.toString()) return;
      choose(Number(number) === this.#chosen ? null : Number(number));
    });
    this.#answer.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (event.key === "Escape" && this.#chosen !== null) choose(null);
      if (step === 0 || this.#words.length === 0) return;
      event.preventDefault();
      choose(Math.min(this.#words.length - 1, Math.max(0, (this.#chosen ?? (step > 0 ? -1 : this.#words.length)) + step)));
    });
  }

  /** The words of its answer. */
  get words(): readonly Word[] {
    return this.#words;
  }

  /** What its answer shows in the picture. */
  get boxes(): readonly Box[] {
    return this.#boxes;
  }

  /** A word as it is written. */
  word(number: number): string {
    const word = this.#words[number];
    return word ? this.#text.slice(word.from, word.to) : "";
  }

  /** The places of a word's tokens in the conversation. */
  tokens(number: number): { first: number; end: number } | null {
    const word = this.#words[number];
    return word ? { first: this.#at + word.first, end: this.#at + word.end } : null;
  }

  /** Shows an answer so far, and answers with its speed in words. */
  tell({ text, tokens, at }: Saying): string {
    const now = performance.now();
    if (tokens <= 1) this.#start = now;
    [this.#text, this.#at] = [text, at];
    while (this.#ends.length < tokens) this.#ends.push(text.length);
    this.#words = wordsOf(text, this.#ends);
    this.#answer.replaceChildren(...markdown(text, (piece, from) => this.#write(piece, from)));
    this.#showBoxes();
    const rate = tokens > 1 ? (1000 * (tokens - 1)) / Math.max(1, now - this.#start) : 0;
    const speed = `${tokens} tokens${rate > 0 ? `, ${rate.toFixed(rate < 10 ? 1 : 0)} a second` : ""}`;
    this.#speed.textContent = speed;
    return speed;
  }

  /** A piece of the text, with its words as elements. */
  #write(piece: string, from: number): Node[] {
    const nodes: Node[] = [];
    let done = from;
    const until = (to: number) => to > done && nodes.push(document.createTextNode(piece.slice(done - from, to - from)));
    for (const [number, word] of this.#words.entries()) {
      const [start, end] = [Math.max(word.from, from), Math.min(word.to, from + piece.length)];
      if (start >= end) continue;
      until(start);
      const span = make("span", { className: "word", textContent: piece.slice(start - from, end - from) });
      span.dataset.word = String(number);
      if (number === this.#chosen) span.ariaCurrent = "true";
      nodes.push(span);
      done = end;
    }
    until(from + piece.length);
    return nodes;
  }

  #showBoxes() {
    this.#boxes = boxesOf(this.#text);
    this.#list.hidden = this.#boxes.length === 0;
    this.#list.replaceChildren(...this.#boxes.map(({ name, colour }) => {
      const dot = make("span", { className: "dot", ariaHidden: "true" });
      dot.style.background = `rgb(${colour.join(" ")})`;
      return make("li", {}, dot, document.createTextNode(name));
    }));
  }

  /** Marks the chosen word. */
  mark(number: number | null) {
    this.#chosen = number;
    for (const span of this.#answer.querySelectorAll<HTMLElement>(".word")) span.ariaCurrent = span.dataset.word === String(number) ? "true" : null;
  }

  /** Shades each word by a part from 0 to 1; null takes the shade away. */
  shade(parts: readonly number[] | null) {
    for (const span of this.#answer.querySelectorAll<HTMLElement>(".word")) {
      const part = parts?.[Number(span.dataset.word)] ?? 0;
      span.style.setProperty("--looked", part.toFixed(3));
    }
    this.#answer.toggleAttribute("data-shaded", parts !== null);
  }

  /** Tells that the answer was stopped, and why where nobody wanted it. */
  stopped(why = "") {
    this.#speed.textContent = `${this.#speed.textContent ?? ""} Stopped${why ? `: ${why}` : "."}`.trim();
  }
}
