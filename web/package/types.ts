/// <reference lib="esnext.disposable" preserve="true" />
// What a program sees of the package: every type, and nothing that runs.

/** What a global class of this name makes, in a program that has one. */
type Made<Name extends string> = typeof globalThis extends Record<Name, { prototype: infer T }> ? T : never;

/** Pixels row by row, `[height, width, 4]`: red, green, blue, alpha from 0 to 255. An `ImageData` is one. */
export interface Pixels {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Pixels that a canvas takes by `putImageData`; in Node plain `Pixels`. */
export type Picture = [Made<"ImageData">] extends [never] ? Pixels : Made<"ImageData">;

/**
 * A photograph: a picture file (`Blob`, `File`, its bytes), its address (a path in Node), pixels, or in a page whatever can be drawn.
 * Orientations in files are obeyed. What is transparent is seen on white.
 */
export type Photo =
  | Blob | URL | string | Uint8Array | ArrayBuffer | Pixels
  | Made<"ImageBitmap"> | Made<"HTMLImageElement"> | Made<"HTMLCanvasElement"> | Made<"OffscreenCanvas"> | Made<"HTMLVideoElement">;

/** What an `<input type="file">` holds. */
export type ListOfFiles = Made<"FileList">;

/**
 * `"bundled"` or `"dinov2-small"` is the DINOv2 ViT-S/14 of this package, another than `"facebook/dinov2-small"`. `"owner/name"`, with `@revision` where wanted, is a model of the hub,
 * a `URL` or an address a folder on a server: both are fetched once and kept, by a page in the browser's private file system,
 * by Node in `internvit-js` of the hub's folder (`HF_HOME`). Files are `config.json` with its `.safetensors`, and what stands
 * beside them. In Node also the path of a folder, or of a file or an index, with what stands beside it.
 */
export type ModelSource = "bundled" | "dinov2-small" | (string & {}) | URL | readonly File[] | ListOfFiles;

/** What is done, in bytes or photographs; a total of 0 is unknown. */
export interface Progress {
  /** Bytes are fetched from a server, stored ones are checked, another tab fetches the same, weights go to the device; photographs are encoded. */
  readonly stage: "fetch" | "check" | "wait" | "load" | "encode";
  readonly done: number;
  readonly total: number;
}

/** What every call may be given. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason, as `fetch` does. */
  signal?: AbortSignal | undefined;
}

