// The interface of the Rust module, src/web.rs, as the worker uses it.

import type { Benchmark, BenchmarkRequest, Device, DeviceChoice, Encoded, Lesson, ModelInfo, Settings, Taught, Tensor, ViewMap, ViewRequest } from "./protocol";

export default function init(input?: { module_or_path: RequestInfo | URL | WebAssembly.Module }): Promise<unknown>;

export class Engine {
  private constructor();
  /** "auto" takes the GPU where there is one, else the CPU. */
  static open(device: DeviceChoice): Promise<Engine>;
  device(): Device;
  /** Reads each tensor's range as it needs it, so no file need be in memory whole. */
  load(
    config: string,
    files: { name: string; size: number }[],
    read: (file: number, start: number, end: number) => Promise<Uint8Array>,
    progress: (doneBytes: number, totalBytes: number) => void,
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
  /** RGBA [height, width, 4], upright. */
  pixels(photo: number): Uint8Array<ArrayBuffer>;
  /** "last_hidden_state", "pooler_output", "hidden_states.3" ... */
  tensor(photo: number, name: string): Promise<Tensor>;
  view(photo: number, request: ViewRequest): Promise<ViewMap>;
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
