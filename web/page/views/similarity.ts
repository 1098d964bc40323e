// Similarity: the cosine of each patch's features with those of one patch, of the same photograph or another.

import type { ViewMap, ViewRequest } from "../../shared/protocol";
import { make, part } from "../dom";
import type { Shot } from "../shots";
import { View, type Subject, type Surface } from "./view";

export class Similarity extends View {
  readonly title = "Similarity";
  readonly about =
    "Bright patches resemble the one you point at, by the cosine of their features. Click a patch to hold it and point at others to read their cosines with it; click it again, or press Esc, to let it go.";
  readonly opacity = 75;
  override readonly pointing = "hold";
  override readonly prompt = "Point at a patch of the picture.";
  override readonly lacking = "Click a patch of the picture first.";
  readonly #other: HTMLSelectElement;

  constructor(root: HTMLElement) {
    super();
    this.#other = part(root, "#other", HTMLSelectElement);
  }

  override connect({ changed }: Surface) {
    this.#other.addEventListener("change", changed);
  }

  override fitShots(shot: Shot, shots: readonly Shot[]) {
    const chosen = this.#other.value;
    const others = shots.filter((one) => one !== shot && one.encoding);
    this.#other.replaceChildren(
      make("option", { value: "", textContent: "this photograph" }),
      ...others.map((one) => make("option", { value: String(one.encoding?.photo), textContent: one.file.name })),
    );
    this.#other.value = chosen;
    if (this.#other.selectedIndex < 0) this.#other.value = "";
  }

  override partner(shots: readonly Shot[]): Shot | null {
    return shots.find((shot) => shot.encoding && String(shot.encoding.photo) === this.#other.value) ?? null;
  }

  request({ layer, token, photo }: Subject): ViewRequest | null {
    return token === null ? null : { view: "similarity", layer, token, of: photo };
  }

  describe(map: ViewMap, token: number): string {
    return `cosine ${(map.data[token] ?? 0).toFixed(3)}`;
  }
}
