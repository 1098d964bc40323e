// Which of the kernels that compute the same a graphics device is fastest with: made-up pictures are encoded by each kind
// while nothing else is asked for, and held against what the device's own kernels make of them. What is found is kept in
// this browser, and the next visit begins with it.

import type { Engine } from "#internvit";
import { LOST } from "../shared/calls";
import { CHOSEN, keptKernels } from "../shared/kernels";
import { fits } from "../shared/shape";
import { kernelChoice, type Dtype, type KernelChoice, type KernelTrial, type Model, type Patience } from "../shared/protocol";
import { adapterWords } from "./adapter";

/** Patches along a side of the smallest and of the largest picture that is tried. */
const [SMALLEST, LARGEST] = [4, 32];
/** Runs of each kind that are timed, in turn, so that a clock which rises favours none; the fastest counts. */
const ROUNDS = 3;
/** A kind that takes this factor longer than the fastest is not run again. */
const HOPELESS = 1.5;
/** The part of the time that a kind may take at most to be taken in place of the device's own. */
const MARGIN = 0.95;
/** How far a value may be from that of the device's own kernels, in root mean squares: rounding of sums, and of f16. */
const [APART, APART_HALF] = [1e-4, 2e-2];

/** What is tried: a model, and how it is stored. */
interface Subject {
  info: Model["info"];
  dtype: Dtype;
}

export class Kernels {
  readonly #kept = keptKernels();
  #patience: Patience | null = null;
  #subject: Subject | null = null;
  /** Milliseconds that are left for the model's trials. */
  #left = 0;

  /** Without patience the device's own kernels compute. */
  allow(patience: Patience | null) {
    this.#patience = patience;
  }

  /** Takes the kind that was found for a model before, or the device's own. */
  async recall(engine: Engine, info: Model["info"], dtype: Dtype) {
    this.#subject = { info, dtype };
    this.#left = 1000 * (this.#patience?.seconds ?? 0);
    const [own, ...others] = this.#kinds(engine);
    if (own === undefined || others.length === 0) return;
    const kept = await this.#find().catch(() => null);
    engine.use_family(kept && others.includes(kept.kind) ? kept.kind : own);
  }

  /** Finds the fastest kind, unless that is known; null where there is no choice, or no time is left. */
  async choose(engine: Engine, signal: AbortSignal): Promise<KernelChoice | null> {
    const kinds = this.#kinds(engine);
    if (!this.#subject || kinds.length < 2) return null;
    const known = await this.#find().catch(() => null);
    if (known) return known;
    const begin = performance.now();
    const trial = new Trial(engine, this.#subject, begin + this.#left, signal);
    try {
      const trials = await trial.all(kinds);
      const chosen = trials && choice(trials);
      engine.use_family(chosen?.kind ?? kinds[0]!);
      if (chosen) await this.#keep(chosen).catch(() => undefined); // it is found again on the next visit
      return chosen;
    } catch (error) {
      // One that the device does not survive is not tried again.
      if (error instanceof Error && error.name === LOST) await this.#keep(refused(kinds)).catch(() => undefined);
      if (!(error instanceof WebAssembly.RuntimeError)) engine.use_family(kinds[0]!);
      throw error;
    } finally {
      this.#left -= performance.now() - begin;
    }
  }

  #kinds(engine: Engine): string[] {
    return this.#patience ? engine.families(this.#patience.software) : [];
  }

  async #find(): Promise<KernelChoice | null> {
    const found = await this.#kept.get(CHOSEN, await this.#key());
    return fits(kernelChoice, found) ? found : null;
  }

  /** Keeps a choice; those of another build of this program are void. */
  async #keep(chosen: KernelChoice) {
    for (const key of await this.#kept.keys(CHOSEN)) if (!key.startsWith(build())) await this.#kept.remove(CHOSEN, key);
    await this.#kept.put(CHOSEN, await this.#key(), chosen);
  }

  async #key(): Promise<string> {
    const { info: { hidden, layers, heads, patch }, dtype } = this.#subject!;
    return [build(), navigator.userAgent, await adapterWords(), dtype, hidden, layers, heads, patch].join("; ");
  }
}

/** What changes with each build: the name of this script has a digest of all that it is of, the module included. */
const build = () => new URL(self.location.href).pathname;

/** The kind to take: another than the device's own where it is right, and faster by more than what runs differ by. */
function choice(trials: readonly KernelTrial[]): KernelChoice {
  const [own, ...others] = trials;
  const limit = MARGIN * (own!.milliseconds ?? 0);
  const better = others.filter(({ right, milliseconds }) => right && milliseconds !== null && milliseconds > 0 && milliseconds < limit);
  const fastest = better.sort((a, b) => a.milliseconds! - b.milliseconds!)[0] ?? own!;
  return { kind: fastest.kind, trials: [...trials] };
}

