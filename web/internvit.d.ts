// The interface of the Rust module, src/web.rs, as the worker uses it.

import type { Device, DeviceChoice, ModelInfo, Settings } from "./protocol";

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
  /** `progress` counts the blocks; its false cancels, and the promise rejects. */
  encode(
    name: string,
    bytes: Uint8Array,
    options: Settings,
    progress: (done: number, total: number) => boolean | Promise<boolean>,
  ): Promise<Encoded>;
}

/** One photograph's features. They lie in the module's memory until free(). */
export class Encoded {
  private constructor();
  free(): void;
  /** The photograph's size, upright. */
  readonly width: number;
  readonly height: number;
  /** The grid of patches, over all tiles. */
  readonly rows: number;
  readonly cols: number;
  readonly tiles: number;
  readonly tokens: number;
  readonly hidden: number;
  readonly milliseconds: number;
  /** RGBA [height, width, 4]. */
  photo(): Uint8Array<ArrayBuffer>;
  /** RGBA [height, width, 4]: the three strongest directions of the patch features. */
  pca(): Uint8Array<ArrayBuffer>;
  /** RGBA [rows, cols, 4]. */
  pca_grid(): Uint8Array<ArrayBuffer>;
  /** "last_hidden_state", "pooler_output", "hidden_states.3" ... */
  names(): string[];
  tensor(name: string): Float32Array<ArrayBuffer>;
  shape(name: string): Uint32Array;
}
