// The page's side of the worker: calls that are promises, one at a time. Where the graphics device is lost or the
// worker dies, another one is brought to the same point, and the call that was running is made once more.

import { Caller, LOST, STOPPED, type Options } from "../shared/calls";
import { leaves, needs, numbered, type Asked, type Deed, type Key } from "./deeds";
import type { Call, Calls, Device, Encoded, Encoding } from "../shared/protocol";

/** What has happened, in words; the device once there is one again. */
export type News = (message: string, device: Device | null) => void;

/** The first wait for a device that was lost to come back, and the last, in milliseconds. */
const [SOON, LATE] = [250, 1000];

export class Engine {
  #caller: Caller<Calls> | null = null;
  #lastCall: Promise<unknown> = Promise.resolve();
  readonly #deeds = new Map<Key, Deed>();
  #lastPhoto = 0;
  #device: Device | null = null;
  readonly #news: News;

  constructor(news: News = () => undefined) {
    this.#news = news;
    this.#worker();
  }

  /**
   * Asks the worker, after every earlier call has ended. An aborted call rejects
   * at once; its place in the queue lasts until the worker has really stopped.
   */
  call<K extends Call>(call: K, given: Calls[K]["given"], options: Options = {}): Promise<Calls[K]["answer"]> {
    const { signal } = options;
    const asked = { call, given } as Asked;
    const answer = this.#lastCall.then(() => this.#insist(asked, options)) as Promise<Calls[K]["answer"]>;
    this.#lastCall = answer.catch(() => undefined);
    if (!signal) return answer;
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
      answer.then(resolve, reject);
    });
  }

  /** Once more where the worker was lost. */
  async #insist(asked: Asked, options: Options): Promise<unknown> {
    try {
      return await this.#perform(asked, options);
    } catch (error) {
      if (!this.#dismissed(error)) throw error;
      options.signal?.throwIfAborted();
      const what = error.name === LOST ? "The graphics device was lost" : "The model stopped unexpectedly";
      const before = this.#device?.kind;
      this.#news(`${what} and is being started again.`, null);
      try {
        const answer = await this.#perform(asked, options);
        const end = error.name === LOST ? "has been opened again" : "has been started again";
        const other = before !== undefined && before !== this.#device?.kind;
        this.#news(other ? `${what}. Now the processor does its work.` : `${what} and ${end}.`, this.#device);
        return answer;
      } catch (again) {
        this.#dismissed(again);
        this.#news(`${what}.`, this.#device);
        throw again;
      }
    }
  }

  #worker(): Caller<Calls> {
    return (this.#caller ??= new Caller<Calls>(
      new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module" }),
      "The model's worker has stopped. Reload the page to start it again.",
    ));
  }

  /** Whether an error leaves the worker without use; then the next call begins with another. */
  #dismissed(error: unknown): error is Error {
    if (!(error instanceof Error) || (error.name !== LOST && error.name !== STOPPED)) return false;
    this.#caller?.end();
    this.#caller = null;
    for (const deed of this.#deeds.values()) deed.done = false;
    return true;
  }

  /** Makes a call after all that it builds on; `again` is what it has left in a worker before. */
  async #perform(asked: Asked, options: Options, again: Key | null = null): Promise<unknown> {
    for (const need of needs(asked)) {
      const deed = this.#deeds.get(need);
      if (deed && !deed.done) await this.#perform(deed.asked, options, need);
    }
    const { call } = asked;
    if (call === "forget") return this.#forget(asked.given);
    const given = numbered(asked, (photo) => this.#deeds.get(photo)?.number ?? photo);
    const answer = call === "open" && again ? await this.#reopen(asked.given) : await this.#worker().ask(call, given as never, options);
    if (call === "open") this.#device = answer as Device;
    if (call === "load" && !again) this.#letModelGo();
    if (call !== "encode" && call !== "encodePixels") {
      const key = leaves(asked);
      if (key !== null) this.#deeds.set(key, { asked, done: true, number: 0 });
      return answer;
    }
    const encoded = answer as Encoded | Encoding;
    const photo = again ?? ++this.#lastPhoto;
    this.#deeds.set(photo, { asked, done: true, number: encoded.photo });
    // Whoever has asked for it the first time has its picture.
    if (again && "bitmap" in encoded) encoded.bitmap.close();
    return { ...encoded, photo };
  }

  async #reopen(given: Calls["open"]["given"]): Promise<Device> {
    for (let wait = SOON; ; wait *= 2) {
      const last = wait > LATE;
      const found = await this.#worker().ask("open", given).catch((error: unknown) => {
        if (last) throw error;
        return null;
      });
      if (found && (last || found.kind === this.#device?.kind)) return found;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** Another model knows nothing of what was encoded and taught. */
  #letModelGo() {
    for (const key of [...this.#deeds.keys()]) if (key !== "open" && key !== "keep") this.#deeds.delete(key);
  }

  async #forget(photo: number): Promise<null> {
    const deed = this.#deeds.get(photo);
    if (!deed) return null;
    const wanted = (["head", "basis"] as const).some((key) => {
      const lasting = this.#deeds.get(key);
      return lasting && needs(lasting.asked).includes(photo);
    });
    if (!wanted) this.#deeds.delete(photo);
    if (!deed.done) return null;
    deed.done = false;
    return this.#worker().ask("forget", deed.number);
  }
}
