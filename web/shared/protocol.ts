// What the page and the worker say to each other.

export type DeviceChoice = "auto" | "gpu" | "cpu";

export interface Device {
  kind: "gpu" | "cpu";
  name: string;
  backend: string;
  /** Why it is not the GPU. */
  reason: string | null;
}

export interface ModelInfo {
  hidden: number;
  layers: number;
  heads: number;
  image_size: number;
  patch: number;
  parameters: number;
  bytes: number;
  norm: string;
  /** Whether its config.json admits that nothing was trained. */
  random_weights: boolean;
  /** Classes of its segmentation head; 0 where it has none. */
  classes: number;
}

export interface Model {
  name: string;
  info: ModelInfo;
  /** Workers that compute, on the CPU. */
  threads: number;
  /** Why there are not as many as were wanted. */
  alone: string | null;
}

/** A model as blobs to read ranges of. */
export interface ModelFiles {
  name: string;
  config: string;
  /** The text of its preprocessor_config.json, where it has one. */
  preprocessor: string | null;
  files: { name: string; blob: Blob }[];
}

/** f32 as they are, f16 half of everything, int8 and int4 the weights of the blocks, w8a8 what they multiply too. */
export type Dtype = "f32" | "f16" | "int8" | "w8a8" | "int4";

/** A folder that holds config.json and model.safetensors, or the visitor's own files. */
export type ModelSource = { folder: string } | { name?: string; config: File; preprocessor?: File | null; weights: File[] };

/** What the visitor asks for, and what a download may need beside. */
export interface Wish {
  /** `owner/name`, `owner/name@revision`, or the address of a folder. */
  name: string;
  /** The address of the hub. */
  hub: string;
  /** For the hub alone; empty where there is none. */
  token: string;
}

/** A model that the browser keeps for this page, or a part of one. */
export interface StoredModel {
  name: string;
  /** Of all its files. */
  bytes: number;
  /** As many as are there. */
  here: number;
  complete: boolean;
}

/** A model that was published; `bytes` in 16 bits a parameter. */
export interface PublishedModel {
  name: string;
  image: number;
  parameters: number;
  bytes: number;
}

/** Each call that the worker of the stored models answers. */
export interface StoreCalls {
  catalogue: { given: null; answer: PublishedModel[] };
  list: { given: null; answer: StoredModel[] };
  /** Learns what is to be fetched; asks nothing where that is known. */
  plan: { given: Wish; answer: StoredModel };
  /** Goes on where it stopped. */
  download: { given: Wish; answer: null };
  /** Null where it is not stored; what is stored is checked by its digests once a visit. */
  open: { given: string; answer: { config: File; preprocessor: File | null; weights: File[] } | null };
  remove: { given: string; answer: null };
}

export interface Settings {
  image_size?: number;
  resize?: "squash" | "crop" | "native";
  tiles?: number;
}

/** An encoded photograph. Its features stay on the device until a view asks for them. */
export interface Encoded {
  /** The engine's number for it. */
  photo: number;
  width: number;
  height: number;
  /** What the network saw of it: left, top, width, height in pixels. */
  region: [number, number, number, number];
  rows: number;
  cols: number;
  tiles: number;
  tokens: number;
  hidden: number;
  milliseconds: number;
  tensors: string[];
  /** Patches of which every pixel is transparent: they are in no colours, clusters and lessons. */
  clear: number[];
}

/** `notes` say what the engine had to do by itself to encode it; `byBrowser`, that the browser's decoder read the file. */
export type Encoding = Encoded & { bitmap: ImageBitmap; notes: string[]; byBrowser: boolean };

/** Layer 0 is the embedding, i the output of block i; a token is a patch's place in the grid; `swap` takes the other side for the foreground. */
export type ViewRequest =
  | { view: "pca"; layer: number; foreground: boolean; swap?: boolean; basis: "own" | "keep" | "kept" }
  | { view: "similarity"; layer: number; token: number; of: number }
  | { view: "attention"; layer: number; token: number | null; head: number | null }
  | { view: "rollout"; layer: number; token: number | null }
  | { view: "clusters"; layer: number; k: number }
  | { view: "norms"; layer: number }
  | { view: "segmentation" }
  | { view: "taught" };

