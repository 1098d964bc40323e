// The models that can stand beside: the page's own two, those that the browser stores, and files of this visit.

import { bytes } from "../../shared/format";
import { readName } from "../../shared/model-name";
import type { ModelSource, OwnFiles } from "../../shared/protocol";
import { spelled } from "../../shared/spelled";
import type { DefaultModel } from "./better";
import type { Options } from "../../client/caller";
import type { ModelLoading } from "./loading";
import { bundled, BUNDLED_NAME, BUNDLED_TITLE, DEFAULT_ID, DEFAULT_NAME } from "./picker";
import type { ModelList } from "./models";

/** A model to choose. */
export interface Offer {
  /** As an address calls it; that of files of this visit is of no use elsewhere. */
  name: string;
  /** In words, with its memory where that is much. */
  text: string;
}

/** What the names of files of this visit begin with: an address leads to them in this visit alone. */
const OWN = "own:";

/** Bytes of weights from which on the memory is told before the choice. */
const MUCH = 200e6;

export class Shelf {
  readonly #better: DefaultModel;
  #list: ModelList | null = null;
  #loading: ModelLoading | null = null;

  constructor(better: DefaultModel) {
    this.#better = better;
  }

  /** Tells what is stored, and what is loaded. */
  fill(list: ModelList, loading: ModelLoading) {
    [this.#list, this.#loading] = [list, loading];
  }

  /** The model in front; empty while there is none. */
  get front(): string {
    const source = this.#loading?.source;
    if (!source) return "";
    if ("folder" in source) return BUNDLED_NAME;
    if (source.name === undefined) return OWN + this.#opened.indexOf(source);
    return source.name === DEFAULT_NAME ? DEFAULT_ID : (source.name ?? "");
  }

  /** All that can be chosen now. */
  async offers(): Promise<Offer[]> {
    const stored = ((await this.#list?.stored()) ?? []).filter(({ complete }) => complete);
    const own = this.#opened.map(({ weights }, at) => ({ name: OWN + at, bytes: weights.reduce((sum, { size }) => sum + size, 0) }));
    const known = [BUNDLED_NAME, DEFAULT_ID].map((name) => ({ name, bytes: 0 }));
    return [...known, ...stored, ...own].map(({ name, bytes: size }) => ({ name, text: `${this.title(name)}${size > MUCH ? `, takes about ${bytes(size)} of memory` : ""}` }));
  }

  /** A model in words. */
  title(name: string): string {
    if (name === BUNDLED_NAME) return BUNDLED_TITLE;
    if (name === DEFAULT_ID) return DEFAULT_NAME;
    const own = this.#own(name);
    if (!own && isOwn(name)) return "a model of your own";
    if (!own) return spelled(name.replace(/^[\w.-]+\/(?=[\w.-]+(@|$))/, ""));
    const number = this.#opened.indexOf(own) + 1;
    return `${spelled(own.weights[0]?.name ?? "your files")}${this.#opened.length > 1 ? ` (${number})` : ""}`;
  }

  /** A model's files; fails where they are not here. */
  async source(name: string, options: Options): Promise<ModelSource> {
    if (name === BUNDLED_NAME) return bundled;
    if (name === DEFAULT_ID) return this.#better.files();
    const own = this.#own(name);
    if (own) return own;
    if (isOwn(name)) throw new Error("The model beside was one of your own files, which a link cannot hold: open its files once more behind the model’s name above, then choose it beside.");
    const stored = await this.#list?.open(name, options);
    if (!stored) throw new Error(`${name} is not stored in this browser. Download it under “Other models”, then choose it for the view beside.`);
    return { name, ...stored };
  }

  get #opened(): readonly OwnFiles[] {
    return this.#loading?.opened ?? [];
  }

  #own(name: string): OwnFiles | undefined {
    return name.startsWith(OWN) ? this.#opened[Number(name.slice(OWN.length))] : undefined;
  }
}

/** Whether an address may name a model for the view beside. */
export function nameable(name: string): boolean {
  return name === BUNDLED_NAME || name === DEFAULT_ID || isOwn(name) || readName(name) !== null;
}

/** Whether a name is that of files of a visit. */
export function isOwn(name: string): boolean {
  return /^own:\d{1,3}$/.test(name);
}
