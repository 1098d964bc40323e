// Norms: the length of each patch's feature vector.

import { percentileLight, type Light } from "../stage/light";
import type { ViewMap, ViewRequest } from "../../shared/protocol";
import { View, type Subject } from "./view";

export class Norms extends View {
  readonly title = "Norms";
  readonly about =
    "Length of each patch’s features. Isolated bright patches are “registers”: large models store global notes there.";
  readonly opacity = 100;
  override readonly smooth = false;
  override readonly edges = "patches";

  request({ layer }: Subject): ViewRequest {
    return { view: "norms", layer };
  }

  override light(map: ViewMap): Light {
    return percentileLight(map, map.data, 0.3, 0.99);
  }

  describe(map: ViewMap, token: number): string {
    return `norm ${(map.data[token] ?? 0).toFixed(2)}`;
  }
}
