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
}

export interface Model {
  name: string;
  info: ModelInfo;
}

/** A folder that holds config.json and model.safetensors, or the visitor's own files. */
export type ModelSource = { folder: string } | { config: File; weights: File[] };

export interface Settings {
  image_size?: number;
  resize?: "squash" | "crop" | "native";
  tiles?: number;
  hidden_states?: number[];
}

/** What views draw. The tensors stay with the worker until a view asks for one. */
export interface Encoding {
  photo: ImageBitmap;
  pca: ImageBitmap;
  rows: number;
  cols: number;
  tiles: number;
  tokens: number;
  hidden: number;
  milliseconds: number;
  tensors: string[];
}

export interface Tensor {
  shape: number[];
  data: Float32Array<ArrayBuffer>;
}

/** Done and total are bytes, and blocks for "encode"; a total of 0 is not known. */
export interface Progress {
  stage: "fetch" | "load" | "encode";
  done: number;
  total: number;
}

/** Each call the worker answers: what it is given and what it gives back. */
export interface Calls {
  open: { given: DeviceChoice; answer: Device };
  load: { given: ModelSource; answer: Model };
  encode: { given: { photo: File; settings: Settings }; answer: Encoding };
  tensor: { given: string; answer: Tensor };
}

export type Call = keyof Calls;

export type Ask = { [K in Call]: { id: number; call: K; given: Calls[K]["given"] } }[Call];

export type ToWorker = Ask | { cancel: number };

export type FromWorker =
  | { id: number; progress: Progress }
  | { id: number; answer: Calls[Call]["answer"] }
  | { id: number; failure: string };
