// Segmentation: the classes that the model's own head finds.

import type { ModelInfo, ViewMap, ViewRequest } from "../../shared/protocol";
import type { Place } from "../patches";
import { nameAt, View } from "./view";

export class Segmentation extends View {
  readonly title = "Segmentation";
  readonly about = "What the model’s own segmentation head calls each part of the picture.";
  readonly opacity = 60;
  override readonly firstLayer = null;
  override readonly lacking = "This model has no segmentation head.";

  override unavailable({ classes }: ModelInfo): string | null {
    return classes > 0 ? null : "This model has no segmentation head. The bundled one has, and you can teach one of your own.";
  }

  request(): ViewRequest {
    return { view: "segmentation" };
  }

  describe(map: ViewMap, _token: number, place: Place): string {
    return nameAt(map, place);
  }
}
