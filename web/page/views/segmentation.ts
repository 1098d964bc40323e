// Segmentation: the classes that the model's own head finds.

import type { ModelInfo, ViewMap, ViewRequest } from "../../shared/protocol";
import type { Place } from "../patches";
import { nameAt, View } from "./view";

export class Segmentation extends View {
  readonly title = "Materials";
  readonly about = "Materials, guessed by a small head trained on drawn scenes. Often wrong on photographs.";
  readonly opacity = 60;
  override readonly firstLayer = null;
  override readonly lacking = "This model has no head that names materials.";

  override unavailable({ classes }: ModelInfo): string | null {
    return classes > 0 ? null : "This model has no head that names materials. InternViT-Tiny has one, and you can teach your own.";
  }

  request(): ViewRequest {
    return { view: "segmentation" };
  }

  describe(map: ViewMap, _token: number, place: Place): string {
    return nameAt(map, place);
  }
}
