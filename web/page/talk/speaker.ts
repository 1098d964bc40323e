// A model that speaks, in a worker of its own, and what was said with it. A worker that has stopped is replaced, and what
// was said is said to it again.

import { Caller, type Options } from "../../client/caller";
import type { DeviceChoice, Dtype, OwnFiles, Progress } from "../../shared/protocol";
import type { Look, Looked, Place, Saying, TalkCalls, TalkInfo } from "../../shared/talk";

/** How an answer is made. */
export interface Asking {
  question: string;
  /** Where it is asked: what was said from there on is forgotten once the answer begins. */
  from: Place;
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

/** A model's files, and how they are kept. */
interface Model {
  files: OwnFiles;
  device: DeviceChoice;
  dtype: Dtype;
}

/** A photograph of the conversation, and its tiles at most. */
interface Shown {
  photo: File;
  tiles: number;
}

/** The beginning of a conversation. */
const BEGINNING: Place = { tokens: 0, photos: 0 };

export class Speaker {
  #caller: Caller<TalkCalls> | null = null;
  #model: Model | null = null;
  /** All tokens of the conversation. */
  #said: number[] = [];
  /** Its photographs, in their order. */
  #shown: Shown[] = [];
  /** How much of it the worker has. */
  #there = BEGINNING;
  /** Whether it is loading or asked: the worker is not brought elsewhere meanwhile. */
  #busy = false;
  /** Done when the worker has all of it. */
  #bringing: Promise<unknown> | null = null;

  /** Whether the model’s worker has stopped: the next question starts it again. */
  get stopped(): boolean {
    return this.#model !== null && (this.#caller?.broken ?? true);
  }

  /** The model that is loaded, by its name where it has one. */
  get model(): { model: string; dtype: Dtype } | null {
    return this.#model && { model: this.#model.files.name ?? "", dtype: this.#model.dtype };
  }

  /** Where the conversation ends. */
  get place(): Place {
    return { tokens: this.#said.length, photos: this.#shown.length };
  }

  /** Loads a model, with which a new conversation begins. Where it fails, the one before and its conversation stay. */
  async load(model: Model, options: Options): Promise<TalkInfo> {
    return this.#alone(async () => {
      const info = await this.#start(model, options);
      this.#model = model;
      this.begin();
      return info;
    });
  }

  /** Does what changes the conversation. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#busy = true;
    try {
      await this.#bringing?.catch(() => undefined);
      return await work();
    } finally {
      this.#busy = false;
    }
  }

  /** Begins a new conversation. */
  begin() {
    [this.#said, this.#shown, this.#there] = [[], [], BEGINNING];
  }

  /** Starts a worker with a model in the place of the one before. */
  async #start({ files, device, dtype }: Model, options: Options): Promise<TalkInfo> {
    const worker = new Worker(new URL("../../worker/talk.ts", import.meta.url), { type: "module" });
    const caller = new Caller<TalkCalls>(worker, "The model stopped unexpectedly.");
    // When weights are read, the files are known to suit each other. Two models may not fit the memory.
    const reading = (read: Progress) => {
      this.#end();
      options.progress?.(read);
    };
    try {
      await caller.ask("open", device, options);
      const info = await caller.ask("load", { files, dtype }, { ...options, progress: reading });
      this.#end();
      this.#caller = caller;
      return info;
    } catch (error) {
      caller.end();
      throw error;
    }
  }

  /** Asks, and tells the answer word by word until it ends or is stopped. Where it fails before its first word, the question was not asked. */
  async ask({ from, photo, tiles, most, ...how }: Asking, options: Options, told: (saying: Saying) => void) {
    await this.#alone(async () => {
      const caller = await this.#bring(from, options);
      const shown = this.#shown.slice(0, from.photos);
      if (photo && !shown.some((one) => one.photo === photo)) {
        await caller.ask("see", { photo, tiles });
        shown.push({ photo, tiles });
      }
      const said = [...this.#said.slice(0, from.tokens), ...(await caller.ask("ask", how, options))];
      options.signal?.throwIfAborted();
      // Each token is a call, so that a stop is heard.
      for (let ended = false; !ended && !options.signal?.aborted;) {
        const saying = await caller.ask("next", most, options);
        // Stopped before its first word, it was not asked.
        if (saying.tokens === 0) options.signal?.throwIfAborted();
        ended = saying.ended;
        if (saying.id !== null) said.push(saying.id);
        [this.#said, this.#shown] = [said, shown];
        this.#there = this.place;
        told(saying);
      }
    });
  }

  /** The worker, with the conversation up to a place: what it lacks is shown and said to it again. */
  async #bring({ tokens, photos }: Place, options: Options): Promise<Caller<TalkCalls>> {
    if (!this.#model) throw new Error("Open a model that speaks first: an InternVL’s files.");
    if (this.stopped) await this.#start(this.#model, options);
    const caller = this.#caller;
    if (!caller) throw new DOMException("The model was ended.", "AbortError");
    this.#there = { tokens: Math.min(tokens, this.#there.tokens), photos: Math.min(photos, this.#there.photos) };
    await caller.ask("takeBack", this.#there);
    for (const shown of this.#shown.slice(this.#there.photos, photos)) await caller.ask("see", shown);
    const ids = this.#said.slice(this.#there.tokens, tokens);
    if (ids.length > 0) await caller.ask("remember", ids, options);
    this.#there = { tokens, photos };
    return caller;
  }

  /** A photograph's number in the conversation; null where it is no part of it. */
  numberOf(photo: File): number | null {
    const at = this.#shown.findIndex((one) => one.photo === photo);
    return at < 0 ? null : at;
  }

  /** What the model looked at of a photograph when it chose some tokens; null where it is busy with another question. */
  async look(look: Look): Promise<Looked | null> {
    if (this.stopped || look.end > this.#there.tokens || look.photo >= this.#there.photos) {
      if (this.#busy) return null;
      await (this.#bringing ??= this.#bring(this.place, {}).finally(() => (this.#bringing = null)));
    }
    const caller = this.#caller;
    return caller?.ask("look", look).catch((error: unknown) => {
      // Another model was opened.
      if (caller !== this.#caller) return null;
      throw error;
    }) ?? null;
  }

  /** What the model did by itself. */
  async notes(): Promise<string[]> {
    return this.#caller?.ask("notes", null) ?? [];
  }

  /** Ends the worker, and with it what it holds. */
  #end() {
    this.#caller?.end();
    [this.#caller, this.#there] = [null, BEGINNING];
  }
}
