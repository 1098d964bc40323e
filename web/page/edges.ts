// The choice of edges: those of the patches, smooth ones, or the photograph's.

import type { Edges } from "../shared/protocol";
import { part } from "./dom";

export class EdgeChoice {
  #chosen: Edges = "photograph";

  constructor(root: HTMLElement, onChoose: () => void) {
    for (const radio of part(root, "#edges", HTMLElement).querySelectorAll("input")) {
      radio.addEventListener("change", () => {
        this.#chosen = radio.value as Edges;
        onChoose();
      });
    }
  }

  /** The edges of a view that has `own` where nothing is chosen: a view of single patches keeps them. */
  of(own: Edges): Edges {
    return own === "patches" ? own : this.#chosen;
  }
}
