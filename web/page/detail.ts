// The choice of detail: quick, fine or finest, with the cost named before it is chosen.

import type { Encoded } from "../shared/protocol";
import { part } from "./dom";

export type DetailName = "quick" | "fine" | "finest";

export class Detail {
  readonly #value: HTMLElement;
  readonly #cost: HTMLElement;
  readonly #radios: HTMLInputElement[];
  #chosen: DetailName = "fine";

  constructor(onChoose: () => void) {
    const root = part(document, "#detail", HTMLElement);
    this.#value = part(root, ".value", HTMLElement);
    this.#cost = part(root, "[data-cost]", HTMLElement);
    this.#radios = [...root.querySelectorAll("input")];
    for (const radio of this.#radios) {
      radio.addEventListener("change", () => {
        this.#chosen = radio.value as DetailName;
        onChoose();
      });
    }
    const asked = new URLSearchParams(location.search).get("detail");
    if (asked === "quick" || asked === "finest") this.#chosen = asked;
    this.#mark(false);
  }

  get chosen(): DetailName {
    return this.#chosen;
  }

  /** Names the patches of a photograph and the cost of the finest detail; `own` where the visitor has set a size. */
  show(encoded: Encoded | null, cost: string, own: boolean) {
    this.#value.textContent = encoded ? `${encoded.cols} × ${encoded.rows} patches` : "";
    this.#cost.textContent = cost ? `, ~${cost}` : "";
    this.#mark(own);
  }

  #mark(own: boolean) {
    for (const radio of this.#radios) radio.checked = !own && radio.value === this.#chosen;
  }
}
