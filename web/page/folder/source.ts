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

/** A folder in a drop; null where there is none. It must be asked while the drop is handled. */
export function dropped(items: Iterable<DataTransferItem>): Promise<Listing> | null {
  for (const item of items) {
    const entry = item.webkitGetAsEntry();
    if (!entry?.isDirectory) continue;
    const handle = item.getAsFileSystemHandle?.();
    return handle ? handle.then((found) => ofHandle(found as FileSystemDirectoryHandle)) : ofEntry(entry as FileSystemDirectoryEntry);
  }
  return null;
}

/** The files of a folder that was chosen by an input. */
export function ofFiles(files: readonly File[]): Listing {
  const name = files[0]?.webkitRelativePath.split("/")[0] ?? "";
  return listing(name, files.map((file) => ({ path: file.webkitRelativePath || file.name, file: async () => file })));
}

export async function ofHandle(folder: FileSystemDirectoryHandle): Promise<Listing> {
  const found: Listed[] = [];
  const walk = async (inside: FileSystemDirectoryHandle, before: string) => {
    for await (const [name, entry] of inside.entries()) {
      const path = `${before}/${name}`;
      if (entry instanceof FileSystemDirectoryHandle) await walk(entry, path);
      else found.push({ path, file: () => (entry as FileSystemFileHandle).getFile() });
    }
  };
  await walk(folder, folder.name);
  return listing(folder.name, found);
}

/** The same of a browser that gives entries in place of handles. */
async function ofEntry(folder: FileSystemDirectoryEntry): Promise<Listing> {
  const found: Listed[] = [];
  const walk = async (inside: FileSystemDirectoryEntry, before: string) => {
    const reader = inside.createReader();
    // Some browsers give a hundred at a time.
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const entry of some) {
        const path = `${before}/${entry.name}`;
        if (entry.isDirectory) await walk(entry as FileSystemDirectoryEntry, path);
        else found.push({ path, file: () => new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)) });
      }
    }
  };
  await walk(folder, folder.name);
  return listing(folder.name, found);
}

/** Photographs by their paths, hidden files and folders left out. */
function listing(name: string, all: readonly Listed[]): Listing {
  const photos = all.filter(({ path }) => wanted(path)).map((one) => ({ ...one, path: spelled(one.path, MOST) }));
  return { name: spelled(name), photos: photos.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}
