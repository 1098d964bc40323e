// The package in a browser.

import { Caller, type Options } from "../client/caller";
import { chosenModel } from "../client/chosen-model";
import { fetchModel } from "../client/store";
import { blobOf } from "../shared/body";
import { readName, tidyName } from "../shared/model-name";
import type { OwnFiles, Progress, StoreCalls } from "../shared/protocol";
import { bundledModel, isBundled } from "./bundled";
import { kinded, ModelError } from "./errors";
import { openModel, type Surroundings } from "./model";
import type * as api from "./types";

export { ModelError, type ErrorKind } from "./errors";
export type * from "./types";

/** Where models are published. */
const HUB = "https://huggingface.co";

export const open: api.Open = (source, options) => openModel(browser, source, options);

export const store: api.Store = {
  list: () => withStore(async (caller) => (await caller.ask("list", null)).map(({ name, bytes, complete }) => ({ name, bytes, complete }))),
  remove: (name) => withStore(async (caller) => void (await caller.ask("remove", nameOf(name, HUB)))),
};

// A bundler finds each worker by these words: they stay as they are.
const browser: Surroundings = {
  start: () => elsewhere("worker.js") ?? new Worker(new URL("./worker.js", import.meta.url), { type: "module" }),
  read: fetched,
  files: filesOf,
};

const startStore = () => elsewhere("download.js") ?? new Worker(new URL("./download.js", import.meta.url), { type: "module" });

/** A worker of a script at another origin, as of a content delivery network: browsers start such ones by a script of the page's own. */
function elsewhere(name: string): Worker | null {
  const here = new URL(import.meta.url);
  if (!here.protocol.startsWith("http") || here.origin === location.origin) return null;
  const script = new Blob([`import ${JSON.stringify(new URL(name, here).href)};`], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(script), { type: "module" });
}

async function filesOf(source: api.ModelSource, options: api.OpenOptions): Promise<OwnFiles> {
  if (Array.isArray(source)) return kinded("input", options.signal, async () => chosenModel(source));
  const progress = options.onProgress ? (told: Progress) => options.onProgress?.(told as api.Progress) : undefined;
  const calls: Options = { ...(options.signal && { signal: options.signal }), ...(progress && { progress }) };
  if (isBundled(source)) return bundledModel(await bundledWeights(calls));
  const hub = options.hub ?? HUB;
  const name = nameOf(source as string | URL, hub);
  if (!readName(name)) {
    throw new ModelError("input", `${name}: a model is "dinov2-small" (or "bundled"), owner/name on the hub, the https address of its folder, or its files.`);
  }
  return stored({ name, hub, token: options.token ?? "", words: options.texts ?? false }, calls);
}

/** A model's name as the store has it: addresses in whole. */
function nameOf(source: string | URL, hub: string): string {
  const text = String(source);
  return source instanceof URL || /^(\.{0,2}\/|https?:)/.test(text) ? tidyName(new URL(text, document.baseURI).href, hub) : text;
}

/** Does some work with the worker that keeps models. */
async function withStore<T>(work: (caller: Caller<StoreCalls>) => Promise<T>, signal?: AbortSignal): Promise<T> {
  const caller = new Caller<StoreCalls>(startStore(), "The worker that keeps models has stopped; what is stored stays. Try again.");
  return kinded("hub", signal, () => work(caller)).finally(() => caller.end());
}

/** A model's files from the browser's store, fetched where they are not there. */
function stored(request: Parameters<typeof fetchModel>[1], calls: Options): Promise<OwnFiles> {
  return withStore(async (caller) => {
    // What was found damaged is fetched anew, once.
    for (let again = false; ; again = true) {
      await fetchModel(caller, request, calls);
      const files = await caller.ask("open", request.name, calls).catch((error: unknown) => {
        if (again || calls.signal?.aborted) throw error;
        return null;
      });
      if (files) return { name: request.name, ...files };
      if (again) throw new Error(`${request.name} is no longer in the browser’s store. Open it again.`);
    }
  }, calls.signal);
}

async function bundledWeights({ signal, progress }: Options): Promise<File> {
  const address = new URL("./models/dinov2-small/model.safetensors", import.meta.url);
  const response = await asked(address, signal);
  return new File([await blobOf(response, (done, total) => progress?.({ stage: "fetch", done, total }))], "model.safetensors");
}

/** The file at an address. */
async function fetched(address: string | URL, signal: AbortSignal | undefined): Promise<File> {
  const url = new URL(address, document.baseURI);
  const response = await asked(url, signal);
  return new File([await response.blob()], url.pathname.split("/").at(-1) || "photograph", { type: response.headers.get("content-type") ?? "" });
}

async function asked(url: URL, signal: AbortSignal | undefined): Promise<Response> {
  const response = await fetch(url, { signal: signal ?? null }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new ModelError("io", `${url.href} could not be fetched: the address, the connection, or a policy of this page is in the way.`, { cause: error });
  });
  if (!response.ok) throw new ModelError("io", `${url.href} could not be fetched: the server answers ${response.status}.`);
  return response;
}
