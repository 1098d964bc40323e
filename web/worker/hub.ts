// Finds a model's files in a repository of the hub, or in a folder at an address.

import { isGguf, TALK_TOKENIZER, TOKENIZER, WEIGHTS } from "../shared/names";
import { encoder_shards } from "#internvit";
import { readName } from "../shared/model-name";
import type { ModelRequest, ModelTexts } from "../shared/protocol";
import { ggufFiles } from "./gguf-files";
import { insist, Missing, request, text, type Net } from "./net";
import { atLeast, list, string, unchecked, type Infer } from "../shared/shape";

/** A file of weights on a server. */
export interface Remote {
  name: string;
  url: string;
  size: number;
  /** Null where the server does not tell it. */
  sha256: string | null;
}

/** A model's texts, its files of weights, and its tokenizer's where texts are wanted. */
export interface Found extends ModelTexts {
  files: Remote[];
  tokenizer: Remote[];
}

/** Largest number of weight files. A model of 6 billion parameters in 32 bits has five. */
const MOST_FILES = 100;

/** Number of simultaneous requests to one server. */
const AT_ONCE = 4;

/** Performs the work for each item, a few at a time; the first failure ends it. */
async function few<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const done: U[] = [];
  const rest = [...items.entries()];
  let failed = false;
  const line = async () => {
    for (let next = rest.shift(); next && !failed; next = rest.shift()) {
      const [at, item] = next;
      done[at] = await work(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, line));
  return done;
}

/** Finds a model's configuration and the files that hold its encoder, or all; with `words`, or where all is wanted, those of its tokenizer. */
export async function find({ name, words, whole = false }: Pick<ModelRequest, "name" | "words" | "whole">, net: Net): Promise<Found> {
  const place = readName(name);
  if (!place) throw new Error(`${name} is neither owner/name nor an https address.`);
  const asked = "folder" in place ? folder(place.folder) : await repository(place.repo, place.revision, name, net);
  const remote = (list: readonly string[]) => few(list, (file) => asked.file(file, name, net));
  if ("repo" in place && (place.choice !== null || isAllGguf(asked.names))) {
    if (!whole) throw new Error(`${name} is a model that speaks, in GGUF: the page opens it under Talk.`);
    const files = await remote(ggufFiles(place.repo, asked.names, place.choice));
    // The files say themselves what a config.json would.
    return { config: "", processor: null, preprocessor: null, words, files: files.map((file) => ({ ...file, name: lastPart(file.name) })), tokenizer: [] };
  }
  const read = (file: string) => insist(net.signal, () => text(asked.url(file), `${name}/${file}`, net));
  const perhaps = async (file: string) => asked.lacks(file) ? null : read(file).catch((error: unknown) => {
    // A folder has no list of its files: only a request tells.
    if (error instanceof Missing) return null;
    throw error;
  });
  const usual = await perhaps("config.json");
  const config = usual ?? (await perhaps("open_clip_config.json"));
  if (config === null) throw new Error(`${name} holds no config.json, so it is no model that is known here.`);
  const processor = await perhaps("processor_config.json");
  const preprocessor = await perhaps("preprocessor_config.json");
  const shards = await perhaps("model.safetensors.index.json");
  const files = shards === null ? [wholeFile(asked, usual === null)] : whole ? allShards(name, shards) : await encoder_shards(shards);
  if (files.length === 0 || files.length > MOST_FILES) {
    throw new Error(`${name} lists ${files.length} files of weights, expected 1 to ${MOST_FILES}.`);
  }
  if (files.some(asked.lacks)) throw new Error(`${name} holds no safetensors weights that can be read here: ${files.join(", ")} is missing.`);
  return { config, processor, preprocessor, words, files: await remote(files), tokenizer: words || whole ? await tokenizerOf(asked, whole ? TALK_TOKENIZER : TOKENIZER, remote) : [] };
}

