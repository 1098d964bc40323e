// A model's files, from the server or the visitor's disk, as blobs of which ranges are read.

import { blobOf } from "../shared/body";
import { bounded, MOST_CONFIG, reading } from "./bounds";
import type { ModelFiles, OwnFiles } from "../shared/protocol";

/** A model on its way. */
interface Fetch {
  model: Promise<ModelFiles>;
  stop: AbortController;
  progress(done: number, total: number): void;
}

/** Models in folders of the server. A fetched model stays as a blob, which the browser may keep on disk. */
export class FetchedModels {
  readonly #fetches = new Map<string, Fetch>();
  /** Folders whose model could not be loaded: fetched again the next time, past the browser's cache. */
  readonly #distrusted = new Set<string>();

  /** Begins to fetch a model that is asked for soon, unless that has begun. */
  begin(folder: string): Fetch {
    const known = this.#fetches.get(folder);
    if (known) return known;
    const stop = new AbortController();
    const model = this.#fetch(folder, stop.signal, (...told) => begun.progress(...told));
    const begun: Fetch = { model, stop, progress: () => undefined };
    this.#fetches.set(folder, begun);
    // What has failed is fetched again when it is asked for.
    model.catch(() => this.#fetches.get(folder) === begun && this.#fetches.delete(folder));
    return begun;
  }

  async get(folder: string, signal: AbortSignal, progress: Fetch["progress"]): Promise<ModelFiles> {
    const begun = this.begin(folder);
    begun.progress = progress;
    const stop = () => begun.stop.abort(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    return begun.model.finally(() => signal.removeEventListener("abort", stop));
  }

  distrust(folder: string) {
    this.#fetches.delete(folder);
    this.#distrusted.add(folder);
  }

  async #fetch(folder: string, signal: AbortSignal, progress: Fetch["progress"]): Promise<ModelFiles> {
    const init: RequestInit = { signal, cache: this.#distrusted.has(folder) ? "reload" : "default" };
    const [config, weights] = await Promise.all([
      get(new URL("config.json", folder), init).then((found) => found.text()),
      get(new URL("model.safetensors", folder), init).then((found) => blobOf(found, progress)),
    ]);
    return { name: "InternViT-Tiny", config, processor: null, preprocessor: null, files: [{ name: "model.safetensors", blob: weights }], words: [] };
  }
}

export async function localModel({ name, config, processor, preprocessor, weights, words }: OwnFiles): Promise<ModelFiles> {
  const first = weights.find(({ name }) => name.endsWith(".safetensors")) ?? config;
  const files = weights.map((file) => ({ name: file.name, blob: file }));
  const text = (file: File, what: string) => reading(file.name, bounded(file, MOST_CONFIG, what).text());
  return {
    name: name ?? first.name,
    config: await text(config, "config.json"),
    processor: processor ? await text(processor, "processor_config.json") : null,
    preprocessor: preprocessor ? await text(preprocessor, "preprocessor_config.json") : null,
    files,
    words: words ?? [],
  };
}

/** A language model in GGUF with its projector: the files themselves say what a config.json would. */
export function ggufModel({ weights, words }: OwnFiles): ModelFiles {
  const files = weights.map((file) => ({ name: file.name, blob: file }));
  return { name: files[0]?.name ?? "", config: "", processor: null, preprocessor: null, files, words: words ?? [] };
}

/** Smallest read, in bytes: the browser keeps some memory for each slice of a blob. */
const BLOCK = 1 << 20;

/** Reads ranges of a model's files for the module, until the signal aborts. */
export function readRanges({ files }: ModelFiles, signal?: AbortSignal) {
  // A block's tensors are not stored in the order in which they are read, so the last few pieces stay.
  let pieces: { file: number; start: number; bytes: Uint8Array }[] = [];
  return async (file: number, start: number, end: number) => {
    signal?.throwIfAborted();
    let piece = pieces.find((one) => one.file === file && start >= one.start && end <= one.start + one.bytes.length);
    if (!piece) {
      const large = end - start > BLOCK;
      const first = large ? start : start - (start % BLOCK);
      const slice = files[file]?.blob.slice(first, large ? end : Math.max(end, first + BLOCK));
      piece = { file, start: first, bytes: new Uint8Array((await slice?.arrayBuffer()) ?? []) };
      if (!large) pieces = [piece, ...pieces.slice(0, 2)]; // a large matrix is not wanted twice
    }
    return piece.bytes.subarray(start - piece.start, end - piece.start);
  };
}

async function get(url: URL, init: RequestInit): Promise<Response> {
  const file = url.pathname.split("/").at(-1);
  const response = await fetch(url, init).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw new Error(`The bundled model's ${file} could not be fetched: is the server still running?`);
  });
  if (!response.ok) throw new Error(`The bundled model's ${file} is missing on the server (${response.status}).`);
  return response;
}
