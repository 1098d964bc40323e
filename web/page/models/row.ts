// A row of the list of models: its state, its download, its buttons.

import { bytes, many, remaining } from "../../shared/format";
import type { Progress, StoredModel } from "../../shared/protocol";
import { spelled } from "../../shared/spelled";
import { make } from "../dom";
import { download, type Offer } from "./published";

/** Seconds over which the speed is averaged. */
const SPAN = 5;

export class Row {
  readonly name: string;
  readonly published: Offer | null;
  readonly item: HTMLLIElement;
  stored: StoredModel | null = null;
  /** The controller of the running download. */
  work: AbortController | null = null;
  fetching: Promise<void> | null = null;
  problem: string | null = null;
  /** Whether the download continues by itself when the connection is back. */
  interrupted = false;
  readonly #state = make("p", { className: "hint" });
  readonly #bar = make("progress", { hidden: true });
  readonly #note = make("p", { className: "note", hidden: true });
  readonly #main: HTMLButtonElement;
  readonly #other: HTMLButtonElement;
  /** Bytes and times of the last progress reports. */
  #past: [number, number][] = [];

  constructor(name: string, published: Offer | null, on: { main(): void; other(): void }) {
    this.name = name;
    this.published = published;
    this.#main = make("button", { type: "button", onclick: on.main });
    this.#other = make("button", { type: "button", onclick: on.other });
    this.#note.setAttribute("role", "alert");
    this.#bar.ariaLabel = `Download of ${name}`;
    this.item = make("li", {}, make("p", { className: "name", textContent: published ? name.replace(/^OpenGVLab\//, "") : spelled(name), title: spelled(name) }));
    if (published) {
      this.item.append(make("p", { className: "advice", textContent: published.advice }), make("p", { className: "hint", textContent: facts(published) }));
    }
    this.item.append(this.#state, this.#bar, this.#note, make("div", { className: "actions" }, this.#main, this.#other));
  }

  /** Puts in what there is to know of the model before it is fetched. */
  tell(fold: HTMLElement) {
    this.#state.before(fold);
  }

  begin() {
    this.problem = null;
    this.interrupted = false;
    this.#past = [];
    this.#bar.removeAttribute("value");
    this.#state.textContent = "Checking the file list …";
  }

  report({ stage, done, total }: Progress) {
    if (stage === "wait") {
      this.#state.textContent = "Another tab is fetching it; this one waits.";
      return;
    }
    const now = performance.now() / 1000;
    this.#past.push([done, now]);
    while (this.#past.length > 2 && now - (this.#past[0]?.[1] ?? now) > SPAN) this.#past.shift();
    const [before, then] = this.#past[0] ?? [done, now];
    const speed = (done - before) / (now - then);
    const rate = now - then > 0.5 && speed > 0 ? `, ${bytes(speed)}/s, ${remaining((total - done) / speed)} left` : "";
    this.#state.textContent = `${bytes(done)} of ${bytes(total)}${rate}`;
    this.#bar.value = done / total;
  }

  fail(error: unknown) {
    this.problem = error instanceof Error ? error.message : String(error);
    this.interrupted = error instanceof Error && error.name === "Passing";
  }

  draw(used: string | null) {
    const { name, stored, work, problem } = this;
    const verb = work ? "Pause" : stored?.complete ? "Use" : stored ? "Resume" : "Download";
    const inUse = verb === "Use" && used === name;
    label(this.#main, inUse ? "In use" : verb, name);
    this.#main.disabled = inUse;
    this.#other.hidden = !stored && !work && this.published !== null;
    label(this.#other, work ? "Cancel" : stored ? "Delete" : "Dismiss", name);
    this.#bar.hidden = !work;
    if (!work) {
      this.#state.textContent = !stored ? "" : stored.complete ? `${bytes(stored.bytes)}, stored` : `${bytes(stored.here)} of ${bytes(stored.bytes)} stored`;
    }
    this.#state.hidden = !this.#state.textContent;
    const said = problem && this.interrupted ? `${problem} The download continues when you are back online, or press ${verb}.` : problem ?? "";
    this.#note.hidden = !said;
    if (this.#note.textContent !== said) this.#note.textContent = said;
  }
}

/** Labels a button. Its accessible name contains the model, as all rows have the same buttons. */
function label(button: HTMLButtonElement, verb: string, name: string) {
  if (button.textContent !== verb) button.textContent = verb;
  button.ariaLabel = `${verb} ${name}`;
}

/** What there is to know of a model before it is fetched. */
export function facts(published: Offer): string {
  const { parameters, image, licence, gated, held } = published;
  const size = download(published);
  // The rest of the GPU's memory holds the features of a picture.
  const device = size < 2e9 ? "for most devices" : `for a GPU with ${8 * Math.ceil(size / 8e9)} GB`;
  const terms = gated ? `${licence}: accept it on its card, then give an access token below` : licence ?? "licence on its card";
  const needs = held
    ? `${bytes(held.int4)} of the device’s memory in 4 bits, ${bytes(held.int8)} in 8, ${bytes(held.f32)} in 32, and ${bytes(held.token)} more for each token of a conversation`
    : device;
  return `${many(parameters)} parameters, about ${bytes(size)}, ${image} px; ${needs}. ${terms}`;
}
