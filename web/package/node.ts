// The package in Node: the same engine in a thread, on the processor.

import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Options } from "../client/caller";
import { chosenModel, isBeside, isModelFile } from "../client/chosen-model";
import { readName, tidyName } from "../shared/model-name";
import type { OwnFiles } from "../shared/protocol";
import { bundledModel, isBundled } from "./bundled";
import { ModelError } from "./errors";
import { Kept } from "./kept";
import { openModel, type Surroundings } from "./model";
import { STORE, usualHub, usualToken } from "./node-store";
import { DiskFile, ThreadWorker } from "./node-thread";
import { openOptions, optionsOf } from "./options";
import type * as api from "./types";

export { ModelError, type ErrorKind } from "./errors";
export type * from "./types";

export const open: api.Open = async (source, given) => {
  const options = optionsOf(openOptions, given, "open");
  if (options.device === "gpu") throw new ModelError("device", "In Node the processor computes: leave device out.");
  return openModel(node, source, { ...options, device: "cpu" });
};

const kept = new Kept({
  start: () => new ThreadWorker(new URL("./node-worker.js", import.meta.url), { name: STORE }) as unknown as Worker,
  fetch: (caller, request, options) => caller.ask("download", request, options),
  nameOf: (source, hub) => tidyName(String(source), hub),
});
export const store: api.Store = kept;

const node: Surroundings = {
  start: () => new ThreadWorker(new URL("./node-worker.js", import.meta.url)) as unknown as Worker,
  read: readPhoto,
  files: filesOf,
};

async function filesOf(source: api.ModelSource, options: api.OpenOptions, calls: Options): Promise<OwnFiles> {
  if (Array.isArray(source)) return chosen(source as readonly File[]);
  if (isBundled(source)) return bundledModel(await DiskFile.open(fileURLToPath(new URL("./models/dinov2-small/model.safetensors", import.meta.url))));
  const text = String(source);
  if (/^https?:/.test(text) || (readName(text) && !existsSync(text))) {
    return kept.files(text, { ...options, hub: options.hub ?? usualHub(), token: options.token ?? (await usualToken()) }, calls);
  }
  const path = pathOf(text);
  if (!existsSync(path)) {
    throw new ModelError("io", `${path}: no such file or folder. In Node a model is "bundled", owner/name on the hub, the address of its folder, the path of a folder or a file, or its files.`);
  }
  const whole = (await stat(path)).isDirectory();
  const folder = whole ? path : dirname(path);
  const all = (await readdir(folder)).filter((name) => isModelFile({ name }));
  const names = whole ? all : await namesWith(path, all);
  return { ...chosen(await Promise.all(names.map((name) => DiskFile.open(join(folder, name))))), name: path };
}

/** The names of the file at a path and of what belongs to it, of those in its folder. */
async function namesWith(path: string, all: readonly string[]): Promise<string[]> {
  const own = basename(path);
  const named = /\.index\.json$/i.test(own) ? await shardsOf(path) : [];
  const shards = all.filter((name) => named.includes(name));
  if (named.length > 0 && shards.length === 0) throw new ModelError("checkpoint", `${path}: none of its shards lies beside it.`);
  return [...new Set([own, ...shards, ...all.filter((name) => isBeside({ name }))])];
}

/** The shards that an index names. */
async function shardsOf(path: string): Promise<string[]> {
  try {
    const { weight_map: map } = JSON.parse(new TextDecoder().decode(await readFile(path))) as { weight_map: Record<string, string> };
    return Object.values(map);
  } catch (error) {
    throw new ModelError("checkpoint", `${path}: not an index of shards.`, { cause: error });
  }
}

function chosen(files: readonly File[]): OwnFiles {
  try {
    return chosenModel(files);
  } catch (error) {
    throw new ModelError("input", error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function readPhoto(address: string | URL, signal: AbortSignal | undefined): Promise<File> {
  if (/^https?:/.test(String(address))) {
    const response = await fetch(address, { signal: signal ?? null }).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw new ModelError("io", `${String(address)} could not be fetched.`, { cause: error });
    });
    if (!response.ok) throw new ModelError("io", `${String(address)} could not be fetched: the server answers ${response.status}.`);
    return new File([await response.blob()], new URL(address).pathname.split("/").at(-1) || "photograph");
  }
  const path = pathOf(address);
  if (!existsSync(path)) throw new ModelError("io", `${path}: no such file.`);
  return DiskFile.open(path);
}

function pathOf(address: string | URL): string {
  const text = String(address);
  return text.startsWith("file:") ? fileURLToPath(new URL(text)) : text;
}
