// Words: how well each patch matches a text, as light.

import type { ModelInfo, ViewMap, ViewRequest } from "../../shared/protocol";
import type { Address } from "../address";
import { part } from "../dom";
import { percentileLight, type Light } from "../stage/light";
import { noTexts } from "./texts";
import { View, type Surface } from "./view";

/** Longest text, in characters. */
const MOST = 300;

export class Words extends View {
  readonly title = "Words";
  override readonly edges = "smooth";
  readonly about = "Write what you look for: where the picture matches it is lit. It is a hint, not an outline.";
  readonly opacity = 100;
  override readonly firstLayer = null;
  /** Its own light would be covered. */
  override readonly lights = false;
  override readonly prompt = "Write what to look for.";
  override readonly lacking = "Write what to look for first.";
  readonly #field: HTMLInputElement;
  #text = "";

  constructor(root: HTMLElement) {
    super();
    this.#field = part(root, "#words-text", HTMLInputElement);
  }

  override connect({ changed }: Surface) {
    this.#field.addEventListener("input", () => {
      this.#text = this.#field.value;
      changed();
    });
    // The address waits until the visitor has written.
    this.#field.addEventListener("change", changed);
  }

  override sync() {
    if (this.#field.value !== this.#text) this.#field.value = this.#text;
  }

  override read(address: Address) {
    this.#text = address.text("text").slice(0, MOST);
  }

  override write(address: URLSearchParams) {
    if (this.#text.trim()) address.set("text", this.#text.slice(0, MOST));
  }

  override unavailable({ texts }: ModelInfo): string | null {
    if (texts === "read") return null;
    return noTexts(texts) ?? "This model never learned words beside pictures. CLIP and SigLIP did: fetch one “with words” under Other models.";
  }

  request(): ViewRequest | null {
    const text = this.#text.trim();
    return text ? { view: "words", text } : null;
  }

  override light(map: ViewMap): Light {
    return percentileLight(map, map.data, 0.4, 0.99);
  }

  describe(map: ViewMap, token: number): string {
    return `cosine ${(map.data[token] ?? 0).toFixed(3)}`;
  }
}
