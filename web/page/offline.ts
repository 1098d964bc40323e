// Keeps the page on the device, so that it opens offline.

import { bytes } from "../shared/format";
import { part } from "./dom";

/** What worker/offline.ts takes for the request. */
const TAKE_OVER = "take over";

/** Lets a later version of the page take over, where one has been fetched and no other tab is open: the page begins anew. */
export async function takeLater() {
  const { serviceWorker } = navigator as Partial<Pick<Navigator, "serviceWorker">>;
  const waiting = (await serviceWorker?.getRegistration().catch(() => undefined))?.waiting;
  if (!serviceWorker || !waiting) return;
  serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  waiting.postMessage(TAKE_OVER);
}

/** Registers the service worker, where the browser has them. */
export async function keepOffline() {
  const note = part(document, "#offline", HTMLElement);
  const { serviceWorker } = navigator as Partial<Pick<Navigator, "serviceWorker">>;
  // Without one, or where it cannot keep the page, the page works online as before.
  const registered = await serviceWorker?.register(new URL("sw.js", document.baseURI)).catch(() => null);
  if (!serviceWorker || !registered) return;
  await serviceWorker.ready;
  const { usage } = await navigator.storage.estimate().catch(() => ({ usage: 0 }));
  note.textContent = `Kept on this device${usage ? ` (${bytes(usage)})` : ""}: opens offline.`;
  note.hidden = false;
}
