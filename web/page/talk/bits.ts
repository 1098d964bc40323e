// How many bits the weights of a model that speaks get where nobody has chosen.

import type { Dtype } from "../../shared/protocol";

/** Bytes of files beyond which 32 bits a weight would take more of a page's memory than it should. */
const LARGE = 500e6;

/** The precision for files of so many bytes: 32 bits for exact answers, of large models 8, which answer sooner too. */
export function bitsFor(asked: string, size: number): Dtype {
  if (asked !== "auto") return asked as Dtype;
  return size > LARGE ? "int8" : "f32";
}
