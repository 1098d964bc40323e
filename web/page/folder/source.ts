// The photographs of a folder: by its handle where the browser gives one, else by what the browser lists of it.

import { spelled } from "../../shared/spelled";

/** A photograph of a folder; its file is asked for when it is read. */
export interface Listed {
  /** The folder's name in front. */
  path: string;
  file(): Promise<File>;
}

export interface Listing {
  name: string;
  photos: Listed[];
}

/** The part of a folder's handle that is used; TypeScript's library lacks what opens one. */
declare global {
  interface DataTransferItem {
    getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
  }
  interface Window {
    showDirectoryPicker?(options?: { id?: string; mode?: "read" | "readwrite" }): Promise<FileSystemDirectoryHandle>;
  }
}

/** Endings of what is taken for a photograph, so that a damaged one is told. */
const PHOTOGRAPH = /\.(apng|avif|bmp|dib|gif|heic|heif|jfif|jpe|jpe?g|jxl|png|tiff?|webp)$/i;
/** Longest path that is shown, in characters. */
const MOST = 1000;

const wanted = (path: string) => PHOTOGRAPH.test(path) && !path.split("/").some((part) => part.startsWith("."));

/** All of a drop in which there is a folder; null where there is none. It must be asked while the drop is handled. */
export function dropped(items: Iterable<DataTransferItem>): Promise<Listing> | null {
  const found = [...items].flatMap((item) => {
    const entry = item.webkitGetAsEntry();
    return entry ? [{ entry, handle: item.getAsFileSystemHandle?.() }] : [];
  });
  const folders = found.filter(({ entry }) => entry.isDirectory).map(({ entry }) => entry.name);
  const [first] = folders;
  if (first === undefined) return null;
  const name = folders.length > 1 ? `${first} and ${folders.length - 1} more` : first;
  const walked = found.map(async ({ entry, handle }) => {
    const held = await handle;
    return held ? ofHandle(held, held.name) : ofEntry(entry, entry.name);
  });
  return Promise.all(walked).then((all) => listing(name, all.flat()));
}

/** The files of a folder that was chosen by an input. */
export function ofFiles(files: readonly File[]): Listing {
  const name = files[0]?.webkitRelativePath.split("/")[0] ?? "";
  return listing(name, files.map((file) => ({ path: file.webkitRelativePath || file.name, file: async () => file })));
}

/** The files of a folder that was chosen by the browser's own window. */
export const ofFolder = async (folder: FileSystemDirectoryHandle): Promise<Listing> => listing(folder.name, await ofHandle(folder, folder.name));

/** Finds a file, or all files in a folder and in those in it. */
async function ofHandle(handle: FileSystemHandle, path: string, found: Listed[] = []): Promise<Listed[]> {
  if (!(handle instanceof FileSystemDirectoryHandle)) found.push({ path, file: () => (handle as FileSystemFileHandle).getFile() });
  else for await (const [name, inside] of handle.entries()) await ofHandle(inside, `${path}/${name}`, found);
  return found;
}

/** The same of a browser that gives entries in place of handles. */
async function ofEntry(entry: FileSystemEntry, path: string, found: Listed[] = []): Promise<Listed[]> {
  if (!entry.isDirectory) {
    found.push({ path, file: () => new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)) });
    return found;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // Some browsers give a hundred at a time.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const inside of some) await ofEntry(inside, `${path}/${inside.name}`, found);
  }
}

/** Photographs by their paths, hidden files and folders left out. */
function listing(name: string, all: readonly Listed[]): Listing {
  const photos = all.filter(({ path }) => wanted(path)).map((one) => ({ ...one, path: spelled(one.path, MOST) }));
  return { name: spelled(name), photos: photos.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}
