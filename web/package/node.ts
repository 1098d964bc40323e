// The package in Node: the same engine in a thread, on the processor.

import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chosenModel, isModelFile } from "../client/chosen-model";
import type { OwnFiles } from "../shared/protocol";
import { bundledModel, isBundled } from "./bundled";
import { ModelError } from "./errors";
import { openModel, type Surroundings } from "./model";
import { DiskFile, ThreadWorker } from "./node-thread";
import type * as api from "./types";

export { ModelError, type ErrorKind } from "./errors";
export type * from "./types";

export const open: api.Open = async (source, options = {}) => {
  if (options.device === "gpu") throw new ModelError("device", "In Node the processor computes: leave device out.");
  return openModel(node, source, { ...options, device: "cpu" });
};

export const store: api.Store = { list: async () => [], remove: async () => undefined };

const node: Surroundings = {
  start: () => new ThreadWorker(new URL("./node-worker.js", import.meta.url)) as unknown as Worker,
  read: readPhoto,
  files: filesOf,
};

async function filesOf(source: api.ModelSource): Promise<OwnFiles> {
  if (Array.isArray(source)) return chosen(source);
  const path = pathOf(source as string | URL);
  if (source === "bundled" || !existsSync(path)) {
    if (isBundled(source)) return bundledModel(await DiskFile.open(fileURLToPath(new URL("./models/dinov2-small/model.safetensors", import.meta.url))));
    throw new ModelError("io", `${path}: no such file or folder. In Node a model is "dinov2-small" (or "bundled"), the path of a folder or a file, or its files; one of the hub is fetched before, by \`internvit convert ${path} --out DIR\` or the hub's own program.`);
  }
  const whole = (await stat(path)).isDirectory();
  const folder = whole ? path : dirname(path);
  const names = (await readdir(folder)).filter((name) => isModelFile({ name }));
  const files = await Promise.all(names.map((name) => DiskFile.open(join(folder, name))));
  return { ...chosen(files.filter((file) => whole || file.path === path || file.name.endsWith(".json"))), name: path };
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
  if (/^https?:/.test(text)) throw new ModelError("input", `${text}: in Node a model is opened from a folder or from files.`);
  return text.startsWith("file:") ? fileURLToPath(new URL(text)) : text;
}
