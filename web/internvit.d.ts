// The interface of the Rust module, src/web.rs, as the worker uses it.

import type { Benchmark, BenchmarkRequest, Device, DeviceChoice, Encoded, Lesson, ModelInfo, PublishedModel, Settings, Task, Taught, Tensor, ViewMap, ViewRequest } from "./shared/protocol";

declare function init(input?: { module_or_path: RequestInfo | URL | WebAssembly.Module }): Promise<unknown>;
export default init;

export class Engine {
  private constructor();
  /** "auto" takes the GPU where there is one, else the CPU. */
  static open(device: DeviceChoice): Promise<Engine>;
  device(): Device;
  /** What it did by itself since the model was loaded, a sentence each: it opened a lost device anew, or left f16. */
  notes(): string[];
  /** How a GPU keeps the values of the model that is loaded next. */
  keep(dtype: string): void;
  /**
   * Reads each tensor's range as it needs it, so no file need be in memory whole. On the CPU `members`
   * compute: this engine, and helpers 1, 2 … to which `ask` hands a copy of a task; what that gives back is called for the
   * answer.
   */
  load(
    texts: { config: string; preprocessor: string | null },
    files: { name: string; size: number }[],
    read: (file: number, start: number, end: number) => Promise<Uint8Array>,
    progress: (doneBytes: number, totalBytes: number) => void,
    members: number,
    ask: (helper: number, task: Task) => () => Float32Array | Promise<Float32Array | null>,
  ): Promise<ModelInfo>;
  /**
   * `progress` counts the blocks; its false cancels, and the promise rejects.
   * The features of all layers stay on the device until `forget`.
   */
  encode(
    name: string,
    bytes: Uint8Array,
    options: Settings,
    progress: (done: number, total: number) => boolean | Promise<boolean>,
  ): Promise<Encoded>;
  encode_pixel_values(shape: Uint32Array, values: Float32Array, hiddenStates: Uint32Array): Promise<Encoded>;
  /** RGBA [height, width, 4], upright. */
  pixels(photo: number): Uint8Array<ArrayBuffer>;
  /** "last_hidden_state", "pooler_output", "hidden_states.3" ... */
  tensor(photo: number, name: string): Promise<Tensor>;
  view(photo: number, request: ViewRequest): Promise<ViewMap>;
  /** The features of some patches in all layers, `[patches, layers + 1, C]`. */
  vectors(photo: number, patches: Uint32Array): Promise<Tensor>;
  teach(lesson: Lesson): Promise<Taught>;
  /** The taught head as a safetensors file, and back. */
  export_head(): Uint8Array<ArrayBuffer>;
  import_head(name: string, bytes: Uint8Array): Promise<Taught>;
  forget(photo: number): void;
  /** `progress` is told the part done of 1; its false cancels. */
  benchmark(
    request: BenchmarkRequest,
    progress: (done: number, total: number) => boolean | Promise<boolean>,
  ): Promise<Benchmark>;
}

/** A worker's part of a model. */
export class Helper {
  private constructor();
  static load(
    config: string,
    files: { name: string; size: number }[],
    read: (file: number, start: number, end: number) => Promise<Uint8Array>,
    member: number,
    members: number,
  ): Promise<Helper>;
  /** The next answer may come in the same array. */
  answer(weight: string, x: Float32Array, through: [number, number] | undefined): Float32Array<ArrayBuffer>;
}

export function catalogue(): PublishedModel[];
/** The shards that model.safetensors.index.json names for the encoder. */
export function encoder_shards(index: string): Promise<string[]>;
/** What of each file the encoder needs: a header of its own and ranges; null for the whole file. */
export function encoder_parts(
  config: string,
  files: { name: string; size: number }[],
  read: (file: number, start: number, end: number) => Promise<Uint8Array>,
): Promise<({ header: Uint8Array<ArrayBuffer>; ranges: [number, number][] } | null)[]>;

/** Of bytes that come in pieces. */
export class Sha256 {
  update(bytes: Uint8Array): void;
  /** Ends it. */
  hex(): string;
  free(): void;
}
