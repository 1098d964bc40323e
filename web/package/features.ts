// Features of a photograph, from the tensors that the engine answers with.

import type { Encoded, Tensor as Answer } from "../shared/protocol";
import { mean, unit } from "../shared/vectors";
import { ModelError } from "./errors";
import type { Features, LookOptions, Tensor, View, ViewName, ViewRequest } from "./types";

/** The layer of a number that may count from the end. */
export function layerOf(layer: number, first: number, last: number): number {
  const place = Number.isInteger(layer) && layer < 0 ? last + 1 + layer : layer;
  if (!Number.isInteger(layer) || place < first || place > last) throw new ModelError("input", `layer ${String(layer)}: expected ${first} to ${last}, or from -1 on backwards.`);
  return place;
}

/** What the engine answers with: `compared` is what the model compares with texts, where it does. */
interface Answers {
  last: Answer;
  pooled: Answer | null;
  compared: Answer | null;
  hidden: ReadonlyMap<number, Answer>;
}

export class PhotoFeatures implements Features {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly region: Features["region"];
  readonly grid: Features["grid"];
  readonly pooled: Float32Array;
  readonly embedding: Float32Array;
  readonly look: Features["look"];
  readonly #last: Answer;
  readonly #layers: number;
  readonly #hidden: ReadonlyMap<number, Answer>;

  constructor(
    name: string, { width, height, region, rows, cols }: Encoded, layers: number, { last, pooled, compared, hidden }: Answers,
    look: (view: ViewName | ViewRequest, options?: LookOptions) => Promise<View>,
  ) {
    [this.name, this.width, this.height, this.region, this.grid, this.look] = [name, width, height, region, [rows, cols], look];
    [this.#layers, this.#last, this.#hidden] = [layers, last, hidden];
    this.pooled = pooled?.data ?? mean(this.patches.data, channelsOf(last));
    this.embedding = compared ? unit(compared.data) : this.pooled;
  }

  get cls(): Float32Array {
    const { shape: [tokens = 0, channels], data } = this.prefix;
    return tokens > 0 ? data.subarray(0, channels) : this.pooled;
  }

  get patches(): Tensor {
    return this.#patches(this.#last);
  }

  get prefix(): Tensor {
    const channels = channelsOf(this.#last);
    const { data } = this.#last;
    return { shape: [this.#before(this.#last), channels], data: data.subarray(0, this.#before(this.#last) * channels) };
  }

  hidden(layer: number): Tensor {
    const found = this.#hidden.get(layerOf(layer, 0, this.#layers));
    if (found) return this.#patches(found);
    const asked = [...this.#hidden.keys()].join(", ") || "none";
    throw new ModelError("input", `layer ${layer}: asked for were ${asked}. Name it in features(photo, { layers: [${layer}] }).`);
  }

  #patches(answer: Answer): Tensor {
    const channels = channelsOf(answer);
    return { shape: [...this.grid, channels], data: answer.data.subarray(this.#before(answer) * channels) };
  }

  /** Tokens before the patches. */
  #before({ data, shape }: Answer): number {
    return data.length / (shape.at(-1) ?? 1) - this.grid[0] * this.grid[1];
  }
}

const channelsOf = ({ shape }: Answer) => shape.at(-1) ?? 0;