export interface OpenOptions extends CallOptions {
  /** `"auto"` is a GPU by WebGPU where there is one, else the processor. In Node the processor computes. */
  device?: "auto" | "gpu" | "cpu" | undefined;
  /** The precision on a GPU: all values (`f32`, `f16`), or the blocks' weights. The processor computes in `f32`. */
  dtype?: "f32" | "f16" | "int8" | "w8a8" | "int4" | undefined;
  /** Workers that compute on the processor; by the machine and the model if left out. */
  threads?: number | undefined;
  /** Whether what reads texts is fetched from the hub too, for `text` and `classifyWith`. Of files that are given it is taken. */
  texts?: boolean | undefined;
  /** The hub's address; if left out `https://huggingface.co`, in Node what `HF_ENDPOINT` says. */
  hub?: string | undefined;
  /** An access token, which goes to the hub alone; if left out none, in Node `HF_TOKEN` or that of a login. */
  token?: string | undefined;
  /** What it throws ends the opening, which rejects with it. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** How large a photograph is seen. */
export interface Sized {
  /** Side of the square in pixels, or the short side of `"native"`; the model's own if left out. */
  size?: number | undefined;
  /** Another name of `size`. */
  imageSize?: number | undefined;
}

export interface SizeOptions extends CallOptions, Sized {
  /** How the aspect ratio is handled; as the model's preprocessing says if left out. */
  resize?: "squash" | "crop" | "native" | "middle" | "pad" | "patches" | undefined;
}

export interface FeatureOptions extends SizeOptions {
  /** Layers wanted besides the last hidden state: 0 is the embedding, i the output of block i, -1 the last block's. */
  layers?: readonly number[] | undefined;
  /** Receives how many photographs are done. What it throws ends the call, which rejects with it. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface LookOptions extends SizeOptions {
  /** Cuts the photograph into at most this number of tiles of the model's size, which overlap and are blended. */
  tiles?: number | undefined;
  /** Encodes it this number of times along each axis, for a grid as many times as fine: 1 to 4. */
  shifts?: number | undefined;
  /** Where the edges of the picture come from; the photograph's colours if left out. */
  edges?: "patches" | "smooth" | "photograph" | undefined;
  /**
   * What the data have a value for: the patches, which are the model's own values, if left out, or the photograph's pixels, interpolated
   * as `edges` says and NaN where the model did not look.
   */
  dataAt?: "patches" | "pixels" | undefined;
}

/**
 * A view with its settings. `at` is a pixel `[x, y]` of the photograph, `layer` the last hidden state if left out, `head` one of
 * `ModelInfo.heads` from 0, the mean of all if left out.
 */
export type ViewRequest =
  | { view: "pca"; layer?: number; foreground?: boolean; swap?: boolean }
  | { view: "similarity"; at: readonly [number, number]; layer?: number; centred?: boolean }
  | { view: "attention"; at?: readonly [number, number]; layer?: number; head?: number }
  | { view: "rollout"; at?: readonly [number, number]; layer?: number }
  | { view: "clusters"; layer?: number; k?: number }
  | { view: "norms"; layer?: number }
  | { view: "words"; text: string }
  | { view: "segmentation" };

/** A view by its name, or with its settings. */
export type ViewName = "pca" | "attention" | "rollout" | "clusters" | "norms" | "segmentation";

/** Numbers with their shape, the last axis closest together. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Features of one photograph. C is the model's width. */
export interface Features {
  /** The file's name. */
  readonly name: string;
  /** Of the photograph, in pixels. */
  readonly width: number;
  readonly height: number;
  /** What of it the model saw: left, top, width, height in pixels. */
  readonly region: readonly [number, number, number, number];
  /** Rows and columns of patches. */
  readonly grid: readonly [number, number];
  /** What stands for the whole photograph, `[C]`: what the model pools, else the mean of the patches. */
  readonly pooled: Float32Array;
  /**
   * What a store of vectors keeps, `[P]`: of models that were taught beside texts (CLIP, SigLIP) what is compared with
   * `Texts.embeddings`, of length 1; of others `pooled` as it is.
   */
  readonly embedding: Float32Array;
  /** The class token, `[C]`; of models without one the same as `pooled`. */
  readonly cls: Float32Array;
  /** The patches of the last hidden state, `[rows, columns, C]`. */
  readonly patches: Tensor;
  /** The tokens before the patches, `[prefix, C]`: class token, registers. */
  readonly prefix: Tensor;
  /** The patches of a layer that was asked for, `[rows, columns, C]`. Throws a `ModelError` for another layer. */
  hidden(layer: number): Tensor;
  /** A view of the same photograph at the same size, which encodes it again. */
  look(view: ViewName | ViewRequest, options?: LookOptions): Promise<View>;
}

/** A class or a text, and how probable it is, from 0 to 1. */
export interface Guess {
  /** Its number, from 0. */
  readonly class: number;
  readonly name: string;
  readonly probability: number;
}

/** Texts that the model has read. */
export interface Texts {
  readonly texts: readonly string[];
  /** Their vectors, `[texts, P]`, each of length 1: the product with `Features.embedding` is the cosine. */
  readonly embeddings: Tensor;
}

/** A view of a photograph. */
export interface View {
  /** Its colours, to be stretched over the region. */
  readonly image: Picture;
  /** Its values on the grid of patches: `[rows, columns]`, of `pca` `[rows, columns, 3]`, of `attention` `[heads + 1, rows, columns]`. */
  readonly data: Tensor;
  /** The part of the photograph that it shows: left, top, width, height in pixels. */
  readonly region: readonly [number, number, number, number];
  /** The values of the darkest and the brightest colour, where there are such. */
  readonly range: readonly [number, number] | null;
  /** Classes or clusters: names, colours, and percent of the region. */
  readonly names: readonly string[];
  readonly palette: readonly (readonly [number, number, number])[];
  readonly shares: readonly number[];
}

/** A class for each pixel. */
export interface Segmentation {
  readonly width: number;
  readonly height: number;
  /** The part of the photograph that it covers: left, top, width, height in pixels. */
  readonly region: readonly [number, number, number, number];
  /** The class of each pixel, `[height, width]`. */
  readonly labels: Uint8Array;
  readonly names: readonly string[];
  readonly palette: readonly (readonly [number, number, number])[];
  /** Percent of the pixels that each class has. */
  readonly shares: readonly number[];
}

/** The same by a head that was taught, at the photograph's own size. */
export interface TaughtSegmentation extends Segmentation {
  /** How unsure each pixel is, `[height, width]`: 0 where one class has all the probability, 1 where two have the same. */
  readonly unsure: Float32Array;
  /** Each class's probability at each pixel, `[classes, height, width]`, where `probabilities` asked for it. */
  readonly probabilities: Tensor | null;
}

/** What was taught. */
export interface Head {
  readonly names: readonly string[];
  readonly palette: readonly (readonly [number, number, number])[];
  /** The layers whose features it classifies. */
  readonly layers: readonly number[];
  /** Its safetensors file, which the page and the command line read too. */
  readonly bytes: Uint8Array;
}

/** Points on photographs. Ends with `fit`. */
export interface Teach {
  /** Another photograph, to which the points that follow belong. */
  photo(photo: Photo): Teach;
  /** A class, and a pixel `[x, y]` that shows it. */
  point(name: string, at: readonly [number, number]): Teach;
  /** A block whose features are classified, -1 the last; several are put side by side. */
  layer(layer: number): Teach;
  /** How classes are told apart: `"walk"` along what looks alike, if not called. */
  method(method: "walk" | "linear" | "mlp"): Teach;
  /** The short side to which photographs are resized, in pixels. */
  size(pixels: number): Teach;
  /** Learns from the points, which are of two classes at least. What was named wrongly before is told here. */
  fit(options?: CallOptions): Promise<Head>;
}

/** Where a model computes. */
export interface Device {
  readonly kind: "gpu" | "cpu";
  readonly name: string;
  readonly backend: string;
  /** Why it is not a GPU, where one was looked for. */
  readonly reason: string | null;
}

export interface ModelInfo {
  /** Channels of a token. */
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Sides of the square input and of a patch, in pixels. */
  readonly imageSize: number;
  readonly patch: number;
  readonly parameters: number;
  /** Of the weights as they are stored. */
  readonly bytes: number;
  /** Classes of its segmentation head and of its classifier; 0 without one. */
  readonly classes: number;
  readonly labels: number;
  /** Whether it reads texts; `"left out"`: it could, opened with `texts`. */
  readonly texts: "read" | "left out" | "none";
}

/** A model that is open. Calls are made one after the other, in their order. All reject with a `ModelError`, with their signal's reason, or with what `onProgress` throws. */
export interface Model {
  readonly name: string;
  readonly device: Device;
  readonly info: ModelInfo;
  /** Workers that compute. */
  readonly threads: number;
  /** What it did by itself and its caller should know, a sentence each: a device that was lost, preprocessing that it does not obey. */
  readonly notes: readonly string[];
  /** Features of a photograph, or of several in their order. */
  features(photo: Photo, options?: FeatureOptions): Promise<Features>;
  features(photos: readonly Photo[] | ListOfFiles, options?: FeatureOptions): Promise<Features[]>;
  /** What a photograph shows by the model's own classes: the ten most probable, the first of them first. */
  classify(photo: Photo, options?: CallOptions): Promise<Guess[]>;
  /** Reads texts, or one. */
  text(texts: string | readonly string[], options?: CallOptions): Promise<Texts>;
  /** Which of the texts describes a photograph: all of them, the most probable first. */
  classifyWith(texts: Texts | string | readonly string[], photo: Photo, options?: CallOptions): Promise<Guess[]>;
  /** A view of a photograph. */
  look(photo: Photo, view: ViewName | ViewRequest, options?: LookOptions): Promise<View>;
  /** A photograph's parts by the model's own head, as the page shows them: seen once, the longer side of the labels at most 768 pixels. */
  segment(photo: Photo, options?: SizeOptions): Promise<Segmentation>;
  /** Begins to teach a segmentation by points on a photograph. */
  teach(photo: Photo): Teach;
  /** A photograph's parts by a head that was taught, or by its file. */
  segmentWith(head: Head | Uint8Array, photo: Photo, options?: CallOptions & Sized & { probabilities?: boolean | undefined }): Promise<TaughtSegmentation>;
  /** Ends its workers, and with them its memory. Calls that wait for an answer reject. */
  close(): void;
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A model that is kept: by the browser for this site, or in Node for the user. */
export interface StoredModel {
  /** As it was opened: `owner/name`, or the address of a folder. */
  readonly name: string;
  /** Of all its files, in bytes. */
  readonly bytes: number;
  /** Whether all of it is here; else opening it goes on where fetching was stopped. */
  readonly complete: boolean;
}

/** The models that are kept once they were fetched. */
export interface Store {
  list(): Promise<StoredModel[]>;
  /** Deletes one; what is not there counts as deleted. */
  remove(name: string): Promise<void>;
}

/** Opens a model. Rejects with a `ModelError`, with the signal's reason, or with what `onProgress` throws. */
export type Open = (source: ModelSource, options?: OpenOptions) => Promise<Model>;
