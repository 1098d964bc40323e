// A worker in a thread of Node: what it wants of a browser, then its script.

import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { DiskFolder, DiskLocks } from "./node-disk";
import { STORE, storePath } from "./node-store";
import { packed, ThreadWorker, unpacked } from "./node-thread";

const inbox = new EventTarget();
const request = globalThis.fetch;

const browser = {
  self: globalThis,
  name: workerData.name,
  location: new URL(import.meta.url),
  // Threads may share memory, as the workers of an isolated page.
  crossOriginIsolated: true,
  Worker: ThreadWorker,
  navigator: {
    hardwareConcurrency: availableParallelism(), onLine: true,
    storage: { getDirectory: async () => new DiskFolder(storePath()) }, locks: new DiskLocks(join(storePath(), "locks")),
  },
  addEventListener: inbox.addEventListener.bind(inbox),
  removeEventListener: inbox.removeEventListener.bind(inbox),
  postMessage: (message: unknown, { transfer = [] }: StructuredSerializeOptions = {}) => parentPort.postMessage(packed(message), transfer),
  async fetch(address: RequestInfo | URL, init?: RequestInit) {
    if (!(address instanceof URL) || address.protocol !== "file:") return request(address, init);
    return new Response(await readFile(address), { headers: { "content-type": "application/wasm" } });
  },
};
for (const [name, value] of Object.entries(browser)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

// Messages wait until the script listens.
await import(new URL(workerData.name === STORE ? "./download.js" : "./worker.js", import.meta.url).href);

// Files are opened on the way, and a message must not overtake the one before.
const state = { last: Promise.resolve() };
parentPort.on("message", (message) => {
  state.last = state.last.then(async () => void inbox.dispatchEvent(new MessageEvent("message", { data: await unpacked(message) })));
});
