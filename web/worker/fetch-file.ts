// Fetches one file of a model into the browser's store, and continues where an earlier visit stopped.

import { Sha256 } from "#internvit";
import type { Progress } from "../shared/protocol";
import { insist, stream, type Net } from "./net";
import type { Job } from "./serve";
import { headOf, put, type StoredFile } from "./vault";

/** Bytes that are read at a time. */
const PIECE = 4 << 20;

/** The file on the server is no longer the one that is stored in part. */
export class Changed extends Error {}

/** Receives how many more bytes are done. */
export type Tell = (stage: Progress["stage"], more: number) => void;

/** Fetches what is missing of a file. Where the digest is wrong, the file is emptied and the result is false. */
export async function fetchFile(folder: FileSystemDirectoryHandle, file: StoredFile, what: string, net: Net, tell: Tell): Promise<boolean> {
  const handle = await (await folder.getFileHandle(file.name)).createSyncAccessHandle();
  const digest = new Sha256();
  const head = headOf(file);
  const seen = (etag: string | null, total: number | null) => {
    const other = (file.etag !== null && etag !== null && etag !== file.etag) || (total !== null && total !== file.remote);
    if (other) throw new Changed(`${what} on the server is not what it was: ${total ?? file.remote} bytes, expected ${file.remote}${etag ? `, ETag ${etag}` : ""}.`);
    file.etag ??= etag;
  };
  try {
    let at = Math.min(handle.getSize(), file.size);
    if (at < head.length) put(handle, head, 0);
    at = Math.max(at, head.length);
    rehash(digest, handle, at, () => net.signal.throwIfAborted());
    await insist(net.signal, async (gain) => {
      while (at < file.size) {
        const [from, to] = place(file, at - head.length);
        for await (const bytes of stream(file.url, what, from, to, net, seen)) {
          put(handle, bytes, at);
          digest.update(bytes);
          at += bytes.length;
          tell("fetch", bytes.length);
          gain();
        }
      }
    });
    handle.truncate(file.size);
    handle.flush();
    const found = digest.hex();
    // The server has no digest of a part of a file: its own digest guards it from now on.
    if (found === (file.sha256 ??= found)) return true;
    handle.truncate(0);
    tell("fetch", head.length - file.size);
    return false;
  } finally {
    handle.close();
  }
}

/** The range of the server's file for an offset in the stored file, header excluded. */
function place({ ranges }: StoredFile, at: number): [number, number] {
  let before = 0;
  for (const [from, to] of ranges) {
    if (at < before + to - from) return [from + at - before, to];
    before += to - from;
  }
  throw new Error("The file is shorter than its header says.");
}

function rehash(digest: Sha256, handle: FileSystemSyncAccessHandle, end: number, turn: () => void) {
  const buffer = new Uint8Array(PIECE);
  for (let at = 0; at < end; turn()) {
    const count = handle.read(buffer.subarray(0, Math.min(buffer.length, end - at)), { at });
    digest.update(buffer.subarray(0, count));
    at += count;
  }
}

/** Sums up progress; reports it at most ten times a second. */
export function often(progress: Job["progress"], here: number, total: number): Tell {
  let done = here;
  let last = 0;
  return (stage, more) => {
    done += more;
    if (performance.now() - last < 100 && done < total) return;
    last = performance.now();
    progress({ stage, done, total });
  };
}

/** The SHA-256 of a stored file. */
export async function digestOf(stored: File, signal: AbortSignal, tell: (more: number) => void): Promise<string> {
  const digest = new Sha256();
  for (let at = 0; at < stored.size; at += PIECE) {
    signal.throwIfAborted();
    const bytes = new Uint8Array(await stored.slice(at, at + PIECE).arrayBuffer());
    digest.update(bytes);
    tell(bytes.length);
  }
  return digest.hex();
}
