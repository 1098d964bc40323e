// A model that speaks, in a worker of its own, which lives from when a model is opened.

import { Caller, type Options } from "../client/caller";
import type { DeviceChoice, Dtype, OwnFiles } from "../shared/protocol";
import type { Look, Looked, Place, Saying, TalkCalls, TalkInfo } from "../shared/talk";

/** How an answer is made. */
export interface Asking {
  question: string;
  /** What the question is about: looked at before, if it was not. */
  photo: File | null;
  /** Tiles of a photograph at most. */
  tiles: number;
  /** Tokens of the answer at most. */
  most: number;
  /** 0 takes the likeliest words. */
  temperature: number;
  seed: number;
  /** Whether it is shown what each token looked at. */
  looking: boolean;
}

export class Speaker {
  #caller: Caller<TalkCalls> | null = null;
  /** The photographs of the conversation, in their order. */
  #photos: File[] = [];

  /** Whether a model was opened. */
  get opened(): boolean {
    return this.#caller !== null;
  }

  /** Loads a model, with which a new conversation begins. */
  async load(files: OwnFiles, device: DeviceChoice, dtype: Dtype, options: Options): Promise<TalkInfo> {
    this.end();
    const worker = new Worker(new URL("../worker/talk.ts", import.meta.url), { type: "module" });
    const caller = new Caller<TalkCalls>(worker, "The model has stopped. Open it again to go on.");
    try {
      await caller.ask("open", device, options);
      const info = await caller.ask("load", { files, dtype }, options);
      this.#caller = caller;
      return info;
    } catch (error) {
      caller.end();
      throw error;
    }
  }

  /** Asks, and tells the answer word by word until it ends or is stopped. Where it fails, the question was not asked. */
  async ask({ question, photo, tiles, most, temperature, seed, looking }: Asking, options: Options, told: (saying: Saying) => void): Promise<Place> {
    const caller = this.#caller;
    if (!caller) throw new Error("Open a model that speaks first: an InternVL’s files.");
    const fresh = photo !== null && !this.#photos.includes(photo);
    if (fresh) await caller.ask("see", { photo, tiles }, options);
    const place = await caller.ask("ask", { question, temperature, seed, looking });
    if (fresh) this.#photos.push(photo);
    try {
      // Each token is a call, so that a stop is heard.
      for (let ended = false; !ended && !options.signal?.aborted;) {
        const saying = await caller.ask("next", most, options);
        // Stopped before its first word, it was not asked.
        if (saying.tokens === 0) options.signal?.throwIfAborted();
        ended = saying.ended;
        told(saying);
      }
    } catch (error) {
      if (!caller.broken) await this.takeBack(place);
      throw error;
    }
    return place;
  }

  /** A photograph's number in the conversation; null where it is no part of it. */
  numberOf(photo: File): number | null {
    const at = this.#photos.indexOf(photo);
    return at < 0 ? null : at;
  }

  /** What the model looked at of a photograph when it chose some tokens. */
  async look(look: Look): Promise<Looked | null> {
    return this.#caller?.ask("look", look) ?? null;
  }

  /** Takes back all but the beginning of the conversation. */
  async takeBack(place: Place) {
    if (this.#caller) await this.#caller.ask("takeBack", place);
    this.#photos.length = Math.min(this.#photos.length, place.photos);
  }

  /** What the model did by itself. */
  async notes(): Promise<string[]> {
    return this.#caller?.ask("notes", null) ?? [];
  }

  /** Ends the worker, and with it what it holds. */
  end() {
    this.#caller?.end();
    [this.#caller, this.#photos] = [null, []];
  }
}
