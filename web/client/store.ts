// The models that the browser stores: whether it can, whether there is room, and fetching one.

import { bytes } from "../shared/format";
import type { ModelRequest, StoreCalls, StoredModel } from "../shared/protocol";
import type { Caller, Options } from "./caller";

/** Fetches what is not stored yet of a model; `planned` learns before what that is. */
export async function fetchModel(store: Caller<StoreCalls>, request: ModelRequest, options: Options, planned = (_: StoredModel): void => undefined) {
  checkAble();
  const stored = await store.ask("plan", request, options);
  planned(stored);
  await checkSpace(stored);
  await store.ask("download", request, options);
}

/** Whether the browser has a place for models. */
export const keeps = () => "storage" in navigator && "getDirectory" in navigator.storage;

/** Fails where the browser keeps no models for the page. */
export function checkAble() {
  if (!isSecureContext) throw new Error("Browsers keep models only for pages at https addresses and at localhost.");
  if (!keeps()) throw new Error("This browser can’t store models (private window?).");
}

/** Fails where the browser has no room for a model. */
async function checkSpace({ name, bytes: all, here }: StoredModel) {
  // Asked for now, when the visitor knows why; a browser that refuses may still delete what is stored.
  void navigator.storage.persist().catch(() => undefined);
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  const left = Math.max(0, quota - usage);
  if (all - here <= left) return;
  throw new Error(`${name} needs ${bytes(all - here)}, but the browser has room for ${bytes(left)} only. Delete another model, or free space on the device.`);
}
