// What tells models apart, also those of one shape and one name.

import { Sha256 } from "#internvit";
import type { ModelFiles } from "../shared/protocol";

/** Bytes of a file up to which all of it counts; of a larger one so many pieces of this length, evenly spread. */
const [WHOLE, PIECES, PIECE] = [32 << 20, 256, 1 << 16];

/** A digest of a model's configuration and of its weights: training changes them everywhere. */
export async function fingerprint({ config, processor, preprocessor, files }: ModelFiles): Promise<string> {
  const digest = new Sha256();
  digest.update(new TextEncoder().encode(JSON.stringify([config, processor, preprocessor, files.map(({ name, blob }) => [name, blob.size])])));
  for (const { blob } of files) {
    const large = blob.size > WHOLE;
    const [step, length] = large ? [Math.floor((blob.size - PIECE) / (PIECES - 1)), PIECE] : [1 << 20, 1 << 20];
    for (let at = 0; at < blob.size; at += step) digest.update(new Uint8Array(await blob.slice(at, at + length).arrayBuffer()));
  }
  return digest.hex();
}