/** Whether a repository has no other weights than GGUF, as far as the page reads them. */
function isAllGguf(names: readonly string[]): boolean {
  const others = [...WEIGHTS, "model.safetensors.index.json"];
  return names.some((name) => isGguf({ name })) && !names.some((name) => others.includes(name));
}

/** A file's name without its folders, as the browser stores it. */
const lastPart = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/** All shards that an index names. */
function allShards(name: string, index: string): string[] {
  const told = shardIndex.misfit(parsed(index), "the index");
  if (told) throw new Error(`${name}/model.safetensors.index.json: ${told}.`);
  const { weight_map: map } = parsed(index) as Infer<typeof shardIndex>;
  return [...new Set(Object.values(map ?? {}).filter((file) => typeof file === "string"))].sort();
}

const shardIndex = atLeast({ weight_map: unchecked<Record<string, unknown>>() });

/** The one file of weights: by its usual name, or by open_clip's, which some repositories hold beside it. */
function wholeFile({ lacks }: Files, ofOpenClip: boolean): string {
  const [usual, other] = WEIGHTS;
  const [first, second] = ofOpenClip ? [other, usual] : WEIGHTS;
  return lacks(first) && !lacks(second) ? second : first;
}

/** The tokenizer's files that are there. A folder has no list of its files: only a request tells. */
async function tokenizerOf({ lacks }: Files, names: readonly string[], remote: (list: readonly string[]) => Promise<Remote[]>): Promise<Remote[]> {
  const lists = await Promise.all(names.filter((file) => !lacks(file)).map((file) => remote([file]).catch((error: unknown) => {
    if (error instanceof Missing) return [];
    throw error;
  })));
  return lists.flat();
}

interface Files {
  /** All that are there; none of a folder, which has no list. */
  names: readonly string[];
  url(file: string): string;
  lacks(file: string): boolean;
  file(file: string, name: string, net: Net): Promise<Remote>;
}

/** A file in the hub's answer. */
interface Sibling {
  rfilename: string;
  size?: number;
  lfs?: { sha256?: string; size?: number };
}

/** The hub's answer about a repository. */
const repositoryInfo = atLeast({ sha: string, siblings: list(unchecked<Sibling | null>()) });

/** Asks the hub for a repository's commit, files, sizes and digests, in one request. */
async function repository(repo: string, revision: string, name: string, net: Net): Promise<Files> {
  const api = `${net.hub}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const answer = await insist(net.signal, () => text(api, name, net));
  const told = parsed(answer);
  const wrong = repositoryInfo.misfit(told, name);
  if (wrong) throw new Error(`${new URL(api).host} does not answer as the hub does: ${wrong}.`);
  const { sha, siblings } = told as Infer<typeof repositoryInfo>;
  const known = (file: string) => siblings.find((one) => one?.rfilename === file);
  const url = (file: string) => `${net.hub}/${repo}/resolve/${[sha, ...file.split("/")].map(encodeURIComponent).join("/")}`;
  return {
    names: siblings.flatMap((one) => one?.rfilename ?? []),
    url,
    lacks: (file) => !known(file),
    async file(file) {
      if (!known(file)) throw new Error(`${name} lacks ${file}.`);
      const { lfs, size } = known(file) ?? {};
      return { name: file, url: url(file), size: lfs?.size ?? size ?? 0, sha256: lfs?.sha256 ?? null };
    },
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function folder(address: string): Files {
  const url = (file: string) => new URL(encodeURIComponent(file), address).href;
  return {
    names: [],
    url,
    lacks: () => false,
    async file(file, name, net) {
      const response = await insist(net.signal, () => request(url(file), `${name}/${file}`, net, { method: "HEAD" }));
      const size = Number(response.headers.get("content-length"));
      if (!size) throw new Error(`${new URL(address).host} does not tell how long ${file} is.`);
      return { name: file, url: url(file), size, sha256: null };
    },
  };
}
