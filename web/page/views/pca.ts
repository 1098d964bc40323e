// PCA: the three strongest directions of the features as red, green and blue.

import type { ModelInfo, ViewMap, ViewRequest } from "../../shared/protocol";
import type { Address } from "../address";
import { part } from "../dom";
import { TRANSPARENT, View, type Subject, type Surface } from "./view";

/** Colours that differ by no more in red, green and blue, of 255, are taken for the same. */
const ALIKE = 40;

export class Pca extends View {
  readonly title = "Features";
  override readonly hint = "colours of meaning";
  readonly about =
    "Same colour = same kind of thing to the model. (PCA: its three strongest directions as red, green, blue.)";
  readonly opacity = 100;
  override readonly lit = true;
  readonly #foreground: HTMLInputElement;
  readonly #swap: HTMLButtonElement;
  readonly #keep: HTMLInputElement;
  readonly #anew: HTMLButtonElement;
  #onlyForeground = false;
  /** Whether the other side is taken for the foreground. */
  #swapped = false;
  /** What the engine keeps the colours for, and what was asked for last; null for none. */
  #keptFor: string | null = null;
  #askedFor: string | null = null;

  constructor(root: HTMLElement) {
    super();
    this.#foreground = part(root, "#foreground", HTMLInputElement);
    this.#swap = part(root, "#swap", HTMLButtonElement);
    this.#keep = part(root, "#keep", HTMLInputElement);
    this.#anew = part(root, "[data-anew]", HTMLButtonElement);
  }

  override connect({ changed }: Surface) {
    this.#foreground.addEventListener("change", () => {
      this.#onlyForeground = this.#foreground.checked;
      changed();
    });
    this.#swap.addEventListener("click", () => {
      this.#swapped = !this.#swapped;
      changed();
    });
    const anew = () => {
      this.#keptFor = null;
      changed();
    };
    this.#keep.addEventListener("change", anew);
    this.#anew.addEventListener("click", anew);
  }

  override sync() {
    this.#foreground.checked = this.#onlyForeground;
    this.#swap.disabled = !this.#onlyForeground;
    this.#swap.ariaPressed = String(this.#swapped);
  }

  override read(address: Address) {
    this.#onlyForeground = address.has("foreground");
    this.#swapped = address.has("swap");
  }

  override write(address: URLSearchParams) {
    if (!this.#onlyForeground) return;
    address.set("foreground", "");
    if (this.#swapped) address.set("swap", "");
  }

  override fit(_model: ModelInfo) {
    this.#keptFor = null;
  }

  request({ layer, frame, guest }: Subject): ViewRequest {
    const settings = { layer, foreground: this.#onlyForeground, swap: this.#swapped };
    if (guest) return { view: "pca", ...settings, basis: "own" };
    // From frame to frame colours would flicker.
    this.#askedFor = this.#keep.checked ? "all" : frame ? JSON.stringify(settings) : null;
    const basis = this.#askedFor === null ? "own" : this.#askedFor === this.#keptFor ? "kept" : "keep";
    return { view: "pca", ...settings, basis };
  }

  override answered() {
    this.#keptFor = this.#askedFor ?? this.#keptFor;
  }

  override get shaded(): boolean {
    return this.#onlyForeground;
  }

  override colour({ rgba }: ViewMap, token: number): readonly number[] | null {
    const [red, green, blue, alpha] = rgba.subarray(4 * token, 4 * token + 4);
    return alpha ? [red ?? 0, green ?? 0, blue ?? 0] : null;
  }

  override unlinked(): string | null {
    return this.#keep.checked ? "the colours of other pictures" : null;
  }

  describe(map: ViewMap, token: number): string {
    const own = this.colour(map, token);
    if (!own) return this.#onlyForeground ? "background" : TRANSPARENT;
    const { rgba } = map;
    const near = (at: number, channel: number) => Math.abs((rgba[at + channel] ?? 0) - (own[channel] ?? 0)) <= ALIKE;
    let count = 0;
    // It runs at each move of the pointer.
    for (let at = 0; at < rgba.length; at += 4) if (rgba[at + 3] && near(at, 0) && near(at, 1) && near(at, 2)) count++;
    const percent = (400 * count) / rgba.length;
    return `this colour on ${percent < 1 ? "less than 1" : Math.round(percent)} % of the picture`;
  }
}
