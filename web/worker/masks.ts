// Masks as files: PNG whose pixels are indices of classes, .npy of probabilities, and zip archives of them.

import { zipSync, type Zippable } from "fflate";
import { npyParts } from "../shared/npy";
import type { Entry, Masks } from "../shared/protocol";

/** The files of a photograph's masks; `name` is the photograph's without its ending, `png` the labels as a picture. */
export function filesOf(name: string, png: Uint8Array<ArrayBuffer>, { width, height, probabilities }: Masks): Entry[] {
  const labels = { name: `masks/${name}.png`, bytes: png };
  if (probabilities.length === 0) return [labels];
  const shape = [probabilities.length / (width * height), height, width];
  return [labels, { name: `probabilities/${name}.npy`, bytes: joined(npyParts({ shape, data: probabilities })) }];
}

/** A zip archive. PNG is compressed already, and probabilities hardly can be. */
export function zipped(files: readonly Entry[]): Uint8Array<ArrayBuffer> {
  const entries: Zippable = {};
  for (const { name, bytes } of files) entries[name] = [bytes, { level: /\.(png|npy)$/.test(name) ? 0 : 6 }];
  return zipSync(entries);
}

function joined(parts: readonly ArrayBufferView[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of parts) {
    out.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return out;
}
