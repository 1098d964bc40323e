// Models that are kept once they were fetched, by a worker of their own.

import { Caller, type Options } from "../client/caller";
import { readName } from "../shared/model-name";
import type { ModelRequest, OwnFiles, StoreCalls } from "../shared/protocol";
import { kinded, ModelError } from "./errors";
import { insist, storedName } from "./options";
import type * as api from "./types";

/** Where models are published. */
export const HUB = "https://huggingface.co";

type Store = Caller<StoreCalls>;

/** What differs between a page and Node. */
interface Place {
  start(): Worker;
  fetch(store: Store, request: ModelRequest, options: Options): Promise<unknown>;
  /** A model's name as the store has it: addresses in whole. */
  nameOf(source: string | URL, hub: string): string;
}

export class Kept implements api.Store {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  list(): Promise<api.StoredModel[]> {
    return this.#with(async (store) => (await store.ask("list", null)).map(({ name, bytes, complete }) => ({ name, bytes, complete })));
  }

  async remove(name: string): Promise<void> {
    insist(storedName, name, "store.remove");
    return this.#with(async (store) => void (await store.ask("remove", this.#place.nameOf(name, HUB))));
  }

  /** A model's files, fetched where they are not there. */
  files(source: string | URL, { hub = HUB, token = "", texts: words = false }: api.OpenOptions, calls: Options): Promise<OwnFiles> {
    const name = this.#place.nameOf(source, hub);
    if (!readName(name)) {
      throw new ModelError("input", `${name}: a model is "bundled", owner/name on the hub, the https address of its folder, or its files.`);
    }
    return this.#with(async (store) => {
      // What was found damaged is fetched anew, once.
      for (let again = false; ; again = true) {
        await this.#place.fetch(store, { name, hub, token, words }, calls);
        const files = await store.ask("open", name, calls).catch((error: unknown) => {
          if (again || calls.signal?.aborted) throw error;
          return null;
        });
        if (files) return { name, ...files };
        if (again) throw new Error(`${name} is no longer stored. Open it again.`);
      }
    }, calls.signal);
  }

  async #with<T>(work: (store: Store) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const store: Store = new Caller(this.#place.start(), "The worker that keeps models has stopped; what is stored stays. Try again.");
    return kinded("hub", signal, () => work(store)).finally(() => store.end());
  }
}
