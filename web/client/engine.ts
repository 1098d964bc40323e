// The calling side of the worker: calls that are promises, one at a time. Where the graphics device is lost or the
// worker dies, a replacement is brought to the same state, and the interrupted call is made once more.

import { LOST, STOPPED } from "../shared/calls";
import type { Call, Calls, Device, Encoded, Encoding } from "../shared/protocol";
import { unless } from "../shared/unless";
import { Caller, type Options } from "./caller";
import { needs, renumbered, stateOf, type Key, type ReplayEntry, type Request } from "./replay";

/** Receives what happened, in words, and the device once there is one again. */
export type StatusListener = (message: string, device: Device | null) => void;

/** The first and the last wait for a lost device to come back, in milliseconds. */
const [FIRST_WAIT, LAST_WAIT] = [250, 1000];

const ended = () => new DOMException("The engine was ended.", "AbortError");

/** Whether a call leaves a photograph in the worker. */
const encodes = (call: Call) => call === "encode" || call === "encodeFile" || call === "encodePixels";

export class Engine {
  #caller: Caller<Calls> | null = null;
  #lastCall: Promise<unknown> = Promise.resolve();
  readonly #entries = new Map<Key, ReplayEntry>();
  #lastPhoto = 0;
  #device: Device | null = null;
  #ended = false;
  /** What ends the call that gives way. */
  #aside: AbortController | null = null;
  #waiting = 0;
  /** When the last call was answered. */
  #answered = performance.now();
  readonly #start: () => Worker;
  readonly #onStatus: StatusListener;

  /** `start` makes the worker, also in the place of one that was lost. */
  constructor(start: () => Worker, onStatus: StatusListener = () => undefined) {
    this.#start = start;
    this.#onStatus = onStatus;
    this.#worker();
  }

  /**
   * Calls the worker after every earlier call has ended. An aborted call rejects
   * at once; its place in the queue lasts until the worker has really stopped, and has
   * let go of a photograph that it encoded all the same.
   */
  call<K extends Call>(call: K, given: Calls[K]["given"], options: Options = {}): Promise<Calls[K]["answer"]> {
    this.#aside?.abort();
    const { signal } = options;
    const request = { call, given } as Request;
    this.#waiting++;
    const made = this.#lastCall.then(() => this.#retried(request, options)) as Promise<Calls[K]["answer"]>;
    const answer = signal ? unless(signal, made) : made;
    const dropped = made.then((late) => answer.catch(() => this.#release(call, late)));
    this.#lastCall = dropped.catch(() => undefined).then(() => {
      this.#waiting--;
      this.#answered = performance.now();
    });
    return answer;
  }

