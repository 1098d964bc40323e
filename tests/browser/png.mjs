// Reads the PNGs of masks.
import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";

/** An indexed PNG: its size, its palette and its indices. */
export function indices(bytes) {
  const view = Buffer.from(bytes);
  const [width, height] = [view.readUInt32BE(16), view.readUInt32BE(20)];
  assert.deepEqual([...view.subarray(24, 26)], [8, 3], "eight bits, with a palette");
  const parts = {};
  for (let at = 8; at < view.length;) {
    const length = view.readUInt32BE(at);
    parts[view.toString("latin1", at + 4, at + 8)] = view.subarray(at + 8, at + 8 + length);
    at += 12 + length;
  }
  const rows = inflateSync(parts.IDAT);
  const pixels = Array.from({ length: width * height }, (_, i) => rows[Math.floor(i / width) * (width + 1) + 1 + (i % width)]);
  return { width, height, pixels, palette: [...parts.PLTE] };
}
