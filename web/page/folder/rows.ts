// What is known of a folder's photographs, kept in this browser: a folder that is opened again goes on where it was.

import type { Embedded } from "../../shared/folder";
import { Database } from "../../shared/database";

export interface KeptRow {
  embedded: Embedded;
  /** A small picture as JPEG; null where the browser cannot read the photograph. */
  thumbnail: Blob | null;
}

const ROWS = "rows";

export class Rows {
  readonly #database = new Database("internvit-folder", [ROWS]);

  async get(key: string): Promise<KeptRow | null> {
    return ((await this.#database.get(ROWS, key)) as KeptRow | undefined) ?? null;
  }

  keep(key: string, row: KeptRow): Promise<void> {
    return this.#database.put(ROWS, key, row);
  }

  clear(): Promise<void> {
    return this.#database.clear();
  }
}

/** What tells whether a photograph is the same, by the same model. */
export const keyOf = (model: string, path: string, { size, lastModified }: File) => [model, path, size, lastModified].join("\n");
