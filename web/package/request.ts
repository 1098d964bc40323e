// Views in the engine's words.

import { tokenAt } from "../shared/patches";
import type { Calls, Encoded } from "../shared/protocol";
import { ModelError } from "./errors";
import { layerOf } from "./features";
import type { ModelInfo, ViewRequest } from "./types";

type Asked = Calls["view"]["given"]["request"];

/** The request of a view, once its photograph is encoded. Fails at once where the model has no such layer or head. */
export function requestOf(given: ViewRequest, { layers, heads }: ModelInfo): (encoded: Encoded) => Asked {
  const ofBlock = given.view === "attention" || given.view === "rollout";
  const layer = "layer" in given && given.layer !== undefined ? layerOf(given.layer, ofBlock ? 1 : 0, layers) : undefined;
  const head = given.view === "attention" && given.head !== undefined ? headOf(given.head, heads) : null;
  return (encoded) => {
    const token = "at" in given && given.at ? tokenOf(given.at, encoded) : null;
    // Attention is a block's, so that it always has one.
    const block = layer ?? layers;
    switch (given.view) {
      case "pca":
        return { view: "pca", layer, foreground: given.foreground ?? false, swap: given.swap ?? false, basis: "own" };
      case "similarity":
        return { view: "similarity", layer, token: token ?? 0, of: encoded.photo, centred: given.centred ?? false };
      case "attention":
        return { view: "attention", layer: block, token, head };
      case "rollout":
        return { view: "rollout", layer: block, token };
      case "clusters":
        return { view: "clusters", layer, k: given.k ?? 6 };
      case "norms":
        return { view: "norms", layer };
      default:
        return given;
    }
  };
}

function headOf(head: number, heads: number): number {
  if (!Number.isInteger(head) || head < 0 || head >= heads) throw new ModelError("input", `head ${head}: expected 0 to ${heads - 1}.`);
  return head;
}

/** The patch under a pixel. */
export function tokenOf([x, y]: readonly [number, number], encoded: Encoded): number {
  const [left, top, width, height] = encoded.region;
  const place = [(x - left) / width, (y - top) / height] as const;
  const token = place.every((part) => part >= 0 && part < 1) ? tokenAt(place, encoded) : null;
  if (token === null) throw new ModelError("input", `${x},${y}: the model did not see this pixel; it saw ${width} × ${height} from ${left},${top} on.`);
  return token;
}
