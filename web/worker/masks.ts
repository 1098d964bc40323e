// Masks as files: PNG whose pixels are indices of classes, .npy of probabilities, and zip archives of them.

import { strToU8, zipSync, zlibSync, type Zippable } from "fflate";
import { npyParts } from "../shared/npy";
import type { Entry, Masks } from "../shared/protocol";

/** The first bytes of every PNG. */
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Eight bits a pixel, an index of a palette. */
const [DEPTH, INDEXED] = [8, 3];
/** The polynomial of PNG's checksum, CRC-32. */
const POLYNOMIAL = 0xedb88320;

/** The files of a photograph's masks; `name` is the photograph's without its ending. */
export function filesOf(name: string, masks: Masks, palette: readonly (readonly number[])[]): Entry[] {
  const { width, height, probabilities } = masks;
  const png = { name: `masks/${name}.png`, bytes: indexed(masks, palette) };
  if (probabilities.length === 0) return [png];
  const shape = [probabilities.length / (width * height), height, width];
  return [png, { name: `probabilities/${name}.npy`, bytes: joined(npyParts({ shape, data: probabilities })) }];
}

/** A zip archive. PNG is compressed already, and probabilities hardly can be. */
export function zipped(files: readonly Entry[]): Uint8Array<ArrayBuffer> {
  const entries: Zippable = {};
  for (const { name, bytes } of files) entries[name] = [bytes, { level: /\.(png|npy)$/.test(name) ? 0 : 6 }];
  return zipSync(entries);
}

/** A PNG whose pixels are indices of a palette. */
export function indexed({ width, height, labels }: Pick<Masks, "width" | "height" | "labels">, palette: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  // Before each row stands its filter: none.
  const rows = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) rows.set(labels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const header = joined([words(width, height), new Uint8Array([DEPTH, INDEXED, 0, 0, 0])]);
  const colours = new Uint8Array(palette.slice(0, 256).flat());
  return joined([
    new Uint8Array(SIGNATURE), chunk("IHDR", header), chunk("PLTE", colours), chunk("IDAT", zlibSync(rows)), chunk("IEND", new Uint8Array()),
  ]);
}

/** A chunk: its length, its kind, its bytes, and the checksum of the last two. */
function chunk(kind: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const body = joined([strToU8(kind), bytes]);
  return joined([words(bytes.length), body, words(checksum(body))]);
}

function words(...values: number[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  for (const [at, value] of values.entries()) view.setUint32(4 * at, value);
  return new Uint8Array(view.buffer);
}

function checksum(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
  }
  return (sum ^ 0xffffffff) >>> 0;
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
