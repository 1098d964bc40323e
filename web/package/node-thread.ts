// Node's threads as the workers of a browser, as far as the engine uses them.

import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { Worker as Thread } from "node:worker_threads";

/** A file on a disk, of which ranges are read. It goes to a thread by its path: such a blob cannot be copied. */
export class DiskFile extends File {
  readonly path: string;

  private constructor(blob: Blob, path: string, lastModified: number) {
    super([blob], basename(path), { lastModified });
    this.path = path;
  }

  static async open(path: string): Promise<DiskFile> {
    return new DiskFile(await openAsBlob(path), path, (await stat(path)).mtimeMs);
  }
}

/** A file on its way to a thread. */
class Packed {
  constructor(readonly packed: { path: string } | { name: string; blob: Blob }) {}
}

/** A message with its files in a form that threads take. */
export function packed(value: unknown): unknown {
  if (value instanceof DiskFile) return { ...new Packed({ path: value.path }) };
  if (value instanceof File) return { ...new Packed({ name: value.name, blob: value.slice() }) };
  if (Array.isArray(value)) return value.map(packed);
  return isPlain(value) ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, packed(inner)])) : value;
}

/** The message again. */
export async function unpacked(value: unknown): Promise<unknown> {
  if (Array.isArray(value)) return Promise.all(value.map(unpacked));
  if (!isPlain(value)) return value;
  if (isPacked(value)) return "path" in value.packed ? DiskFile.open(value.packed.path) : new File([value.packed.blob], value.packed.name);
  return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([key, inner]) => [key, await unpacked(inner)] as const)));
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null);

const isPacked = (value: object): value is Packed => "packed" in value;

/** A thread that looks like a browser's worker. It keeps the program alive only while it owes an answer. */
export class ThreadWorker extends EventTarget {
  readonly #thread: Thread;
  #owed = 0;
  /** Files are opened on the way, and a message must not overtake the one before. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(script: string | URL, { name = "" }: WorkerOptions = {}) {
    super();
    this.#thread = new Thread(new URL(script), { workerData: { name } });
    this.#thread.unref();
    this.#thread.on("message", (data) => (this.#last = this.#last.then(async () => this.#receive(await unpacked(data)))));
    this.#thread.on("error", () => this.#tell(new Event("error")));
    this.#thread.on("messageerror", () => this.#tell(new Event("messageerror")));
  }

  postMessage(message: unknown) {
    if (isPlain(message) && "id" in message && this.#owed++ === 0) this.#thread.ref();
    this.#thread.postMessage(packed(message));
  }

  terminate() {
    this.#owed = 0;
    void this.#thread.terminate();
  }

  #receive(data: unknown) {
    if (isPlain(data) && ("answer" in data || "failure" in data) && --this.#owed === 0) this.#thread.unref();
    this.#tell(new MessageEvent("message", { data }));
  }

  #tell(event: Event) {
    this.dispatchEvent(event);
  }
}
