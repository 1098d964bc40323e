// NumPy's .npy format, version 1: magic word, header padded to 64 bytes, numbers.

import type { Tensor } from "./protocol";

/** The parts of a file that follow each other. */
export function npyParts({ shape, data }: Tensor): [Uint8Array<ArrayBuffer>, Float32Array<ArrayBuffer>] {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
  const magic = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, length & 255, length >> 8];
  return [new Uint8Array([...magic, ...new TextEncoder().encode(`${header.padEnd(length - 1)}\n`)]), data];
}
