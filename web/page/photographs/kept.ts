// Lessons and pictures that the browser keeps between visits, in IndexedDB.

import { Database } from "../../shared/database";
import { keptKernels } from "../../shared/kernels";
import type { Place } from "../../shared/patches";
import type { Spread } from "../../shared/protocol";
import type { ClassOf, Imported, Method } from "../teach/lesson";

/** A trace as it is kept: its picture by a key. */
export interface KeptTrace {
  picture: string;
  path: readonly Place[];
  radius: number;
  class: number;
}

/** A lesson as it is kept. */
export interface KeptLesson {
  classes: readonly ClassOf[];
  traces: readonly KeptTrace[];
  method: Method;
  /** Lessons that were kept by earlier versions have none. */
  head?: Imported | null;
  /** Keys of pictures, in the order of the strip; the one on the stage. */
  pictures: readonly string[];
  shown: string;
}

/** Features of a picture's places by one model. */
export interface KeptVectors {
  model: string;
  places: readonly (readonly [string, number])[];
  columns: readonly Float32Array<ArrayBuffer>[];
  /** Earlier versions kept none. */
  spread?: Spread | null;
}

const [LESSON, PICTURES, VECTORS] = ["lesson", "pictures", "vectors"] as const;

/** The only key of the store of lessons. */
const NOW = "now";

export class Kept {
  readonly #database = new Database("internvit", [LESSON, PICTURES, VECTORS]);

  /** The lesson of the last visit; null where there is none. */
  async lesson(): Promise<KeptLesson | null> {
    return ((await this.#database.get(LESSON, NOW)) as KeptLesson | undefined) ?? null;
  }

  async picture(key: string): Promise<File | null> {
    const found = await this.#database.get(PICTURES, key);
    return found instanceof File ? found : null;
  }

  /** The keys of all pictures, also of those that other tabs keep. */
  pictures(): Promise<string[]> {
    return this.#database.keys(PICTURES);
  }

  async vectors(key: string): Promise<KeptVectors | null> {
    return ((await this.#database.get(VECTORS, key)) as KeptVectors | undefined) ?? null;
  }

  keepLesson(lesson: KeptLesson): Promise<void> {
    return this.#database.put(LESSON, NOW, lesson);
  }

  keepPicture(key: string, file: File): Promise<void> {
    return this.#database.put(PICTURES, key, file);
  }

  keepVectors(key: string, vectors: KeptVectors): Promise<void> {
    return this.#database.put(VECTORS, key, vectors);
  }

  /** Deletes all that the page keeps between visits, models and folders excepted. */
  async clear(): Promise<void> {
    await this.#database.clear();
    await keptKernels().clear();
  }

  /** Drops a picture that was removed. */
  async dropPicture(key: string): Promise<void> {
    for (const name of [PICTURES, VECTORS] as const) await this.#database.remove(name, key);
  }
}
