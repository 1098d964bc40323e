// How long files may be that are read whole, as src/budget.rs says of the command line's.

import { bytes } from "../shared/format";
import { spelled } from "../shared/spelled";

/** Of a `config.json`. */
export const MOST_CONFIG = 4 << 20;

/** Of a taught head: the most classes of a wide model take less. */
export const MOST_HEAD = 256 << 20;

/** Of a photograph: half of what the module's memory may hold beside its pixels. */
export const MOST_PHOTO = 512 << 20;

/** The file, where it is no longer than that; before any of it is read. */
export function bounded(file: File, most: number, what: string): File {
  if (file.size <= most) return file;
  throw new Error(`${spelled(file.name)}: ${bytes(file.size)}; ${what} may have ${bytes(most)} here.`);
}
