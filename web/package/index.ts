// The package in a browser.

import type { Options } from "../client/caller";
import { chosenModel } from "../client/chosen-model";
import { fetchModel } from "../client/store";
import { blobOf } from "../shared/body";
import { tidyName } from "../shared/model-name";
import type { OwnFiles } from "../shared/protocol";
import { bundledModel, isBundled } from "./bundled";
import { kinded, ModelError } from "./errors";
import { Kept } from "./kept";
import { isList } from "./photos";
import { openModel, type Surroundings } from "./model";
import type * as api from "./types";

export { ModelError, type ErrorKind } from "./errors";
export type * from "./types";

export const open: api.Open = (source, options) => openModel(browser, source, options);

// A bundler finds each worker by these words: they stay as they are.
const browser: Surroundings = {
  start: () => elsewhere("worker.js") ?? new Worker(new URL("./worker.js", import.meta.url), { type: "module" }),
  read: fetched,
  files: filesOf,
};

const startStore = () => elsewhere("download.js") ?? new Worker(new URL("./download.js", import.meta.url), { type: "module" });

const kept = new Kept({ start: startStore, fetch: fetchModel, nameOf });
export const store: api.Store = kept;

/** A worker of a script at another origin, as of a content delivery network: browsers start such ones by a script of the page's own. */
function elsewhere(name: string): Worker | null {
  const here = new URL(import.meta.url);
  if (!here.protocol.startsWith("http") || here.origin === location.origin) return null;
  const script = new Blob([`import ${JSON.stringify(new URL(name, here).href)};`], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(script), { type: "module" });
}

async function filesOf(source: api.ModelSource, options: api.OpenOptions, calls: Options): Promise<OwnFiles> {
  if (isList<unknown>(source)) return kinded("input", calls.signal, async () => chosenModel([...(source as readonly File[])]));
  if (isBundled(source)) return bundledModel(await bundledWeights(calls));
  return kept.files(source as string | URL, options, calls);
}

/** A model's name as the store has it: addresses in whole. */
function nameOf(source: string | URL, hub: string): string {
  const text = String(source);
  return source instanceof URL || /^(\.{0,2}\/|https?:)/.test(text) ? tidyName(new URL(text, document.baseURI).href, hub) : text;
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
