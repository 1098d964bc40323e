// How a lesson is learned: the method, the layers, smoothing and the least size of a part.

import { part } from "../dom";
import type { Depth, Method } from "./lesson";

/** Most pixels of a least part. */
const MOST = 100_000;

export class MethodForm {
  readonly #kind: HTMLSelectElement;
  readonly #depth: HTMLSelectElement;
  readonly #smooth: HTMLInputElement;
  readonly #smoothName: HTMLElement;
  readonly #least: HTMLInputElement;

  constructor(root: HTMLElement, onChange: (method: Method) => void) {
    this.#kind = part(root, "#method", HTMLSelectElement);
    this.#depth = part(root, "#depth", HTMLSelectElement);
    this.#smooth = part(root, "#smooth", HTMLInputElement);
    this.#smoothName = part(root, "#smooth-name", HTMLElement);
    this.#least = part(root, "#least", HTMLInputElement);
    for (const control of [this.#kind, this.#depth, this.#smooth, this.#least]) control.addEventListener("change", () => onChange(this.#read()));
    this.#smooth.addEventListener("input", () => this.#tell());
  }

  show({ kind, depth, smooth, least }: Method) {
    this.#kind.value = kind;
    this.#depth.value = depth;
    this.#smooth.valueAsNumber = smooth;
    this.#least.valueAsNumber = least;
    this.#tell();
  }

  #read(): Method {
    const least = Math.round(this.#least.valueAsNumber || 0);
    return {
      kind: (["linear", "mlp"] satisfies Method["kind"][]).find((kind) => kind === this.#kind.value) ?? "walk",
      depth: (["two", "last", "three"] satisfies Depth[]).find((depth) => depth === this.#depth.value) ?? "two",
      smooth: this.#smooth.valueAsNumber,
      least: Math.min(MOST, Math.max(0, least)),
    };
  }

  #tell() {
    const { value } = this.#smooth;
    const text = value === "0" ? "none" : `${value} ‰`;
    this.#smoothName.textContent = text;
    this.#smooth.setAttribute("aria-valuetext", text);
  }
}
