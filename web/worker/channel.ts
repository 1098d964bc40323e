// A task and its answer in memory that the engine and a helper share: quicker than messages, which wait for an event loop.

import type { Task } from "../shared/team";

/** Words of the header: whose turn it is, number of values, batch, tokens, length of the text that follows. */
const [TURN, LENGTH, BATCH, TOKENS, TEXT] = [0, 1, 2, 3, 4] as const;

/** Whose turn it is. */
const [NOBODY, HELPER, ENGINE, FAILED] = [0, 1, 2, 3] as const;

/** Bytes of the header with its text; the values follow. */
const HEAD = 4096;

/** Largest size of the memory, in bytes; it is reserved, not used. */
const MOST = 2 ** 30;

/** How long to poll before sleeping, in milliseconds: waking up takes longer than most waits in an encode. */
const SPIN = 1;

export class Channel {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #text: Uint16Array<SharedArrayBuffer>;
  #end: Error | null = null;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, TEXT + 1);
    this.#text = new Uint16Array(memory, 4 * (TEXT + 1), HEAD / 2 - 2 * (TEXT + 1));
  }

  /** Opens a channel; null where the page may not share growable memory. */
  static open(): Channel | null {
    if (!self.crossOriginIsolated || !("grow" in SharedArrayBuffer.prototype)) return null;
    try {
      return new Channel(new SharedArrayBuffer(HEAD, { maxByteLength: MOST }));
    } catch {
      return null; // no room for the reserve
    }
  }

  /** Engine: hands a task over. */
  ask({ weight, x, through }: Task) {
    if (Atomics.load(this.#words, TURN) !== NOBODY) throw new Error("a worker is still busy");
    this.#words.set(through ?? [0, 0], BATCH);
    this.#write(weight);
    this.#put(x);
    this.#give(HELPER);
  }

  /** Engine: the answer, to be copied before the next task; null where none came within `wait` milliseconds. */
  answer(wait: number): Float32Array<SharedArrayBuffer> | null {
    if (this.#end) throw this.#end;
    if (!this.#past(HELPER, wait)) return null;
    const turn = Atomics.exchange(this.#words, TURN, NOBODY);
    if (turn === FAILED) throw new Error(this.#read());
    return this.#values();
  }

  /** Engine: fails every later wait for an answer. */
  end(error: Error) {
    this.#end = error;
  }

  /** Helper: performs tasks until one of them traps. Every failure is reported to the engine. */
  serve(work: (task: Task<SharedArrayBuffer>) => Float32Array): never {
    for (;;) {
      for (let turn; (turn = Atomics.load(this.#words, TURN)) !== HELPER;) this.#past(turn, Infinity);
      const [batch = 0, tokens = 0] = this.#words.subarray(BATCH, TOKENS + 1);
      try {
        this.#put(work({ weight: this.#read(), x: this.#values(), through: batch ? [batch, tokens] : undefined }));
        this.#give(ENGINE);
      } catch (error) {
        this.#write(error instanceof Error ? error.message : String(error));
        this.#give(FAILED);
        if (error instanceof WebAssembly.RuntimeError) throw error;
      }
    }
  }

  #give(turn: number) {
    Atomics.store(this.#words, TURN, turn);
    Atomics.notify(this.#words, TURN);
  }

  /** Waits while the turn is `turn`; returns whether it has changed. */
  #past(turn: number, wait: number): boolean {
    const end = performance.now() + Math.min(wait, SPIN);
    do {
      if (Atomics.load(this.#words, TURN) !== turn) return true;
    } while (performance.now() < end);
    return Atomics.wait(this.#words, TURN, turn, wait) !== "timed-out";
  }

  #put(values: Float32Array) {
    const end = HEAD + values.byteLength;
    if (this.memory.byteLength < end) this.memory.grow(end);
    new Float32Array(this.memory, HEAD, values.length).set(values);
    this.#words[LENGTH] = values.length;
  }

  #values(): Float32Array<SharedArrayBuffer> {
    return new Float32Array(this.memory, HEAD, this.#words[LENGTH]);
  }

  #write(text: string) {
    const length = Math.min(text.length, this.#text.length);
    for (let at = 0; at < length; at++) this.#text[at] = text.charCodeAt(at);
    this.#words[TEXT] = length;
  }

  #read(): string {
    return String.fromCharCode(...this.#text.subarray(0, this.#words[TEXT]));
  }
}
