// The messages between the page and its workers, and the records of the Rust module: each described once, as a shape
// that is checked where a message arrives and from which its type follows.

import {
  atLeast, boolean, either, floats, instance, list, nothing, nullable, number, optional, record, string, unchecked, variants, words,
  type Infer, type Shape,
} from "./shape";
import type { Benchmark } from "./benchmark";
import type { Embedded } from "./folder";

export type { Benchmark, KernelTime } from "./benchmark";

export type DeviceChoice = Infer<typeof deviceChoice>;
export const deviceChoice = words("auto", "gpu", "cpu");

export type Device = Infer<typeof device>;
export const device = record({
  kind: words("gpu", "cpu"),
  name: string,
  backend: string,
  /** Why the device is not the GPU. */
  reason: nullable(string),
});

export type ModelInfo = Infer<typeof modelInfo>;
export const modelInfo = record({
  hidden: number,
  layers: number,
  heads: number,
  image_size: number,
  patch: number,
  parameters: number,
  bytes: number,
  norm: string,
  /** Whether config.json says that the weights are random. */
  random_weights: boolean,
  /** Number of classes of the segmentation head; 0 without one. */
  classes: number,
  /** Number of classes of the classifier; 0 without one. */
  labels: number,
  /** Whether it reads texts, or could with files that are not here. */
  texts: words("read", "left out", "none"),
});

export type Model = Infer<typeof model>;
export const model = record({
  name: string,
  info: modelInfo,
  /** Number of workers that compute, on the CPU. */
  threads: number,
  /** Why fewer workers compute than were asked for. */
  alone: nullable(string),
});

/** The texts of a model's config.json, and of processor_config.json and preprocessor_config.json where they are there;
 * whether its tower for texts is wanted. */
export type ModelTexts = Infer<typeof modelTexts>;
export const modelTexts = record({ config: string, processor: nullable(string), preprocessor: nullable(string), words: boolean });

/** A file of a model, as the Rust module sees it. */
export type FileInfo = Infer<typeof fileInfo>;
export const fileInfo = record({ name: string, size: number });

/** The part of a file that the encoder needs: a header of its own, then ranges of the file. */
export interface FilePart {
  header: Uint8Array<ArrayBuffer>;
  ranges: [number, number][];
}

/** A model as blobs of which ranges are read. */
export type ModelFiles = Infer<typeof modelFiles>;
export const modelFiles = atLeast({
  name: string,
  config: string,
  processor: nullable(string),
  preprocessor: nullable(string),
  files: list(record({ name: string, blob: instance(Blob) })),
  /** The tokenizer's files; without them no texts are read. */
  words: list(instance(File)),
});

/** f32 and f16 apply to all values, int8 and int4 to the blocks' weights, w8a8 also to what these multiply. */
export type Dtype = Infer<typeof dtype>;
export const dtype = words("f32", "f16", "int8", "w8a8", "int4");

/** The files of a model that the visitor chose, or that the browser stores. */
export type OwnFiles = Infer<typeof ownFiles>;
export const ownFiles = record({
  name: optional(string),
  config: instance(File),
  processor: optional(nullable(instance(File))),
  preprocessor: optional(nullable(instance(File))),
  weights: list(instance(File)),
  words: optional(list(instance(File))),
});

/** The files of a model that the browser stores. */
export interface StoredFiles {
  config: File;
  processor: File | null;
  preprocessor: File | null;
  weights: File[];
  words: File[];
}

/** The address of a folder that holds config.json and model.safetensors, or files. */
export type ModelSource = Infer<typeof modelSource>;
const modelSource = either("folder", record({ folder: string }), ownFiles);

/** How the aspect ratio is handled, by the command line's names. */
export const RESIZES = ["squash", "crop", "native", "middle", "pad", "patches"] as const;

/** How a photograph becomes the model's input; without `resize` as the model's own preprocessing says. One that keeps its shape gets at most `most_patches`, a strip fewer pixels.
 * Tiles overlap and are blended; `shifts` encodes it this number of times along each axis, for a grid finer by that factor. */
export type Settings = Infer<typeof settings>;
export const settings = record({
  image_size: optional(number), resize: optional(words(...RESIZES)), tiles: optional(number), shifts: optional(number),
  most_patches: optional(number),
});

