// The engine of the page, in the worker that is built beside it.

import { Engine as Client, type StatusListener } from "../client/engine";

export class Engine extends Client {
  constructor(onStatus?: StatusListener) {
    super(() => new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module" }), onStatus);
  }
}
