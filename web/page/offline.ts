// Keeps the page on the device, so that it opens offline.

import { part } from "./dom";

/** What worker/offline.ts takes for the request. */
const TAKE_OVER = "take over";

/** Names under which this device serves itself: its server may have built another version since the last opening. */
const OWN: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
/** How long a page waits for that version before it begins with what it has, in milliseconds. */
const PATIENCE = 10_000;

/** Lets a later version of the page take over, where one has been fetched and no other tab is open: the page begins anew. */
export async function takeLater(): Promise<void> {
  const { serviceWorker } = navigator as Partial<Pick<Navigator, "serviceWorker">>;
  const registration = await serviceWorker?.getRegistration().catch(() => undefined);
  if (!serviceWorker || !registration) return;
  if (OWN.includes(location.hostname)) await newest(registration);
  if (!registration.waiting) return;
  serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  registration.waiting.postMessage(TAKE_OVER);
}

/** Fetches the version that the server has, where it is another one. */
async function newest(registration: ServiceWorkerRegistration): Promise<void> {
  await registration.update().catch(() => undefined);
  const worker = registration.installing;
  if (!worker) return;
  await new Promise<void>((resolve) => {
    worker.addEventListener("statechange", () => worker.state !== "installing" && resolve());
    setTimeout(resolve, PATIENCE);
  });
}

/** Registers the service worker, where the browser has them. */
export async function keepOffline() {
  const note = part(document, "#offline", HTMLElement);
  const { serviceWorker } = navigator as Partial<Pick<Navigator, "serviceWorker">>;
  // Without one, or where it cannot keep the page, the page works online as before.
  const registered = await serviceWorker?.register(new URL("sw.js", document.baseURI)).catch(() => null);
  if (!serviceWorker || !registered) return;
  await serviceWorker.ready;
  note.textContent = "This page is kept on this device: it opens offline.";
  note.hidden = false;
}