/** A view's colours, to be stretched over the photograph's region, and its data. */
export interface ViewMap extends Tensor {
  rgba: Uint8Array<ArrayBuffer>;
  width: number;
  height: number;
  /** Values of the darkest and the brightest colour. */
  range: [number, number] | null;
  /** For each pixel of rgba its class or cluster. */
  labels: Uint8Array<ArrayBuffer>;
  names: string[];
  palette: [number, number, number][];
  /** Percent of the region. */
  shares: number[];
  /** The patch that resembles most. */
  best: number | null;
}

/** Patches that the visitor has named. */
export interface Lesson {
  /** Several are put side by side. */
  layers: number[];
  names: string[];
  examples: { photo: number; token: number; class: number }[];
  /** Patches of photographs that were let go: their features in the lesson's layers, side by side. */
  vectors?: { features: Float32Array; class: number }[];
}

export interface Taught {
  layers: number[];
  names: string[];
  palette: [number, number, number][];
  milliseconds: number;
}

export interface Tensor {
  shape: number[];
  data: Float32Array<ArrayBuffer>;
}

/** What to measure; the model's own image size, and as many runs as some 20 s allow, where left out. */
export interface BenchmarkRequest {
  side?: number;
  batch: number;
  runs?: number;
}

/** What was measured: times in milliseconds, as `internvit bench --json` gives them. */
export interface Benchmark {
  batch: number;
  image_size: number;
  tokens: number;
  encode: {
    runs: number;
    median_ms: number;
    min_ms: number;
    max_ms: number;
    images_per_s: number;
    gflop: number;
    gflop_per_s: number;
  };
  first_result: { open_device_ms: number; load_weights_ms: number; pipelines_ms: number; first_run_ms: number };
  ceilings: { copy_gb_per_s: number; product_gflop_per_s: number; product_side: number };
  memory: { weight_bytes: number; slot_bytes: number; host_peak_bytes: number };
  profile: { timer: "timestamps" | "clock"; run_ms: number; kernels_ms: number; kernels: KernelTime[] };
}

/** All equal operations of one kernel; `of_ceiling` is a share of the copy's or the product's. */
export interface KernelTime {
  kernel: string;
  operation: string;
  dispatches: number;
  ms: number;
  share: number;
  gflop_per_s: number;
  gb_per_s: number;
  bound: "copy" | "product";
  of_ceiling: number;
}

/** Done and total are bytes, blocks for "encode", a part of 1 for "measure"; a total of 0 is not known. */
export interface Progress {
  stage: "fetch" | "check" | "wait" | "load" | "encode" | "measure";
  done: number;
  total: number;
}

/** Each call the worker answers: what it is given and what it gives back. */
export interface Calls {
  /** `threads` is for the CPU; null is as many as suit the machine and the model. */
  open: { given: { device: DeviceChoice; threads: number | null }; answer: Device };
  /** How a GPU keeps the values of the model that is loaded next. */
  keep: { given: Dtype; answer: null };
  load: { given: ModelSource; answer: Model };
  encode: { given: { photo: File; settings: Settings }; answer: Encoding };
  /** Pixels prepared elsewhere, `[batch, 3, height, width]`; `layers` are the hidden states wanted besides the last. */
  encodePixels: { given: { pixels: Tensor; layers: number[] }; answer: Encoded };
  tensor: { given: { photo: number; name: string }; answer: Tensor };
  view: { given: { photo: number; request: ViewRequest }; answer: ViewMap };
  teach: { given: Lesson; answer: Taught };
  /** The features of some patches in all layers, `[patches, layers + 1, C]`. */
  vectors: { given: { photo: number; patches: number[] }; answer: Tensor };
  exportHead: { given: null; answer: Uint8Array<ArrayBuffer> };
  importHead: { given: File; answer: Taught };
  forget: { given: number; answer: null };
  benchmark: { given: BenchmarkRequest; answer: Benchmark };
}

export type Call = keyof Calls;

/** What the engine asks a helper for: its part of two products and of what lies between; `through` is batch and tokens. */
export interface Task<Memory extends ArrayBufferLike = ArrayBuffer> {
  weight: string;
  x: Float32Array<Memory>;
  /** Nothing for the first product alone. */
  through: [number, number] | undefined;
}

/** With `memory` tasks come through it, otherwise as messages. */
export type ToHelper =
  | { module: WebAssembly.Module; model: ModelFiles; member: number; members: number; memory: SharedArrayBuffer | null }
  | { task: Task };

export type FromHelper = { id: number; answer: Float32Array<ArrayBuffer> | null } | { id: number; failure: string };
