// Segmentation: the classes that the model's own head finds, as a guess.

import type { ModelInfo, ViewMap, ViewRequest } from "../../shared/protocol";
import type { Place } from "../../shared/patches";
import { nameAt, View } from "./view";

/** Part of the picture, in percent, from which on a class is named. */
const LEAST = 1;

export class Segmentation extends View {
  readonly title = "Materials";
  readonly about = "A guess: what the model’s own head calls each part. InternViT-Tiny learned materials from drawn scenes; on photographs it is often wrong.";
  readonly opacity = 60;
  override readonly firstLayer = null;
  override readonly lacking = "This model has no head that names materials.";

  override unavailable({ classes }: ModelInfo): string | null {
    return classes > 0 ? null : "This model has no head that names materials. InternViT-Tiny has one, and you can teach your own.";
  }

  request(): ViewRequest {
    return { view: "segmentation" };
  }

  override note(map: ViewMap): string {
    const all = sureness(map);
    return all.length > 0 ? `A guess, ${percent(all.reduce((sum, sure) => sum + sure, 0) / all.length)} sure on average:` : "";
  }

  /** A word is asked, not claimed, with how sure the head is where it says it; what is small says little. */
  override entry(map: ViewMap, index: number): { name: string; count: string } | null {
    if ((map.shares[index] ?? 0) < LEAST) return null;
    return { name: `${map.names[index] ?? ""}?`, count: `${percent(surenessOf(map, index))} sure` };
  }

  describe(map: ViewMap, _token: number, place: Place): string {
    const name = nameAt(map, place);
    const [, , height = 0, width = 0] = map.shape;
    const sure = sureness(map)[Math.floor(place[1] * height) * width + Math.floor(place[0] * width)];
    return name && sure !== undefined ? `perhaps ${name}, ${percent(sure)} sure` : name;
  }
}

/** The probability of the most probable class in each cell, of the head's scores `[1, classes, height, width]`. */
function sureness({ data, shape: [, classes = 0, height = 0, width = 0] }: ViewMap): Float32Array {
  const area = height * width;
  return new Float32Array(area).map((_, at) => {
    const scores = Array.from({ length: classes }, (_, index) => data[index * area + at] ?? 0);
    const most = Math.max(...scores);
    return 1 / scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
  });
}

/** How sure it is of a class, on average over the cells to which it gives that. */
function surenessOf(map: ViewMap, index: number): number {
  const { data, shape: [, classes = 0, height = 0, width = 0] } = map;
  const all = sureness(map);
  const area = height * width;
  const own = [...all].filter((_, at) => Array.from({ length: classes }, (_, other) => data[other * area + at] ?? 0).every((score) => score <= (data[index * area + at] ?? 0)));
  return own.reduce((sum, sure) => sum + sure, 0) / Math.max(1, own.length);
}

const percent = (part: number) => `${Math.round(100 * part)} %`;
