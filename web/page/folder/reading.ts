// Reads the photographs of a folder: small pictures run ahead, features follow one at a time, between the page's other calls.

import type { Caller } from "../../client/caller";
import type { Embedded, FolderCalls } from "../../shared/folder";
import type { Engine } from "../engine";
import { keyOf, type KeptRow, type Rows } from "./rows";
import type { Listed } from "./source";

/** A photograph of the folder. */
export interface Photo extends Listed {
  /** The address of its small picture. */
  thumbnail: string | null;
  embedded: Embedded | null;
  /** Why there are no features. */
  failure: string | null;
}

/** Pixels of a small picture's height: twice what the sheet shows. */
const HEIGHT = 144;

export class Reading {
  readonly #engine: Engine;
  readonly #worker: Caller<FolderCalls>;
  readonly #rows: Rows;
  readonly #changed: (photo: Photo) => void;
  readonly #smalls = new WeakMap<Photo, Promise<Blob | null>>();
  #full = false;

  /** `changed` is called when something is known of a photograph. */
  constructor(engine: Engine, worker: Caller<FolderCalls>, rows: Rows, changed: (photo: Photo) => void) {
    [this.#engine, this.#worker, this.#rows, this.#changed] = [engine, worker, rows, changed];
  }

  /** Whether the browser has no room to keep what was read. */
  get full(): boolean {
    return this.#full;
  }

  /** Reads what is not known yet by a model. */
  async run(photos: readonly Photo[], model: string, signal: AbortSignal) {
    const missing: Photo[] = [];
    for (const photo of photos) {
      signal.throwIfAborted();
      if (!photo.embedded && !(await this.#recall(photo, model))) missing.push(photo);
    }
    const ahead = this.#paint(missing, signal);
    try {
      for (const photo of missing) await this.#read(photo, model, signal);
    } finally {
      await ahead.catch(() => undefined);
    }
  }

  async #recall(photo: Photo, model: string): Promise<boolean> {
    const kept = await this.#fileOf(photo).then((file) => this.#rows.get(keyOf(model, photo.path, file))).catch(() => null);
    if (!kept) return false;
    photo.embedded = kept.embedded;
    photo.failure = null;
    photo.thumbnail ??= kept.thumbnail && URL.createObjectURL(kept.thumbnail);
    this.#smalls.set(photo, Promise.resolve(kept.thumbnail));
    this.#changed(photo);
    return true;
  }

  async #paint(photos: readonly Photo[], signal: AbortSignal) {
    for (const photo of photos) {
      signal.throwIfAborted();
      await this.#small(photo);
    }
  }

  /** The small picture, made once; null where the browser cannot read the photograph. */
  #small(photo: Photo): Promise<Blob | null> {
    const known = this.#smalls.get(photo) ?? this.#paintOne(photo).catch(() => null);
    this.#smalls.set(photo, known);
    return known;
  }

  async #paintOne(photo: Photo): Promise<Blob | null> {
    const small = await this.#worker.ask("thumbnail", { photo: await this.#fileOf(photo), height: HEIGHT });
    if (!small) return null;
    photo.thumbnail = URL.createObjectURL(small);
    this.#changed(photo);
    return small;
  }

  async #read(photo: Photo, model: string, signal: AbortSignal) {
    signal.throwIfAborted();
    try {
      const file = await this.#fileOf(photo);
      const embedded = await this.#engine.call("embed", { photo: file, settings: {} }, { signal });
      [photo.embedded, photo.failure] = [embedded, null];
      this.#changed(photo);
      await this.#keep(keyOf(model, photo.path, file), { embedded, thumbnail: await this.#small(photo) });
    } catch (error) {
      signal.throwIfAborted();
      photo.failure = error instanceof Error ? error.message : String(error);
      this.#changed(photo);
    }
  }

  /** Keeps a row, until the browser has no more room. */
  async #keep(key: string, row: KeptRow) {
    if (!this.#full) await this.#rows.keep(key, row).catch(() => (this.#full = true));
  }

  async #fileOf(photo: Photo): Promise<File> {
    return photo.file().catch(() => {
      throw new Error("It is not there any more, or may not be read: open the folder again.");
    });
  }
}
