// Fetches models into the browser's private file system, and gives them out from there.

import { catalogue, encoder_parts, Sha256 } from "#internvit";
import { serve, type Job } from "./calls";
import { find, type Remote } from "./hub";
import { start } from "./module";
import { insist, stream, type Net } from "./net";
import type { Progress, StoreCalls, StoredModel, Wish } from "./protocol";
import { erase, fileOf, folderOf, list, put, readRecord, summary, write, writeRecord, type StoredFile, type StoredRecord } from "./vault";

let started: Promise<unknown> | null = null;
/** The module is needed to fetch a model, not to give out one. */
const ready = () => (started ??= start());

/** The server has another file than the one that is here in part. */
class Changed extends Error {}

serve<StoreCalls>({
  async catalogue() {
    await ready();
    return catalogue();
  },

  list: () => list(),

  async plan(wish, { signal }) {
    const known = await readRecord(wish.name);
    return summary(known ?? (await alone(wish.name, signal, null, () => plan(wish, signal))));
  },

  download: (wish, job) => alone(wish.name, job.signal, job.progress, async () => {
    for (let again = false; ; again = true) {
      try {
        return await download((await readRecord(wish.name)) ?? (await plan(wish, job.signal)), wish, job);
      } catch (error) {
        if (!(error instanceof Changed) || again) throw error;
        await erase(wish.name);
      }
    }
  }),

  async open(name) {
    const record = await readRecord(name);
    if (!record) throw new Error(`${name} is not stored in this browser.`);
    const folder = await folderOf(name);
    const weights: File[] = [];
    for (const file of record.files) {
      const stored = await fileOf(folder, file);
      if (!file.done || stored?.size !== file.size) {
        throw new Error(`${name} is not whole in this browser's store: ${file.name} has ${stored?.size ?? 0} of ${file.size} bytes. Resume its download.`);
      }
      weights.push(new File([stored], file.name));
    }
    return { config: new File([record.config], "config.json"), weights };
  },

  remove: (name, { signal }) => alone(name, signal, null, async () => {
    await erase(name);
    return null;
  }),
});

/** One tab at a time works on a model; those that show progress wait for the other. */
function alone<T>(name: string, signal: AbortSignal, progress: Job["progress"] | null, work: () => Promise<T>): Promise<T> {
  const lock = `internvit ${name}`;
  return navigator.locks.request(lock, { ifAvailable: true }, async (free) => {
    if (free) return { done: await work() };
    if (!progress) throw new Error(`${name} is being downloaded in another tab.`);
    progress({ stage: "wait", done: 0, total: 0 });
    return null;
  }).then((result) => result ? result.done : navigator.locks.request(lock, { signal }, work));
}

