// What a model looked at: the word that is chosen, in which layer and by which head, and the words that looked at a place.

import type { Place as Point } from "../../shared/patches";
import type { Looked } from "../../shared/talk";
import { make, part } from "../dom";
import type { Speaker } from "./speaker";
import type { Turn } from "./turn";

export class Looking {
  readonly #root: HTMLElement;
  readonly #speaker: Speaker;
  readonly #live: HTMLInputElement;
  readonly #layer: HTMLSelectElement;
  readonly #head: HTMLSelectElement;
  readonly #said: HTMLElement;
  readonly #changed: () => void;
  #chosen: { turn: Turn; word: number; live: boolean } | null = null;
  /** What is known already. */
  #known = new WeakMap<Turn, Map<string, Looked>>();
  /** The shading that is being made. */
  #shading: { turn: Turn; stop: AbortController } | null = null;

  /** `changed` draws the picture anew. */
  constructor(root: HTMLElement, speaker: Speaker, changed: () => void) {
    [this.#root, this.#speaker, this.#changed] = [root, speaker, changed];
    this.#live = part(root, "#talk-live", HTMLInputElement);
    this.#layer = part(root, "#talk-layer", HTMLSelectElement);
    this.#head = part(root, "#talk-head", HTMLSelectElement);
    this.#said = part(root, "[data-looked]", HTMLElement);
    for (const control of [this.#layer, this.#head]) control.addEventListener("change", changed);
  }

  /** Whether each token is shown while it is written. */
  get live(): boolean {
    return this.#live.checked;
  }

  /** Offers the layers and heads of a model. */
  fit(layers: number, heads: number) {
    const options = (all: string, count: number, first: number) => [
      make("option", { value: "", textContent: all }),
      ...Array.from({ length: count }, (_, at) => make("option", { value: String(at + first), textContent: String(at + 1) })),
    ];
    this.#layer.replaceChildren(...options("all", layers, 1));
    this.#head.replaceChildren(...options("mean of all", heads, 0));
    part(this.#root, "[data-looking]", HTMLElement).hidden = false;
  }

  /** Chooses a word, or lets it go; `live` shows its last token alone, which is known at once. */
  choose(turn: Turn | null, word: number | null, live = false) {
    this.#chosen?.turn.mark(null);
    this.#chosen = turn && word !== null ? { turn, word, live } : null;
    this.#chosen?.turn.mark(word);
    if (!this.#chosen) this.#said.textContent = "";
    this.#changed();
  }

  /** A turn is gone. */
  forget(turn: Turn) {
    if (this.#chosen?.turn === turn) this.choose(null, null);
    if (this.#shading?.turn === turn) this.#shading.stop.abort();
  }

  /** What the chosen word looked at of a photograph; null for nothing. */
  async look(photo: File): Promise<Looked | null> {
    const chosen = this.#chosen;
    const found = chosen && (await this.#find(chosen.turn, chosen.word, photo, chosen.live));
    if (!chosen || chosen !== this.#chosen) return null;
    const percent = (100 * (found?.values.reduce((sum, value) => sum + value, 0) ?? 0)).toPrecision(2);
    this.#said.textContent = found
      ? `“${chosen.turn.word(chosen.word)}”: ${percent} % of its attention went to this picture, the rest to words.`
      : "This picture is not part of the conversation yet.";
    return found;
  }

  async #find(turn: Turn, word: number, photo: File, live = false): Promise<Looked | null> {
    const [tokens, number] = [turn.tokens(word), this.#speaker.numberOf(photo)];
    if (!tokens || number === null) return null;
    const first = live ? tokens.end - 1 : tokens.first;
    const [layer, head] = [this.#layer.value, this.#head.value].map((value) => (value === "" ? null : Number(value))) as [number | null, number | null];
    const known = this.#known.get(turn) ?? new Map<string, Looked>();
    this.#known.set(turn, known);
    const key = [first, tokens.end, layer, head, number].join(" ");
    const found = known.get(key) ?? (await this.#speaker.look({ first, end: tokens.end, photo: number, layer, head }));
    if (found) known.set(key, found);
    return found;
  }

  /** Shades the words of a turn by how much each looked at a place of a photograph; none without a place. */
  async shade(turn: Turn | null, photo: File, at: Point | null) {
    const before = this.#shading;
    before?.stop.abort();
    this.#shading = null;
    if (before && (before.turn !== turn || !at)) before.turn.shade(null);
    if (!turn || !at || this.#speaker.numberOf(photo) === null) return;
    const stop = new AbortController();
    this.#shading = { turn, stop };
    const values: number[] = [];
    for (const word of turn.words.keys()) {
      const found = await this.#find(turn, word, photo);
      if (stop.signal.aborted || !found) return;
      values.push(valueAt(found, at));
      // The first words are seen while the others are asked for.
      const most = Math.max(...values, 1e-9);
      turn.shade(values.map((value) => value / most));
    }
  }
}

/** The value of a map at a place of the photograph. */
export function valueAt({ rows, cols, values }: Looked, [x, y]: Point): number {
  const [row, col] = [Math.min(rows - 1, Math.floor(y * rows)), Math.min(cols - 1, Math.floor(x * cols))];
  return values[row * cols + col] ?? 0;
}