/** An encoded photograph. Its features stay on the device until a view asks for them. */
export type Encoded = Infer<typeof encoded>;
export const encoded = record({
  /** The engine's number for it. */
  photo: number,
  width: number,
  height: number,
  /** The region of the photograph that the model sees: left, top, width, height in pixels. */
  region: list(number) as Shape<[number, number, number, number]>,
  rows: number,
  cols: number,
  tiles: number,
  tokens: number,
  hidden: number,
  milliseconds: number,
  tensors: list(string),
  /** Fully transparent patches: left out of colours, clusters and lessons. */
  clear: list(number),
});

/** `notes` are the engine's remarks on the run; `byBrowser` tells that the browser's decoder read the file. */
export type EncodedFile = Encoded & { notes: string[]; byBrowser: boolean };
export type Encoding = EncodedFile & { bitmap: ImageBitmap };

/** Layer 0 is the embedding, i the output of block i; without one the last hidden state is seen. A token is a patch's index in the grid. */
export type ViewRequest = Infer<typeof viewRequest>;
export const viewRequest = variants("view", {
  /** `swap` takes the other side for the foreground. */
  pca: { layer: optional(number), foreground: boolean, swap: optional(boolean), basis: words("own", "keep", "kept") },
  /** `centred` takes the mean of the picture from all features. */
  similarity: { layer: optional(number), token: number, of: number, centred: optional(boolean) },
  attention: { layer: number, token: nullable(number), head: nullable(number) },
  rollout: { layer: number, token: nullable(number) },
  clusters: { layer: optional(number), k: number },
  norms: { layer: optional(number) },
  words: { text: string },
  segmentation: {},
  taught: {},
});

/** Where the edges of a drawn view come from: a square a patch, interpolation, or the photograph's colours. */
export type Edges = Infer<typeof edges>;
export const edges = words("patches", "smooth", "photograph");

export type Tensor = Infer<typeof tensor>;
export const tensor = record({ shape: list(number), data: floats() });

/** The pixels of a view. */
export const raster = record({
  rgba: bytes(),
  width: number,
  height: number,
  /** The class or cluster of each pixel of rgba; of a fine raster of values the value, from 0 to 255 over the map's range. */
  labels: bytes(),
});

/** A view's colours, to be stretched over the photograph's region, and its data. */
export type ViewMap = Infer<typeof viewMap>;
export const viewMap = record({
  ...tensor.fields,
  ...raster.fields,
  /** The same at the resolution of the photograph's pixels; null where the edges are the patches'. */
  fine: nullable(raster),
  /** Values of the darkest and the brightest colour. */
  range: nullable(list(number) as Shape<[number, number]>),
  names: list(string),
  palette: palette(),
  /** Percent of the region. */
  shares: list(number),
  /** The most similar patch. */
  best: nullable(number),
});

/** Of a view what its numbers at the pixels are made of. */
const mapData = record({ ...tensor.fields, width: number, height: number, labels: bytes() });

/** A class or a text with its number, and how probable it is, from 0 to 1. */
export type Label = Infer<typeof label>;
export const label = record({ class: number, name: string, probability: number });

/** How the patches of a photograph are spread, those that show anything: by each channel. */
export type Spread = Infer<typeof spread>;
export const spread = record({ count: number, mean: floats(), variance: floats() });

/** What a lesson keeps of a photograph that is released: the features of some patches in all layers, `[patches, layers + 1, C]`, and the
 * spread of all, of which the channels of a layer follow those of the layer before. */
export type Kept = Infer<typeof kept>;
export const kept = record({ vectors: tensor, spread });

/** Examples of classes: patches of photographs. */
export type Lesson = Infer<typeof lesson>;
export const lesson = record({
  /** The features of several layers are concatenated. */
  layers: list(number),
  names: list(string),
  /** The classes' colours; the usual ones if left out. */
  palette: optional(palette()),
  /** `at` is the pixel `[x, y]` of the photograph that was named; without it the whole patch was. */
  examples: list(record({ photo: number, token: number, class: number, at: optional(list(number) as Shape<[number, number]>) })),
  /** Patches of photographs whose features were released: their features in the lesson’s layers, concatenated, and how many of the
   * examples were named before. */
  vectors: optional(list(record({ features: instance<Float32Array>(Float32Array), class: number, before: optional(number) }))),
  /** The spread of each photograph that was released, in the lesson’s layers. */
  spreads: optional(list(spread)),
  /** `walk` spreads classes along what looks alike, to the photograph's edges; `linear` classifies each patch, `mlp` by a small network. */
  method: optional(words("linear", "mlp", "walk")),
});

