// Norms: the length of each patch's feature vector.

import type { ViewMap, ViewRequest } from "../../shared/protocol";
import { View, type Subject } from "./view";

export class Norms extends View {
  readonly title = "Norms";
  readonly about =
    "The length of each patch’s feature vector. Single bright patches are outliers, in which large models keep notes about the whole picture.";
  readonly opacity = 75;
  override readonly smooth = false;
  override readonly edges = "patches";

  request({ layer }: Subject): ViewRequest {
    return { view: "norms", layer };
  }

  describe(map: ViewMap, token: number): string {
    return `norm ${(map.data[token] ?? 0).toFixed(2)}`;
  }
}
