// The models that the browser stores for this page: a folder each in its private file system.

import type { StoredModel } from "../shared/protocol";
import { atLeast, boolean, fits, list, nullable, number, optional, string, unchecked, type Infer } from "../shared/shape";

/** A stored file of weights: a header of its own, if it has one, then ranges of the server's file. */
export type StoredFile = Infer<typeof storedFile>;
const storedFile = atLeast({
  name: string,
  url: string,
  /** Size of the complete file; the bytes that are stored tell where to continue. */
  size: number,
  /** The header's text; empty where the file is the server's as it stands. */
  header: string,
  ranges: list(unchecked<[number, number]>()),
  /** Size of the server's file. */
  remote: unchecked<number>(),
  /** Digest of the stored file: the server's, else that of what arrived. */
  sha256: nullable(string),
  etag: nullable(string),
  /** Whether the file arrived whole and its digest was right. */
  done: unchecked<boolean>(),
});

export type StoredRecord = Infer<typeof storedRecord>;
const storedRecord = atLeast({
  name: string,
  config: string,
  /** Both are unknown for a model that was stored by an earlier version of the page. */
  processor: optional(nullable(string)),
  preprocessor: optional(nullable(string)),
  /** Whether what reads texts was wanted too. */
  words: optional(boolean),
  /** How many of the files were a whole model before the others were asked for. */
  whole: optional(number),
  /** Whether it was fetched with what speaks. */
  speaks: optional(boolean),
  files: list(storedFile),
});

/** The record is written last when a download is planned: a folder without one is ignored. */
const RECORD = "record.json";

/** The start of a stored file, as in safetensors: the header's length in eight bytes, then its text. */
export function headOf({ header }: StoredFile): Uint8Array<ArrayBuffer> {
  if (!header) return new Uint8Array();
  const text = new TextEncoder().encode(header);
  const head = new Uint8Array(8 + text.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(text.length), true);
  head.set(text, 8);
  return head;
}

async function models(): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle("models", { create: true });
}

/** The folder of a model. Names are percent-encoded. */
export async function folderOf(name: string): Promise<FileSystemDirectoryHandle> {
  return (await models()).getDirectoryHandle(encodeURIComponent(name), { create: true });
}

export async function readRecord(name: string): Promise<StoredRecord | null> {
  try {
    const folder = await (await models()).getDirectoryHandle(encodeURIComponent(name));
    const told: unknown = JSON.parse(await (await (await folder.getFileHandle(RECORD)).getFile()).text());
    return fits(storedRecord, told) ? told : null;
  } catch {
    return null; // nothing is there, or what a crash has left
  }
}

export async function writeRecord(folder: FileSystemDirectoryHandle, record: StoredRecord) {
  await write(folder, RECORD, new TextEncoder().encode(JSON.stringify(record)));
}

export async function write(folder: FileSystemDirectoryHandle, name: string, bytes: Uint8Array<ArrayBuffer>) {
  const handle = await (await folder.getFileHandle(name, { create: true })).createSyncAccessHandle();
  try {
    handle.truncate(0);
    put(handle, bytes, 0);
    handle.flush();
  } finally {
    handle.close();
  }
}

export function put(handle: FileSystemSyncAccessHandle, bytes: Uint8Array<ArrayBuffer>, at: number) {
  const full = "The browser has no room left for this model. Delete another one, or free space on the device; what is here is kept.";
  try {
    if (handle.write(bytes, { at }) === bytes.length) return;
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
  }
  throw new Error(full);
}

export async function fileOf(folder: FileSystemDirectoryHandle, { name }: StoredFile): Promise<File | null> {
  return folder.getFileHandle(name).then((handle) => handle.getFile(), () => null);
}

export async function summary({ name, files, speaks = false }: StoredRecord): Promise<StoredModel> {
  const folder = await folderOf(name);
  const sizes = await Promise.all(files.map(async (file) => (await fileOf(folder, file))?.size ?? 0));
  const sum = (numbers: number[]) => numbers.reduce((sum, n) => sum + n, 0);
  const complete = files.every(({ size, done }, at) => done && sizes[at] === size);
  return { name, bytes: sum(files.map(({ size }) => size)), here: sum(sizes), complete, whole: speaks };
}

export async function storedModels(): Promise<StoredModel[]> {
  const found: StoredModel[] = [];
  for await (const folder of (await models()).keys()) {
    const record = await readRecord(decodeURIComponent(folder));
    if (record) found.push(await summary(record));
  }
  return found.sort((a, b) => a.name.localeCompare(b.name, "en"));
}

/** Forgets the files of a download that is not whole, and with them the model unless it was whole before. */
export async function forget(record: StoredRecord): Promise<StoredRecord | null> {
  const { name, whole = 0, files, ...texts } = record;
  if (whole === 0) {
    await erase(name);
    return null;
  }
  const folder = await folderOf(name);
  const kept = { name, ...texts, words: false, files: files.slice(0, whole) };
  await writeRecord(folder, kept);
  for (const file of files.slice(whole)) await folder.removeEntry(file.name).catch(() => null); // not yet begun
  return kept;
}

export async function erase(name: string) {
  await (await models()).removeEntry(encodeURIComponent(name), { recursive: true }).catch((error: unknown) => {
    if (!(error instanceof DOMException && error.name === "NotFoundError")) throw error;
  });
}
