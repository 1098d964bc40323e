// Fetches models into the browser's private file system, and gives them out from there.

import { catalogue, encoder_parts, Sha256 } from "#internvit";
import { find, type Remote } from "./hub";
import { start } from "./module";
import { insist, stream, type Net } from "./net";
import { storeCalls, type ModelRequest, type Progress, type StoreCalls, type StoredModel } from "../shared/protocol";
import { serve, type Job } from "./serve";
import { erase, fileOf, folderOf, headOf, put, readRecord, storedModels, summary, write, writeRecord, type StoredFile, type StoredRecord } from "./vault";

let started: Promise<unknown> | null = null;
const ready = () => (started ??= start().catch((error: unknown) => {
  started = null;
  throw error;
}));

/** The server has another file than the one that is here in part. */
class Changed extends Error {}

/** Stored files whose digest was right in this visit, each with what shows that it was written since. */
const sound = new Map<string, string>();
const stamp = ({ size, lastModified }: File) => `${size} ${lastModified}`;

/** How much is read at a time, in bytes. */
const PIECE = 4 << 20;

serve<StoreCalls>({
  async catalogue() {
    await ready();
    return catalogue();
  },

  list: () => storedModels(),

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

  async open(name, { signal, progress }) {
    const record = await readRecord(name);
    if (!record) return null;
    await ready();
    const folder = await folderOf(name);
    const tell = often(progress, 0, record.files.reduce((sum, { size }) => sum + size, 0));
    const weights: File[] = [];
    const problems: string[] = [];
    const spoilt: StoredFile[] = [];
    for (const file of record.files) {
      const stored = await fileOf(folder, file);
      const problem = await fault(name, file, stored, signal, (more) => tell("check", more));
      if (problem) problems.push(`${file.name} ${problem}`);
      else if (stored) weights.push(new File([stored], file.name));
      if (problem && stored?.size === file.size) spoilt.push(file);
    }
    const preprocessor = record.preprocessor ? new File([record.preprocessor], "preprocessor_config.json") : null;
    if (problems.length === 0) return { config: new File([record.config], "config.json"), preprocessor, weights };
    // What is cut off is gone on with; what is wrong begins anew.
    await alone(name, signal, null, async () => {
      await writeRecord(folder, record);
      for (const file of spoilt) await write(folder, file.name, new Uint8Array());
    });
    throw new Error(`${name} cannot be used as it is stored in this browser: ${problems.join("; ")}. Press Resume under “More models” to fetch that part again.`);
  },

  remove: (name, { signal }) => alone(name, signal, null, async () => {
    await erase(name);
    return null;
  }),
}, storeCalls);

/** What is wrong with a stored file, which then counts as not yet fetched. */
async function fault(
  name: string, file: StoredFile, stored: File | null, signal: AbortSignal, tell: (more: number) => void,
): Promise<string | null> {
  const key = `${name}/${file.name}`;
  const whole = file.done && stored?.size === file.size;
  file.done = false;
  if (!stored || !whole) return `has ${stored?.size ?? 0} of ${file.size} bytes`;
  if (sound.get(key) !== stamp(stored)) {
    const digest = new Sha256();
    for (let at = 0; at < stored.size; at += PIECE) {
      signal.throwIfAborted();
      const bytes = new Uint8Array(await stored.slice(at, at + PIECE).arrayBuffer());
      digest.update(bytes);
      tell(bytes.length);
    }
    const found = digest.hex();
    if (found !== (file.sha256 ??= found)) return `is no longer what was fetched: its SHA-256 is ${found}, expected ${file.sha256}`;
    sound.set(key, stamp(stored));
  } else tell(stored.size);
  file.done = true;
  return null;
}

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
async function plan(wish: ModelRequest, signal: AbortSignal): Promise<StoredRecord> {
  await ready();
  const { name } = wish;
  const net: Net = { ...wish, signal };
  const { config, preprocessor, files } = await find(name, net);
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
    const part = parts[at];
    const ranges = part?.ranges ?? [[0, file.size]];
    const size = ranges.reduce((sum, [from, to]) => sum + to - from, part?.header.length ?? 0);
    const header = part ? new TextDecoder().decode(part.header.subarray(8)) : "";
    // The digest that the server tells is the whole file's.
    const sha256 = part ? null : file.sha256;
    return { name: file.name, url: file.url, size, header, ranges, remote: file.size, sha256, etag: etags.get(file) ?? null, done: false };
  });
  for (const file of stored) await write(folder, file.name, headOf(file));
  const record = { name, config, preprocessor, files: stored };
  await writeRecord(folder, record);
  return record;
}

async function download(record: StoredRecord, wish: ModelRequest, { signal, progress }: Job): Promise<null> {
  await ready();
  const folder = await folderOf(record.name);
  const { here, bytes }: StoredModel = await summary(record);
  const tell = often(progress, here, bytes);
  for (const file of record.files) {
    const stored = await fileOf(folder, file);
    if (file.done && stored?.size === file.size) continue;
    if (!stored) throw new Changed("A file of the model is missing in the browser's store.");
    const what = `${record.name}/${file.name}`;
    // Whatever damaged it may pass: once more from the beginning.
    if (!(await fetchFile(folder, file, what, { ...wish, signal }, tell)) && !(await fetchFile(folder, file, what, { ...wish, signal }, tell))) {
      throw new Error(`${what} arrived damaged twice: its SHA-256 is not ${file.sha256}.`);
    }
    file.done = true;
    await writeRecord(folder, record);
    const fetched = await fileOf(folder, file);
    if (fetched) sound.set(what, stamp(fetched));
  }
  return null;
}

/** Goes on from the bytes that are there, or from those before; false, and an empty file, where the digest is wrong. */
async function fetchFile(folder: FileSystemDirectoryHandle, file: StoredFile, what: string, net: Net, tell: Tell): Promise<boolean> {
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
    // A part of a larger file has no digest of the server's: it is to stay as it arrived.
    if (found === (file.sha256 ??= found)) return true;
    handle.truncate(0);
    tell("fetch", head.length - file.size);
    return false;
  } finally {
    handle.close();
  }
}

/** The range of the server's file that belongs at a place of the stored one, behind its header. */
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
