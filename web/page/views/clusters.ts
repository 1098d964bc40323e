// Clusters: k-means of the features' directions.

import type { ViewMap, ViewRequest } from "../../shared/protocol";
import type { Address } from "../address";
import { part } from "../dom";
import type { Place } from "../../shared/patches";
import { nameAt, View, type Subject, type Surface } from "./view";

/** The number of clusters to begin with. */
const USUAL = 6;

export class Clusters extends View {
  readonly title = "Group";
  override readonly hint = "parts, unasked";
  readonly about = "Groups the model would make by itself (k-means on feature direction).";
  readonly opacity = 70;
  override readonly smooth = false;
  override readonly outlines = true;
  readonly #slider: HTMLInputElement;
  readonly #name: HTMLElement;
  #count = USUAL;

  constructor(root: HTMLElement) {
    super();
    this.#slider = part(root, "#clusters", HTMLInputElement);
    this.#name = part(root, "#clusters-name", HTMLElement);
  }

  override connect({ changed }: Surface) {
    this.#slider.addEventListener("input", () => {
      this.#count = this.#slider.valueAsNumber;
      changed();
    });
  }

  override sync() {
    this.#slider.valueAsNumber = this.#count;
    this.#name.textContent = String(this.#count);
  }

  override read(address: Address) {
    this.#count = address.whole("clusters", 2, 16) ?? USUAL;
  }

  override write(address: URLSearchParams) {
    if (this.#count !== USUAL) address.set("clusters", String(this.#count));
  }

  request({ layer }: Subject): ViewRequest {
    return { view: "clusters", layer, k: this.#count };
  }

  /** The groups go by the view's own word. */
  override async map(...given: Parameters<View["map"]>): Promise<ViewMap | null> {
    const map = await super.map(...given);
    return map && { ...map, names: map.names.map((_, at) => `Group ${at + 1}`) };
  }

  describe(map: ViewMap, _token: number, place: Place): string {
    return nameAt(map, place);
  }
}