/** The device's own kind, whatever the others are. */
const refused = ([kind = "", ...others]: readonly string[]): KernelChoice => ({
  kind, trials: [{ kind, right: true, milliseconds: null }, ...others.map((other) => ({ kind: other, right: false, milliseconds: null }))],
});

/** Encodings by all kinds, one after the other. */
class Trial {
  readonly #engine: Engine;
  readonly #subject: Subject;
  readonly #end: number;
  readonly #signal: AbortSignal;
  #picture = new Float32Array();

  constructor(engine: Engine, subject: Subject, end: number, signal: AbortSignal) {
    [this.#engine, this.#subject, this.#end, this.#signal] = [engine, subject, end, signal];
  }

  /** What became of each kind, the device's own first; null where there was no time. */
  async all(kinds: readonly string[]): Promise<KernelTrial[] | null> {
    const [own = "", ...others] = kinds;
    this.#engine.use_family(own);
    const first = await this.#first(kinds.length);
    if (!first) return null;
    const { side, values, milliseconds } = first;
    const trials: KernelTrial[] = [{ kind: own, right: true, milliseconds }];
    for (const kind of others) {
      this.#engine.use_family(kind);
      // A kind that fails is not taken.
      const found = this.#late ? null : await this.#encode(side).catch((error: unknown) => this.#passed(error));
      trials.push({ kind, right: found !== null && this.#agree(found.values, values), milliseconds: null });
    }
    for (let round = 0; round < ROUNDS; round++) {
      // The device's own at last: where another is far better it is not run again.
      for (const trial of trials.filter(({ right }) => right).reverse()) {
        const best = Math.min(...trials.map(({ milliseconds }) => milliseconds ?? Infinity));
        if (trial.milliseconds !== null && trial.milliseconds > HOPELESS * best) continue;
        if (this.#late) return null;
        this.#engine.use_family(trial.kind);
        await this.#encode(side); // what another kind has left is made ready again
        const again = await this.#encode(side);
        trial.milliseconds = Math.min(trial.milliseconds ?? Infinity, again.milliseconds);
      }
    }
    return trials;
  }

  /** The largest picture for which there is time, encoded by the device's own kernels; null where there is none. */
  async #first(kinds: number): Promise<{ side: number; values: Float32Array; milliseconds: number } | null> {
    const runs = kinds * (1 + 2 * ROUNDS);
    const timed = async (side: number) => {
      await this.#encode(side);
      return { side, ...(await this.#encode(side)) };
    };
    let found = await timed(SMALLEST);
    // Four times as many patches take at most some four times as long.
    while (2 * found.side <= LARGEST && 4 * found.milliseconds * runs <= this.#end - performance.now()) found = await timed(2 * found.side);
    return found.milliseconds * runs <= this.#end - performance.now() ? found : null;
  }

  /** Encodes a made-up picture with this number of patches along its side. */
  async #encode(side: number): Promise<{ values: Float32Array; milliseconds: number }> {
    await new Promise((next) => setTimeout(next)); // a call that ends the trial is heard
    this.#signal.throwIfAborted();
    const pixels = side * this.#subject.info.patch;
    const length = 3 * pixels * pixels;
    if (this.#picture.length !== length) this.#picture = new Float32Array(length).map((_, i) => Math.sin(0.01 * i));
    const { photo, milliseconds } = await this.#engine.encode_pixel_values(new Uint32Array([1, 3, pixels, pixels]), this.#picture, new Uint32Array());
    try {
      return { values: (await this.#engine.tensor(photo, "last_hidden_state")).data, milliseconds };
    } finally {
      this.#engine.forget(photo);
    }
  }

  get #late(): boolean {
    return performance.now() >= this.#end;
  }

  /** Whether values are those expected, each but for rounding. */
  #agree(values: Float32Array, expected: Float32Array): boolean {
    const mean = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
    const most = mean * (this.#subject.dtype === "f16" ? APART_HALF : APART);
    return values.length === expected.length && values.every((value, i) => Math.abs(value - expected[i]!) <= most);
  }

  /** Passes over an error, but not over the end of the trial, of the module or of the device. */
  #passed(error: unknown): null {
    const ended = this.#signal.aborted || error instanceof WebAssembly.RuntimeError;
    if (ended || (error instanceof Error && error.name === LOST)) throw error;
    return null;
  }
}
