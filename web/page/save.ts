// Saves results as files.

import { make } from "./dom";
import type { Tensor } from "../shared/protocol";

export function save(blob: Blob, name: string) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  // The browser reads the address only after this event.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A tensor in NumPy's .npy format, version 1: magic word, header padded to 64 bytes, numbers. */
export function npy({ shape, data }: Tensor): Blob {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
  const start = new Uint8Array([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, length & 255, length >> 8]);
  return new Blob([start, `${header.padEnd(length - 1)}\n`, data]);
}

/** "cat.jpg" to "cat-features.png". */
export function named(photo: string, ending: string): string {
  return `${photo.replace(/\.[^.]+$/, "")}-${ending}`;
}
