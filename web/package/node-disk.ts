// A folder of a disk as a browser's private file system, as far as the store of models uses it.

import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { mkdir, open, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { DiskFile } from "./node-thread";

const missing = (path: string) => new DOMException(`${path}: no such file or folder.`, "NotFoundError");

/** Stands for a `FileSystemDirectoryHandle`. */
export class DiskFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async getDirectoryHandle(name: string, { create = false } = {}): Promise<DiskFolder> {
    const path = join(this.#path, name);
    if (create) await mkdir(path, { recursive: true });
    else await stat(path).catch(() => { throw missing(path); });
    return new DiskFolder(path);
  }

  async getFileHandle(name: string, { create = false } = {}) {
    const path = join(this.#path, name);
    if (create) await (await open(path, "a")).close();
    else await stat(path).catch(() => { throw missing(path); });
    return { getFile: () => DiskFile.open(path), createSyncAccessHandle: async () => new OpenFile(path) };
  }

  async removeEntry(name: string) {
    const path = join(this.#path, name);
    await stat(path).catch(() => { throw missing(path); });
    await rm(path, { recursive: true });
  }

  async *keys() {
    yield* await readdir(this.#path);
  }
}

/** Stands for a `FileSystemSyncAccessHandle`. */
class OpenFile implements FileSystemSyncAccessHandle {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, "r+");
  }

  getSize() {
    return fstatSync(this.#file).size;
  }

  read(buffer: Uint8Array<ArrayBuffer>, { at }: { at: number }) {
    return readSync(this.#file, buffer, 0, buffer.length, at);
  }

  write(buffer: Uint8Array<ArrayBuffer>, { at }: { at: number }) {
    return writeSync(this.#file, buffer, 0, buffer.length, at);
  }

  truncate(size: number) {
    ftruncateSync(this.#file, size);
  }

  flush() {
    fsyncSync(this.#file);
  }

  close() {
    closeSync(this.#file);
  }
}

/** How often a lock's holder says that it lives, when it counts as dead, and how often those who wait look, in milliseconds. */
const [BEAT, DEAD, LOOK] = [2000, 30_000, 200];

/** Locks between programs, as a browser's between tabs: files whose times are renewed while they are held. */
export class DiskLocks {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async request<T>(name: string, { ifAvailable = false, signal }: { ifAvailable?: boolean; signal?: AbortSignal }, work: (lock: object | null) => Promise<T>): Promise<T> {
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, encodeURIComponent(name));
    while (!(await this.#take(path))) {
      if (ifAvailable) return work(null);
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      signal?.throwIfAborted();
    }
    const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), BEAT);
    try {
      return await work({ name });
    } finally {
      clearInterval(beat);
      await rm(path, { force: true });
    }
  }

  async #take(path: string): Promise<boolean> {
    const free = await open(path, "wx").catch((error: unknown) => {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
      return null;
    });
    await free?.close();
    if (free) return true;
    // Its program ended in the middle. Two who find so at once write the same, and digests are held against what they write.
    const { mtimeMs = Date.now() } = (await stat(path).catch(() => null)) ?? {};
    if (Date.now() - mtimeMs > DEAD) await rm(path, { force: true });
    return false;
  }
}
