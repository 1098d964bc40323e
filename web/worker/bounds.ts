// Bounds for files that are read whole; src/budget holds those of the command line.

import { bytes } from "../shared/format";
import { spelled } from "../shared/spelled";

/** Largest `config.json`, in bytes. */
export const MOST_CONFIG = 4 << 20;

/** Largest taught head, in bytes: more than the most classes of a wide model take. */
export const MOST_HEAD = 256 << 20;

/** Largest file of a tokenizer, in bytes; the largest of the models here has 34 MB. */
export const MOST_WORDS = 128 << 20;

/** Largest photograph, in bytes: half of the module's memory that its pixels leave. */
export const MOST_PHOTO = 512 << 20;

/** What reads a file; the error names the file where the browser cannot read it. */
export async function reading<T>(name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DOMException) || !/^Not(Found|Readable)Error$/.test(error.name)) throw error;
    throw new Error(`${spelled(name)} cannot be read: it is a folder, or was moved, changed or deleted meanwhile. Choose it again; of a folder, choose the files.`);
  }
}

/** The file, if it is within the bound; an error before any of it is read otherwise. */
export function bounded(file: File, most: number, what: string): File {
  if (file.size <= most) return file;
  throw new Error(`${spelled(file.name)}: ${bytes(file.size)}; ${what} may have ${bytes(most)} here.`);
}
