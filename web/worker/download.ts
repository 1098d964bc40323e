// The worker that fetches models into the browser's private file system, and gives them out from there.

import { encoder_parts } from "#internvit";
import { storeCalls, type FilePart, type ModelRequest, type StoreCalls } from "../shared/protocol";
import { Changed, digestOf, fetchFile, often, type Tell } from "./fetch-file";
import { find, type Remote } from "./hub";
import { isGguf } from "../shared/names";
import { start } from "./module";
import { insist, stream, type Net } from "./net";
import { serve, type Handlers, type Job } from "./serve";
import { erase, fileOf, folderOf, forget, headOf, readRecord, storedModels, summary, write, writeRecord, type StoredFile, type StoredRecord } from "./vault";

/** Answers each call by the stored models. */
class ModelStore implements Handlers<StoreCalls> {
  #started: Promise<unknown> | null = null;
  /** Stored files whose digest was right in this visit, each with a stamp that a later write changes. */
  readonly #sound = new Map<string, string>();

  async list() {
    return storedModels();
  }

  async plan(request: ModelRequest, { signal }: Job) {
    const known = await knownRecord(request);
    return summary(known ?? (await alone(keyOf(request), signal, null, () => this.#plan(request, signal))));
  }

  async download(request: ModelRequest, job: Job) {
    return alone(keyOf(request), job.signal, job.progress, async () => {
      // A file that has changed on the server is planned and fetched once more from the beginning.
      for (let again = false; ; again = true) {
        try {
          return await this.#download((await knownRecord(request)) ?? (await this.#plan(request, job.signal)), request, job);
        } catch (error) {
          if (!(error instanceof Changed) || again) throw error;
          await erase(keyOf(request));
        }
      }
    });
  }

  async open(name: string, { signal, progress }: Job) {
    const record = await readRecord(name);
    if (!record) return null;
    await this.#ready();
    const folder = await folderOf(name);
    const tell = often(progress, 0, record.files.reduce((sum, { size }) => sum + size, 0));
    const [weights, words]: [File[], File[]] = [[], []];
    const problems: string[] = [];
    const spoilt: StoredFile[] = [];
    for (const file of record.files) {
      const stored = await fileOf(folder, file);
      const problem = await this.#fault(name, file, stored, signal, tell);
      if (problem) problems.push(`${file.name} ${problem}`);
      else if (stored) (isWeights(file) ? weights : words).push(stored);
      if (problem && stored?.size === file.size) spoilt.push(file);
    }
    if (problems.length === 0) return { ...textsOf(record), weights, words };
    // A file that is cut off is continued; one that is wrong begins from nothing.
    await alone(name, signal, null, async () => {
      await writeRecord(folder, record);
      for (const file of spoilt) await write(folder, file.name, new Uint8Array());
    });
    throw new Error(`${name} cannot be used as it is stored: ${problems.join("; ")}. Open it again to go on with it: only that part is fetched.`);
  }

  async cancel(name: string, { signal }: Job) {
    return alone(name, signal, null, async () => {
      const record = await readRecord(name);
      const kept = record && (await forget(record));
      return kept && summary(kept);
    });
  }

  async remove(name: string, { signal }: Job) {
    return alone(name, signal, null, async () => {
      await erase(name);
      return null;
    });
  }

  #ready(): Promise<unknown> {
    return (this.#started ??= start().catch((error: unknown) => {
      this.#started = null;
      throw error;
    }));
  }

