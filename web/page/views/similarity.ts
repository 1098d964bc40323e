// Similarity: the cosine of each patch's features with those of one patch, of the same photograph or another.

import type { ViewMap, ViewRequest } from "../../shared/protocol";
import { make, part } from "../dom";
import type { Light } from "../light";
import type { Shot } from "../shots";
import { ALIKE, alikeLight } from "../spot";
import { View, type Subject, type Surface } from "./view";

export class Similarity extends View {
  readonly title = "Find alike";
  override readonly hint = "point, and see";
  readonly about =
    "Move over the picture: what lights up is alike to the model. Click to pin; click again, or press Esc, to let go.";
  readonly opacity = 100;
  override readonly pointing = "hold";
  override readonly prompt = "Point anywhere.";
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
      make("option", { value: "", textContent: "this picture" }),
      ...others.map((one) => make("option", { value: String(one.encoding?.photo), textContent: one.file.name })),
    );
    this.#other.value = chosen;
    if (this.#other.selectedIndex < 0) this.#other.value = "";
  }

  override partner(shots: readonly Shot[]): Shot | null {
    return shots.find((shot) => shot.encoding && String(shot.encoding.photo) === this.#other.value) ?? null;
  }

  request({ layer, token, photo }: Subject): ViewRequest | null {
    return token === null ? null : { view: "similarity", layer, token, of: photo, centred: true };
  }

  override light(map: ViewMap): Light {
    return alikeLight(map.data, map.width, map.height, ALIKE, true);
  }

  describe(map: ViewMap, token: number): string {
    return `cosine ${(map.data[token] ?? 0).toFixed(3)}`;
  }
}
