// The service worker: keeps one version of the page, whole and checked by digests, and serves it offline.
// The build writes `FILES`, the SHA-256 of each file by its path, and `VERSION`, the digest of them all, before this code.

import { relaxedSimd } from "../shared/relaxed";

declare const FILES: Readonly<Record<string, string>>;
declare const VERSION: string;

/** What the types of a page's scripts lack. */
interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Lasting {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Scope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void>; matchAll(which: { includeUncontrolled: boolean }): Promise<readonly unknown[]> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetching) => void): void;
  addEventListener(type: "message", listener: (event: MessageEvent & Lasting) => void): void;
}

const scope = self as unknown as Scope;
const PREFIX = "internvit-page-";
const NAME = PREFIX + VERSION;
/** What the page says to a later version; its file is not shared, as this script has none beside it. */
const TAKE_OVER = "take over";

/** Files that an earlier version, or the browser's own cache, may have already: no need to fetch them twice. */
const lasting = (path: string) => /^(models|samples)\/|\.wasm$/.test(path);
/** Of the larger model only what the page has fetched is kept, and of the two modules the one that it takes. */
const optional = (path: string) => path.startsWith("models/dinov2-small/model") || (path.endsWith(".wasm") && path.includes("_relaxed") !== relaxedSimd());

const addressOf = (path: string) => new URL(path, scope.registration.scope).href;

async function install() {
  const cache = await caches.open(NAME);
  try {
    for (const [path, digest] of Object.entries(FILES)) {
      const response = await checked(path, digest);
      if (response) await cache.put(addressOf(path), response);
      else if (!optional(path)) throw new Error(`${path}: expected the content of this version, found another or none.`);
    }
  } catch (error) {
    await caches.delete(NAME);
    throw error;
  }
}

/** A file whose content has the digest; null where it cannot be had. */
async function checked(path: string, digest: string): Promise<Response | null> {
  const url = addressOf(path);
  const stored = [() => earlier(url), () => fetch(url, { cache: "only-if-cached", mode: "same-origin" })];
  const served = () => fetch(url, { cache: "reload" });
  for (const take of [...(lasting(path) ? stored : []), ...(optional(path) ? [] : [served])]) {
    const response = await take().catch(() => undefined);
    if (response && (await fits(response, digest))) return response;
  }
  return null;
}

/** The file as an earlier version keeps it. */
async function earlier(url: string): Promise<Response | undefined> {
  for (const name of await caches.keys()) {
    const found = name.startsWith(PREFIX) && name !== NAME ? await (await caches.open(name)).match(url) : undefined;
    if (found) return found;
  }
  return undefined;
}

async function fits(response: Response, digest: string): Promise<boolean> {
  if (response.status !== 200 || response.redirected) return false;
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.clone().arrayBuffer()));
  return [...found].map((byte) => byte.toString(16).padStart(2, "0")).join("") === digest;
}

async function activate() {
  const others = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
  await Promise.all(others.map((name) => caches.delete(name)));
  // A page of an earlier version keeps to that one.
  if (others.length === 0) await scope.clients.claim();
}

/** The path of a file of this version; null for any other address. */
function pathOf(url: string): string | null {
  const [address = ""] = url.split(/[?#]/);
  const { scope: root } = scope.registration;
  if (!address.startsWith(root)) return null;
  const path = address.slice(root.length).replace(/^index\.html$/, "");
  return Object.hasOwn(FILES, path) ? path : null;
}

async function answer(path: string, event: Fetching): Promise<Response> {
  const { request } = event;
  const cache = await caches.open(NAME);
  const known = await cache.match(addressOf(path));
  if (known) return known;
  const response = await fetch(request);
  const copy = response.clone();
  event.waitUntil(fits(copy, FILES[path] ?? "").then((right) => (right ? cache.put(addressOf(path), copy) : undefined)).catch(() => undefined));
  return response;
}

/** Takes over from an earlier version, unless another tab has a page of it. */
async function takeOver() {
  // A page that is being left counts for a moment longer.
  for (let tries = 0; tries < 10; tries++) {
    if ((await scope.clients.matchAll({ includeUncontrolled: true })).length < 2) return scope.skipWaiting();
    await new Promise((done) => setTimeout(done, 100));
  }
}

scope.addEventListener("install", (event) => event.waitUntil(install()));
scope.addEventListener("activate", (event) => event.waitUntil(activate()));
scope.addEventListener("message", (event) => event.data === TAKE_OVER && event.waitUntil(takeOver()));
scope.addEventListener("fetch", (event) => {
  const { method, url, headers, cache } = event.request;
  const path = method === "GET" && !headers.has("range") && cache !== "reload" && cache !== "no-store" ? pathOf(url) : null;
  // The server answers for all else: what is asked anew, and what is no part of the page.
  if (path !== null) event.respondWith(answer(path, event));
});