  /** The same, but any other call that is made meanwhile ends it. */
  async aside<K extends Call>(call: K, given: Calls[K]["given"]): Promise<Calls[K]["answer"]> {
    const stop = new AbortController();
    const answer = this.call(call, given, { signal: stop.signal });
    this.#aside = stop;
    return answer.finally(() => {
      if (this.#aside === stop) this.#aside = null;
    });
  }

  /** For how long nothing has been asked for, in milliseconds. */
  get rested(): number {
    return this.#waiting > 0 ? 0 : performance.now() - this.#answered;
  }

  /** Ends the worker for good, and with it what it holds. Calls that wait for an answer are aborted. */
  end() {
    this.#ended = true;
    this.#caller?.end();
  }

  /** Performs a call, and once more where the worker was lost. */
  async #retried(request: Request, options: Options): Promise<unknown> {
    try {
      return await this.#perform(request, options);
    } catch (error) {
      if (this.#ended) throw ended();
      if (!this.#dropped(error)) throw error;
      options.signal?.throwIfAborted();
      const what = error.name === LOST ? "The graphics device was lost" : "The model stopped unexpectedly";
      const before = this.#device?.kind;
      this.#onStatus(`${what} and is being started again.`, null);
      try {
        const answer = await this.#perform(request, options);
        const end = error.name === LOST ? "has been opened again" : "has been started again";
        const other = before !== undefined && before !== this.#device?.kind;
        this.#onStatus(other ? `${what}. Now the processor does its work.` : `${what} and ${end}.`, this.#device);
        return answer;
      } catch (again) {
        if (this.#ended) throw ended();
        this.#dropped(again);
        this.#onStatus(`${what}.`, this.#device);
        throw again;
      }
    }
  }

  #worker(): Caller<Calls> {
    if (this.#ended) throw ended();
    return (this.#caller ??= new Caller<Calls>(this.#start(), "The model's worker has stopped, and starts again when it is asked next."));
  }

  /** Ends the worker where an error leaves it without use; the next call starts another. */
  #dropped(error: unknown): error is Error {
    if (!(error instanceof Error) || (error.name !== LOST && error.name !== STOPPED)) return false;
    this.#caller?.end();
    this.#caller = null;
    for (const entry of this.#entries.values()) entry.done = false;
    return true;
  }

  /** Makes a call after all that it needs; `replayed` is the state that a replayed call restores. */
  async #perform(request: Request, options: Options, replayed: Key | null = null): Promise<unknown> {
    for (const need of needs(request)) {
      const entry = this.#entries.get(need);
      if (entry && !entry.done) await this.#perform(entry.request, options, need);
    }
    const { call } = request;
    if (call === "forget") return this.#forget(request.given);
    const given = renumbered(request, (photo) => this.#entries.get(photo)?.number ?? photo);
    const answer = call === "open" && replayed ? await this.#reopen(request.given) : await this.#worker().ask(call, given as never, options);
    if (call === "open") this.#device = answer as Device;
    if (call === "load" && !replayed) this.#forgetModel();
    if (!encodes(call)) {
      const key = stateOf(request);
      if (key !== null) this.#entries.set(key, { request, done: true, number: 0 });
      return answer;
    }
    return this.#numbered(request, answer as Encoded | Encoding, replayed);
  }

  /** Gives an encoding the page's number for its photograph. */
  #numbered(request: Request, encoded: Encoded | Encoding, replayed: Key | null): Encoded | Encoding {
    const photo = Number(replayed ?? ++this.#lastPhoto);
    this.#entries.set(photo, { request, done: true, number: encoded.photo });
    // The first caller has the bitmap already.
    if (replayed && "bitmap" in encoded) encoded.bitmap.close();
    return { ...encoded, photo };
  }

  async #reopen({ folder: _, ...given }: Calls["open"]["given"]): Promise<Device> {
    for (let wait = FIRST_WAIT; ; wait *= 2) {
      const last = wait > LAST_WAIT;
      const found = await this.#worker().ask("open", given).catch((error: unknown) => {
        if (last) throw error;
        return null;
      });
      if (found && (last || found.kind === this.#device?.kind)) return found;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** Drops what was encoded and taught: another model does not have it. */
  #forgetModel() {
    for (const key of [...this.#entries.keys()]) if (key !== "open" && key !== "setPrecision") this.#entries.delete(key);
  }

  /** Lets go of an answer that nobody receives. */
  async #release(call: Call, answer: unknown) {
    if (!encodes(call)) return;
    const encoded = answer as Encoded | Encoding;
    if ("bitmap" in encoded) encoded.bitmap.close();
    await this.#forget(encoded.photo);
  }

  async #forget(photo: number): Promise<null> {
    const entry = this.#entries.get(photo);
    if (!entry) return null;
    const needed = (["head", "basis"] as const).some((key) => {
      const lasting = this.#entries.get(key);
      return lasting && needs(lasting.request).includes(photo);
    });
    if (!needed) this.#entries.delete(photo);
    if (!entry.done) return null;
    entry.done = false;
    return this.#worker().ask("forget", entry.number);
  }
}
