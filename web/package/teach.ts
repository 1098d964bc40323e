// A lesson of points on photographs.

import type { Lesson } from "../shared/protocol";
import { number, string, words } from "../shared/shape";
import { ModelError } from "./errors";
import { callOptions, insist, optionsOf, photo as photograph, pixel, side } from "./options";
import type { CallOptions, Head, Photo, Teach } from "./types";

/** A pixel `[x, y]` of a photograph, and its class. */
export interface Point {
  name: string;
  at: readonly [number, number];
}

/** What is to be learned. */
export interface Asked {
  photos: readonly { photo: Photo; points: readonly Point[] }[];
  /** As they were named; the method's own where there are none. */
  layers: readonly number[];
  method: NonNullable<Lesson["method"]>;
  size: number | undefined;
}

export class PointLesson implements Teach {
  readonly #photos: { photo: Photo; points: Point[] }[];
  readonly #layers: number[] = [];
  readonly #learn: (asked: Asked, options: CallOptions) => Promise<Head>;
  #method: Asked["method"] = "walk";
  #size: number | undefined;

  constructor(photo: Photo, learn: (asked: Asked, options: CallOptions) => Promise<Head>) {
    this.#photos = [{ photo, points: [] }];
    this.#learn = learn;
  }

  photo(photo: Photo): this {
    this.#photos.push({ photo, points: [] });
    return this;
  }

  point(name: string, at: readonly [number, number]): this {
    this.#photos.at(-1)?.points.push({ name, at });
    return this;
  }

  layer(layer: number): this {
    this.#layers.push(layer);
    return this;
  }

  method(method: Asked["method"]): this {
    this.#method = method;
    return this;
  }

  size(pixels: number): this {
    this.#size = pixels;
    return this;
  }

  async fit(given?: CallOptions): Promise<Head> {
    const options = optionsOf(callOptions, given, "fit");
    this.#insist();
    const classes = new Set(this.#photos.flatMap(({ points }) => points.map(({ name }) => name)));
    if (classes.size < 2) throw new ModelError("input", "Points of at least two classes are needed.");
    return this.#learn({ photos: this.#photos, layers: this.#layers, method: this.#method, size: this.#size }, options);
  }

  /** Fails where something that was named has another type. */
  #insist() {
    for (const { photo, points } of this.#photos) {
      insist(photograph, photo, "teach.photo");
      for (const { name, at } of points) {
        insist(string, name, "point.name");
        insist(pixel, at, "point.at");
      }
    }
    for (const layer of this.#layers) insist(number, layer, "layer");
    insist(words("walk", "linear", "mlp"), this.#method, "method");
    insist(side, this.#size, "size");
  }
}

/** The layers that a method learns from, of `last`: for a walk the one after two thirds too, where features still lie near edges. */
export function usualLayers(method: Asked["method"], last: number): number[] {
  return method === "walk" ? [...new Set([Math.ceil((2 * last) / 3), last])] : [last];
}