/** Learns what to fetch: whole files, or the encoder's part of a larger model. */
async function plan(wish: Wish, signal: AbortSignal): Promise<StoredRecord> {
  await ready();
  const { name } = wish;
  const net: Net = { ...wish, signal };
  const { config, files } = await find(name, net);
  const etags = new Map<Remote, string | null>();
  const read = (at: number, from: number, to: number) => insist(signal, async () => {
    const file = files[at];
    if (!file) throw new Error("There is no such file.");
    const bytes = new Uint8Array(to - from);
    let filled = 0;
    for await (const part of stream(file.url, `${name}/${file.name}`, from, to, net, (etag) => etags.set(file, etag))) {
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes;
  });
  const parts = await encoder_parts(config, files, read);
  signal.throwIfAborted();
  await erase(name);
  const folder = await folderOf(name);
  const stored = files.map((file, at): StoredFile => {
    const { header, ranges } = parts[at] ?? { header: null, ranges: [[0, file.size]] };
    const head = header?.length ?? 0;
    const size = ranges.reduce((sum, [from, to]) => sum + to - from, head);
    // The digest is the whole file's.
    const sha256 = header ? null : file.sha256;
    return { name: file.name, url: file.url, size, head, ranges, remote: file.size, sha256, etag: etags.get(file) ?? null, done: false };
  });
  for (const [at, file] of stored.entries()) await write(folder, file.name, parts[at]?.header ?? new Uint8Array());
  const record = { name, config, files: stored };
  await writeRecord(folder, record);
  return record;
}

async function download(record: StoredRecord, wish: Wish, { signal, progress }: Job): Promise<null> {
  await ready();
  const folder = await folderOf(record.name);
  const { here, bytes }: StoredModel = await summary(record);
  const tell = often(progress, here, bytes);
  for (const file of record.files) {
    const stored = await fileOf(folder, file);
    if (file.done && stored?.size === file.size) continue;
    if (!stored || stored.size < file.head) throw new Changed("A part of the model is missing in the browser's store.");
    const what = `${record.name}/${file.name}`;
    // Whatever damaged it may pass: once more from the beginning.
    if (!(await fetchFile(folder, file, what, { ...wish, signal }, tell)) && !(await fetchFile(folder, file, what, { ...wish, signal }, tell))) {
      throw new Error(`${what} arrived damaged twice: its SHA-256 is not the one that the server tells.`);
    }
    file.done = true;
    await writeRecord(folder, record);
  }
  return null;
}

/** Goes on from the bytes that are there, or from those before; false, and an empty file, where the digest is wrong. */
async function fetchFile(folder: FileSystemDirectoryHandle, file: StoredFile, what: string, net: Net, tell: Tell): Promise<boolean> {
  const handle = await (await folder.getFileHandle(file.name)).createSyncAccessHandle();
  const digest = file.sha256 === null ? null : new Sha256();
  const seen = (etag: string | null, total: number | null) => {
    const other = (file.etag !== null && etag !== null && etag !== file.etag) || (total !== null && total !== file.remote);
    if (other) throw new Changed(`${what} on the server is not what it was: ${total ?? file.remote} bytes, expected ${file.remote}${etag ? `, ETag ${etag}` : ""}.`);
    file.etag ??= etag;
  };
  try {
    let at = Math.min(handle.getSize(), file.size);
    if (digest) rehash(digest, handle, at, () => net.signal.throwIfAborted());
    await insist(net.signal, async (gain) => {
      while (at < file.size) {
        const [from, to] = place(file, at);
        for await (const bytes of stream(file.url, what, from, to, net, seen)) {
          put(handle, bytes, at);
          digest?.update(bytes);
          at += bytes.length;
          tell("fetch", bytes.length);
          gain();
        }
      }
    });
    handle.truncate(file.size);
    handle.flush();
    if (!digest || digest.hex() === file.sha256) return true;
    handle.truncate(file.head);
    tell("fetch", file.head - file.size);
    return false;
  } finally {
    handle.close();
  }
}

/** The range of the server's file that belongs at a place of the stored one. */
function place({ head, ranges }: StoredFile, at: number): [number, number] {
  let before = head;
  for (const [from, to] of ranges) {
    if (at < before + to - from) return [from + at - before, to];
    before += to - from;
  }
  throw new Error("The place is behind the end of the file.");
}

function rehash(digest: Sha256, handle: FileSystemSyncAccessHandle, end: number, turn: () => void) {
  const buffer = new Uint8Array(4 << 20);
  for (let at = 0; at < end; turn()) {
    const count = handle.read(buffer.subarray(0, Math.min(buffer.length, end - at)), { at });
    digest.update(buffer.subarray(0, count));
    at += count;
  }
}

type Tell = (stage: Progress["stage"], more: number) => void;

/** Ten times a second is enough. */
function often(progress: Job["progress"], here: number, total: number): Tell {
  let done = here;
  let last = 0;
  return (stage, more) => {
    done += more;
    if (performance.now() - last < 100 && done < total) return;
    last = performance.now();
    progress({ stage, done, total });
  };
}
