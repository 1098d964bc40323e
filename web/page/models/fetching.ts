// The worker that keeps models, and the download of one by its row in a list.

import { Caller, type Options } from "../../client/caller";
import { fetchModel } from "../../client/store";
import type { ModelRequest, StoreCalls, StoredModel } from "../../shared/protocol";
import type { Row } from "./row";

export class Store {
  #caller: Caller<StoreCalls> | null = null;

  /** Asks the worker, which starts when it is first needed, and again when it has died. */
  ask<K extends keyof StoreCalls & string>(call: K, given: StoreCalls[K]["given"], options: Options = {}): Promise<StoreCalls[K]["answer"]> {
    return this.#worker().ask(call, given, options);
  }

  #worker(): Caller<StoreCalls> {
    if (this.#caller && !this.#caller.broken) return this.#caller;
    return (this.#caller = new Caller<StoreCalls>(
      new Worker(new URL("../../worker/download.ts", import.meta.url), { type: "module" }),
      "The worker that keeps models has stopped; what is stored stays. Try again.",
    ));
  }

  /** Fetches a row's model, or goes on with it; whether it is whole then. `used` is the model in use. */
  async fetch(row: Row, request: ModelRequest, used: string | null): Promise<boolean> {
    const { signal } = (row.work = new AbortController());
    let key = row.name;
    const planned = (stored: StoredModel) => {
      key = stored.name;
      row.stored = stored;
    };
    row.begin();
    row.draw(used);
    try {
      await fetchModel(this.#worker(), request, { signal, progress: (progress) => row.report(progress) }, planned);
    } catch (error) {
      if (!signal.aborted) row.fail(error);
    }
    const stored = await this.ask("list", null).catch(() => []);
    row.stored = stored.find(({ name }) => name === key) ?? null;
    row.work = null;
    row.draw(used);
    return Boolean(row.stored?.complete) && !signal.aborted && !row.problem;
  }
}