/** How probabilities become masks: `smooth` in thousandths of the longer side, `least` in pixels of a part. */
export type Refine = Infer<typeof refine>;
export const refine = record({ edges, smooth: number, least: number });

/** Classes that were taught, at pixels. `unsure` is 0 where one class has all the probability, 1 where two have the same. */
export type Masks = Infer<typeof masks>;
export const masks = record({
  width: number,
  height: number,
  labels: bytes(),
  unsure: floats(),
  /** The classes' probabilities before they were brought to pixels, `[classes, rows, cols]`. */
  cells: tensor,
  /** `[classes, height, width]`, where they were asked for. */
  probabilities: floats(),
});

/** A photograph of which only a class is opaque. */
export type CutOut = Infer<typeof cutOut>;
export const cutOut = record({ width: number, height: number, rgba: bytes() });

/** A file of a zip archive. */
export type Entry = Infer<typeof entry>;
export const entry = record({ name: string, bytes: bytes() });

/** The files of one photograph's masks, and what COCO's JSON says of them. */
export type MaskFiles = Infer<typeof maskFiles>;
export const maskFiles = record({ files: list(entry), annotations: string });

export type Taught = Infer<typeof taught>;
export const taught = record({ layers: list(number), names: list(string), palette: palette(), milliseconds: number });

/** What to measure. Defaults: the model's image size, and as many runs as take about 20 s. */
export type BenchmarkRequest = Infer<typeof benchmarkRequest>;
export const benchmarkRequest = record({ side: optional(number), batch: number, runs: optional(number) });

/** How long other kernels may be tried, and whether also on a graphics adapter that computes on the processor. */
export type Patience = Infer<typeof patience>;
const patience = record({ seconds: number, software: boolean });

/** A kind of kernels that was tried: whether it computes what the device's own do, and how fast; null where that was not measured. */
export type KernelTrial = Infer<typeof kernelTrial>;
const kernelTrial = record({ kind: string, right: boolean, milliseconds: nullable(number) });

/** The kind of kernels that was found, and all that were tried, the device's own first. */
export type KernelChoice = Infer<typeof kernelChoice>;
export const kernelChoice = record({ kind: string, trials: list(kernelTrial) });

/** Done and total count bytes, blocks for "encode", tokens for "read", a fraction of 1 for "measure", steps for "arrange"; a total of 0 is unknown. */
export interface Progress {
  stage: "fetch" | "check" | "wait" | "load" | "encode" | "read" | "measure" | "arrange";
  done: number;
  total: number;
}

/** The calls that a worker answers. */
export type CallTable = Readonly<Record<string, { given: Shape<unknown>; answer: Shape<unknown> }>>;

/** For each call the types of what it is given and what it answers. */
export type CallTypes<T extends CallTable> = { [K in keyof T]: { given: Infer<T[K]["given"]>; answer: Infer<T[K]["answer"]> } };

