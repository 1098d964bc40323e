// Bounds for files that are read whole; src/budget holds those of the command line.

import { bytes } from "../shared/format";
import { spelled } from "../shared/spelled";

/** Largest `config.json`, in bytes. */
export const MOST_CONFIG = 4 << 20;

/** Largest taught head, in bytes: more than the most classes of a wide model take. */
export const MOST_HEAD = 256 << 20;

/** Largest photograph, in bytes: half of the module's memory that its pixels leave. */
export const MOST_PHOTO = 512 << 20;

/** The file, if it is within the bound; an error before any of it is read otherwise. */
export function bounded(file: File, most: number, what: string): File {
  if (file.size <= most) return file;
  throw new Error(`${spelled(file.name)}: ${bytes(file.size)}; ${what} may have ${bytes(most)} here.`);
}
