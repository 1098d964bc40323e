// Saves results as files.

import { make } from "./dom";
import { npyParts } from "../shared/npy";
import type { Tensor } from "../shared/protocol";

export function save(blob: Blob, name: string) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  // The browser reads the address only after this event.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A tensor as a .npy file. */
export function npy(tensor: Tensor): Blob {
  return new Blob(npyParts(tensor));
}

/** "cat.jpg" to "cat-features.png". */
export function named(photo: string, ending: string): string {
  return `${photo.replace(/\.[^.]+$/, "")}-${ending}`;
}

/** A name that every disk allows. */
export const fileName = (name: string) => name.replace(/[\\/:*?"<>|\p{Cc}]/gu, "_") || "_";

/** The same of a file, without its ending. */
export const stem = (name: string) => fileName(name.replace(/\.[^.]+$/, ""));