export type Calls = CallTypes<typeof engineCalls>;
export type Call = keyof Calls;
export const engineCalls = {
  /** `threads` is for the CPU; null chooses by the machine and the model. Without `kernels` those compute that suit the device by
   * what it is; with it those that `tryKernels` found. `folder` is that of the model that is loaded next: it is fetched while the
   * module is compiled. */
  open: { given: record({ device: deviceChoice, threads: nullable(number), kernels: optional(patience), folder: optional(string) }), answer: device },
  /** Sets the precision in which a GPU stores the model that is loaded next. */
  setPrecision: { given: dtype, answer: nothing },
  load: { given: modelSource, answer: model },
  /** What tells the model from others, also from those of its shape and name, and its precision from others. */
  fingerprint: { given: nothing, answer: string },
  encode: { given: record({ photo: instance(File), settings }), answer: unchecked<Encoding>() },
  /** The same for those who draw nothing. */
  encodeFile: { given: record({ photo: instance(File), settings }), answer: unchecked<EncodedFile>() },
  /** What stands for the whole photograph; its patches are let go. */
  embed: { given: record({ photo: instance(File), settings }), answer: unchecked<Embedded>() },
  /** Preprocessed pixels, `[batch, 3, height, width]`; `layers` are hidden states to keep besides the last. */
  encodePixels: { given: record({ pixels: tensor, layers: list(number) }), answer: encoded },
  tensor: { given: record({ photo: number, name: string }), answer: tensor },
  /** The edges are the photograph's if left out. */
  view: { given: record({ photo: number, request: viewRequest, edges: optional(edges) }), answer: viewMap },
  /** A map's data at the pixels of its photograph; `several` says that the data are several maps. */
  numbers: { given: record({ photo: number, map: mapData, several: boolean, edges }), answer: tensor },
  /** What a photograph shows, the most probable first: by these texts, or without any by the model's own classes. */
  labels: { given: record({ photo: number, texts: list(string) }), answer: list(label) },
  /** Reads texts, so that they are known to be readable; `labels` and `view` read theirs themselves. */
  readTexts: { given: list(string), answer: nothing },
  /** The features of a text, of length 1: what those of photographs are compared with. */
  textVector: { given: string, answer: floats() },
  teach: { given: lesson, answer: taught },
  /** The features of some patches in all layers, `[patches, layers + 1, C]`. */
  kept: { given: record({ photo: number, patches: list(number) }), answer: kept },
  /** What was taught, on a photograph: `whole` at its own size; a class cut out of it. */
  masks: { given: record({ photo: number, refine, whole: boolean, soft: boolean }), answer: masks },
  cutOut: { given: record({ photo: number, class: number, refine }), answer: cutOut },
  /** Masks as files; `file` is the photograph's name, `soft` adds probabilities. */
  maskFiles: { given: record({ photo: number, file: string, name: string, refine, soft: boolean }), answer: maskFiles },
  /** A zip archive of files. */
  archive: { given: list(entry), answer: bytes() },
  exportHead: { given: nothing, answer: bytes() },
  importHead: { given: instance(File), answer: taught },
  forget: { given: number, answer: nothing },
  benchmark: { given: benchmarkRequest, answer: unchecked<Benchmark>() },
  /** Finds the fastest kernels for the model; null where the device has no others, or there was no time. */
  tryKernels: { given: nothing, answer: nullable(kernelChoice) },
} satisfies CallTable;

/** A model that the visitor names, and the access to it. */
export type ModelRequest = Infer<typeof modelRequest>;
const modelRequest = record({
  /** `owner/name`, `owner/name@revision`, of a model in GGUF with `:Q4_K_M` or `:FILE.gguf` behind it, or the address of a folder. */
  name: string,
  /** The address of the hub. */
  hub: string,
  /** An access token for the hub alone; may be empty. */
  token: string,
  /** Whether what reads texts is wanted too. */
  words: boolean,
  /** Whether all of it is wanted, with what speaks: stored apart from its encoder. */
  whole: optional(boolean),
});

/** A model that the browser stores for this page, or a part of one. */
export type StoredModel = Infer<typeof storedModel>;
const storedModel = record({
  name: string,
  /** Sizes of all its files, and what is stored of them. */
  bytes: number,
  here: number,
  complete: boolean,
  /** Whether it was fetched with what speaks. */
  whole: boolean,
});

export type StoreCalls = CallTypes<typeof storeCalls>;
export const storeCalls = {
  list: { given: nothing, answer: list(storedModel) },
  /** Finds out what to fetch; makes no request where that is known. */
  plan: { given: modelRequest, answer: storedModel },
  /** Continues where an earlier download stopped. */
  download: { given: modelRequest, answer: nothing },
  /** Null where the model is not stored. A file's digest is checked once a visit. */
  open: { given: string, answer: nullable(unchecked<StoredFiles>()) },
  /** Forgets a download that is not whole: what was a whole model before it stays one. */
  cancel: { given: string, answer: nullable(storedModel) },
  remove: { given: string, answer: nothing },
} satisfies CallTable;

function bytes() {
  return instance<Uint8Array<ArrayBuffer>>(Uint8Array);
}

function palette() {
  return list(list(number) as Shape<[number, number, number]>);
}