  /** What is wrong with a stored file, which then counts as not yet fetched. */
  async #fault(name: string, file: StoredFile, stored: File | null, signal: AbortSignal, tell: Tell): Promise<string | null> {
    const key = `${name}/${file.name}`;
    const whole = file.done && stored?.size === file.size;
    file.done = false;
    if (!stored || !whole) return `has ${stored?.size ?? 0} of ${file.size} bytes`;
    if (this.#sound.get(key) !== stamp(stored)) {
      const found = await digestOf(stored, signal, (more) => tell("check", more));
      if (found !== (file.sha256 ??= found)) return `is no longer what was fetched: its SHA-256 is ${found}, expected ${file.sha256}`;
      this.#sound.set(key, stamp(stored));
    } else tell("check", stored.size);
    file.done = true;
    return null;
  }

  /** Learns what to fetch: whole files, or the encoder's part of a larger model. */
  async #plan(request: ModelRequest, signal: AbortSignal): Promise<StoredRecord> {
    await this.#ready();
    const { whole: speaks = false } = request;
    const name = keyOf(request);
    const net: Net = { ...request, signal };
    const { files, tokenizer, ...texts } = await find(request, net);
    const etags = new Map<Remote, string | null>();
    const known = await readRecord(name);
    // What shows pictures may be here: then only what reads texts is fetched, into files of its own.
    const here = !speaks && known !== null && files.every((file) => known.files.some((one) => isSame(one, file)));
    const parts = speaks ? [] : await encoder_parts(texts.config, files, readRemote(name, files, net, etags), request.words, here);
    signal.throwIfAborted();
    const changed = here && [...etags].some(([file, etag]) => known.files.some((one) => one.url === file.url && one.etag && etag && one.etag !== etag));
    if (changed || !here) await erase(name);
    if (changed) return this.#plan(request, signal);
    const folder = await folderOf(name);
    const before = here ? known.files : [];
    const wanted = here ? files.map((file) => ({ ...file, name: `${TEXTS}${file.name}` })) : files;
    const planned = [...wanted, ...tokenizer].map((file, at) => toStore(file, parts[at] ?? null, etags.get(files[at] ?? file) ?? null));
    const stored = planned.filter(({ url, ranges }) => ranges.length > 0 && !before.some((one) => one.url === url && !one.header));
    for (const file of stored) await write(folder, file.name, headOf(file));
    const whole = before.every(({ done }) => done) ? before.length : 0;
    const record = { name, ...texts, speaks, whole, files: [...before, ...stored] };
    await writeRecord(folder, record);
    return record;
  }

  async #download(record: StoredRecord, request: ModelRequest, { signal, progress }: Job): Promise<null> {
    await this.#ready();
    const folder = await folderOf(record.name);
    const { here, bytes } = await summary(record);
    const tell = often(progress, here, bytes);
    for (const file of record.files) {
      const stored = await fileOf(folder, file);
      if (file.done && stored?.size === file.size) continue;
      if (!stored) throw new Changed("A file of the model is missing in the store.");
      const what = `${record.name}/${file.name}`;
      const fetch = () => fetchFile(folder, file, what, { ...request, signal }, tell);
      // Whatever damaged it may pass: once more from the beginning.
      if (!(await fetch()) && !(await fetch())) throw new Error(`${what} arrived damaged twice: its SHA-256 is not ${file.sha256}.`);
      file.done = true;
      await writeRecord(folder, record);
      const fetched = await fileOf(folder, file);
      if (fetched) this.#sound.set(what, stamp(fetched));
    }
    await writeRecord(folder, { ...record, whole: record.files.length });
    return null;
  }
}

/** What is stored of a model; null where that is less than is wanted. */
async function knownRecord(request: ModelRequest): Promise<StoredRecord | null> {
  const { words } = request;
  const known = await readRecord(keyOf(request));
  return known && (known.words || !words || known.speaks) ? known : null;
}

/** What a model is stored as: with what speaks apart from its encoder. */
const keyOf = ({ name, whole }: Pick<ModelRequest, "name" | "whole">) => (whole ? `${name} that speaks` : name);

/** What the names of files begin with that hold what reads texts alone. */
const TEXTS = "texts-";

/** Whether a stored file is of one on the server, as that is now. */
const isSame = ({ name, url, remote }: StoredFile, file: Remote) => name === file.name && url === file.url && remote === file.size;

/** A file that is to be stored: all of the server's, or a part. */
function toStore({ name, url, size: remote, sha256: digest }: Remote, part: FilePart | null, etag: string | null): StoredFile {
  const ranges = part?.ranges ?? [[0, remote]];
  const size = ranges.reduce((sum, [from, to]) => sum + to - from, part?.header.length ?? 0);
  const header = part ? new TextDecoder().decode(part.header.subarray(8)) : "";
  // The digest that the server tells is the whole file's.
  return { name, url, size, header, ranges, remote, sha256: part ? null : digest, etag, done: false };
}

/** Whether a stored file holds weights; the others are the tokenizer's. */
const isWeights = ({ name }: StoredFile) => name.endsWith(".safetensors") || isGguf({ name });

/** Changes when a file is written. */
const stamp = ({ size, lastModified }: File) => `${size} ${lastModified}`;

/** The texts of a stored model, as the files that they were. */
function textsOf({ config, processor, preprocessor }: StoredRecord) {
  const file = (text: string | null | undefined, name: string) => text === null || text === undefined ? null : new File([text], name);
  return {
    config: new File([config], "config.json"),
    processor: file(processor, "processor_config.json"),
    preprocessor: file(preprocessor, "preprocessor_config.json"),
  };
}

/** How the module reads ranges of files on a server; the files' ETags are noted. */
function readRemote(name: string, files: readonly Remote[], net: Net, etags: Map<Remote, string | null>) {
  return (at: number, from: number, to: number) => insist(net.signal, async () => {
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
}

/** One tab at a time works on a model; those that show progress wait for the other. */
function alone<T>(name: string, signal: AbortSignal, progress: Job["progress"] | null, work: () => Promise<T>): Promise<T> {
  const lock = `internvit ${name}`;
  return navigator.locks.request(lock, { ifAvailable: true }, async (free) => {
    if (free) return { done: await work() };
    if (!progress) throw new Error(`${name} is being downloaded in another tab or program.`);
    progress({ stage: "wait", done: 0, total: 0 });
    return null;
  }).then((result) => result ? result.done : navigator.locks.request(lock, { signal }, work));
}

serve<StoreCalls>(new ModelStore(), storeCalls);
