// Lessons and pictures that the browser keeps between visits, in IndexedDB.

import type { Place } from "../shared/patches";
import type { ClassOf, Method } from "./lesson";

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
  /** Keys of pictures, in the order of the strip; the one on the stage. */
  pictures: readonly string[];
  shown: string;
}

/** Features of a picture's places by one model. */
export interface KeptVectors {
  model: string;
  places: readonly (readonly [string, number])[];
  columns: readonly Float32Array<ArrayBuffer>[];
}

const NAME = "internvit";
const [LESSON, PICTURES, VECTORS] = ["lesson", "pictures", "vectors"] as const;
const STORES = [LESSON, PICTURES, VECTORS] as const;
type Store = (typeof STORES)[number];

/** The only key of the store of lessons. */
const NOW = "now";

export class Kept {
  #database: Promise<IDBDatabase> | null = null;

  /** The lesson of the last visit; null where there is none. */
  async lesson(): Promise<KeptLesson | null> {
    return ((await this.#get(LESSON, NOW)) as KeptLesson | undefined) ?? null;
  }

  async picture(key: string): Promise<File | null> {
    const found = await this.#get(PICTURES, key);
    return found instanceof File ? found : null;
  }

  async vectors(key: string): Promise<KeptVectors | null> {
    return ((await this.#get(VECTORS, key)) as KeptVectors | undefined) ?? null;
  }

  keepLesson(lesson: KeptLesson): Promise<void> {
    return this.#change(LESSON, (store) => store.put(lesson, NOW));
  }

  keepPicture(key: string, file: File): Promise<void> {
    return this.#change(PICTURES, (store) => store.put(file, key));
  }

  keepVectors(key: string, vectors: KeptVectors): Promise<void> {
    return this.#change(VECTORS, (store) => store.put(vectors, key));
  }

  async clear(): Promise<void> {
    for (const name of STORES) await this.#change(name, (store) => store.clear());
  }

  /** Drops the pictures that a lesson does not have any more. */
  async dropOthers(keys: readonly string[]): Promise<void> {
    for (const name of [PICTURES, VECTORS] as const) {
      const store = (await this.#open()).transaction(name).objectStore(name);
      const known = await result(store.getAllKeys());
      for (const key of known) if (!keys.includes(String(key))) await this.#change(name, (open) => open.delete(key));
    }
  }

  #open(): Promise<IDBDatabase> {
    return (this.#database ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => {
        for (const name of STORES) request.result.createObjectStore(name);
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error("IndexedDB could not be opened"));
      // Another tab holds an older version open.
      request.onblocked = () => reject(new Error("IndexedDB is in use by another tab"));
    }));
  }

  async #get(name: Store, key: string): Promise<unknown> {
    return result((await this.#open()).transaction(name).objectStore(name).get(key));
  }

  async #change(name: Store, change: (store: IDBObjectStore) => IDBRequest): Promise<void> {
    const transaction = (await this.#open()).transaction(name, "readwrite");
    change(transaction.objectStore(name));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error("IndexedDB could not be written"));
    });
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB could not be read"));
  });
}
