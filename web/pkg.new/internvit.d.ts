/* tslint:disable */
/* eslint-disable */

import type {
    Benchmark, BenchmarkRequest, CutOut, Device, DeviceChoice, Dtype, Edges, Encoded, FileInfo, FilePart, Label, Lesson, Masks, ModelInfo,
    ModelTexts, Refine, Settings, Task, Taught, Tensor, ViewMap, ViewRequest,
} from "../shared/protocol";

/** Reads bytes `start..end` of the file of that number. */
type ReadRange = (file: number, start: number, end: number) => Promise<Uint8Array>;

/** Receives the progress; false cancels the call, whose promise then rejects. */
type OnProgress = (done: number, total: number) => void | boolean | Promise<boolean>;

/** Hands a copy of a task to helper 1, 2 …; the function it returns is called once for the answer. */
type AskHelper = (helper: number, task: Task) => () => Float32Array | Promise<Float32Array | null>;



/**
 * An encoder that can be given one model after another.
 */
export class Engine {
    private constructor();
    free(): void;
    [Symbol.dispose](): void;
    /**
     * The mask of one photograph as COCO's JSON; `file` is its name.
     */
    annotations(file: string, labels: Uint8Array | number[], width: number, height: number): string;
    /**
     * Encodes a made-up picture again and again: `{ side, batch, runs }`. Answers with the JSON of
     * `internvit bench --json`; `progress(part, 1)` returns false, or a promise of it, to cancel.
     */
    benchmark(request: BenchmarkRequest, progress: OnProgress): Promise<Benchmark>;
    /**
     * The photograph's pixels, all but a class's transparent: `{ width, height, rgba }`.
     */
    cut_out(photo: number, _class: number, refine: Refine): Promise<CutOut>;
    /**
     * `{ kind, name, backend, reason }`
     */
    device(): Device;
    /**
     * Encodes a photograph file; the features of all layers stay on the device until `forget`.
     * `progress(done, total)` returns false, or a promise of it, to cancel. Answers with what is
     * known of the photograph, its number among it.
     */
    encode(name: string, bytes: Uint8Array | number[], options: Settings, progress: OnProgress): Promise<Encoded>;
    /**
     * Encodes `pixel_values` of shape `[batch, 3, height, width]`, for tests and for those who
     * prepare their own pixels.
     */
    encode_pixel_values(shape: Uint32Array | number[], values: Float32Array | number[], hidden_states: Uint32Array | number[]): Promise<Encoded>;
    /**
     * The taught head as a safetensors file.
     */
    export_head(): Uint8Array<ArrayBuffer>;
    /**
     * Lets a photograph's features go.
     */
    forget(photo: number): void;
    /**
     * Takes over a head that was exported; answers as `teach` does.
     */
    import_head(name: string, bytes: Uint8Array | number[]): Promise<Taught>;
    /**
     * What a photograph shows, the most probable first: `[{ class, name, probability }]`. Of these texts, which
     * were read; without any the model's own classes, with empty names where they are ImageNet's thousand and its
     * configuration names none.
     */
    labels(photo: number, texts: string[]): Promise<Label[]>;
    /**
     * Labels as a PNG with the classes' colours as its palette.
     */
    labels_png(labels: Uint8Array | number[], width: number, height: number): Uint8Array;
    /**
     * Loads a model from `{ config, processor, preprocessor, words }`, the texts of its `config.json` and, where
     * it has them, its `processor_config.json` and `preprocessor_config.json`, and whether its tower for texts is
     * wanted where it has one, and from its files, of
     * which ranges are read through `read(file, start, end) -> Promise<Uint8Array>`. On the CPU `members` compute, this
     * engine and helpers that `ask(helper, task) -> Promise<Float32Array>` reaches.
     */
    load(texts: ModelTexts, files: FileInfo[], read: ReadRange, progress: OnProgress, members: number, ask: AskHelper): Promise<ModelInfo>;
    /**
     * Destroys the graphics device, as a driver that is reset does: for tests.
     */
    lose(): void;
    /**
     * The classes that were taught on a photograph, at the size of its maps, or `whole` at its own.
     * `refine` is `{ edges, smooth, least }`; `soft` adds the classes' probabilities.
     */
    masks(photo: number, refine: Refine, whole: boolean, soft: boolean): Promise<Masks>;
    /**
     * What the encoder did by itself, a sentence each: it opened a lost device again, left f16, or does
     * not obey all that the model's preprocessing asks for.
     */
    notes(): string[];
    /**
     * `auto` (a GPU, else the CPU), `gpu` or `cpu`.
     */
    static open(device: DeviceChoice): Promise<Engine>;
    /**
     * The photograph, upright, RGBA.
     */
    pixels(photo: number): Uint8Array<ArrayBuffer>;
    /**
     * A text as its tokenizer is given it.
     */
    plain_text(text: string): string;
    /**
     * Reads a text as numbers of tokens, of which the last `ends` end every text.
     */
    read_text(text: string, ids: Uint32Array | number[], ends: number): Promise<void>;
    /**
     * The segmentation head's logits `{ shape, data }`, `[batch, classes, h', w']`, for
     * `pixel_values` of shape `[batch, 3, height, width]`.
     */
    segment_pixel_values(shape: Uint32Array | number[], values: Float32Array | number[]): Promise<Tensor>;
    /**
     * Sets the precision in which a GPU stores the model that is loaded next: f32, f16, int8, w8a8
     * or int4.
     */
    set_precision(dtype: Dtype): void;
    /**
     * Fits a linear head to patches that the visitor has named:
     * `{ layers, names, examples: [{ photo, token, class, at }], vectors: [{ features, class }], method }`.
     * Answers with the head, `{ layers, names, palette, milliseconds }`.
     */
    teach(lesson: Lesson): Promise<Taught>;
    /**
     * A tensor `{ shape, data }`, read from the device.
     */
    tensor(photo: number, name: string): Promise<Tensor>;
    /**
     * The features of a text, of length 1; undefined where it was not read.
     */
    text_features(text: string): Float32Array<ArrayBuffer> | undefined;
    /**
     * The features of some patches in all layers, `[patches, layers + 1, C]`: what a lesson keeps
     * of a photograph that is let go.
     */
    vectors(photo: number, patches: Uint32Array | number[]): Promise<Tensor>;
    /**
     * A view of a photograph, with edges that come from the `patches`, from the `photograph`, or `smooth`.
     */
    view(id: number, request: ViewRequest, edges: Edges): Promise<ViewMap>;
}

/**
 * A worker's part of a model; it does what the engine asks for and knows nothing else.
 */
export class Helper {
    private constructor();
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Its part of two products, and of what lies between, for rows `x`; `through` is batch and
     * tokens, or nothing for the first product alone. The next answer may come in the same array.
     */
    answer(weight: string, x: Float32Array | number[], through: Task['through']): Float32Array<ArrayBuffer>;
    /**
     * Reads the part of member `member` (from 1) of `members`; the rest is given as to
     * `Engine.load`.
     */
    static load(config: string, files: FileInfo[], read: ReadRange, member: number, members: number, words: boolean): Promise<Helper>;
}

/**
 * A SHA-256 of bytes that come in pieces.
 */
export class Sha256 {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * The digest in hexadecimal; afterwards there is nothing left to update.
     */
    hex(): string;
    /**
     * Of nothing so far.
     */
    constructor();
    /**
     * Takes the next bytes.
     */
    update(bytes: Uint8Array | number[]): void;
}

/**
 * Checks configuration and headers as `Engine.load` does, and tells what of each file the encoder
 * needs, and with `words` its tower for texts: `[{ header, ranges } | null]`, null for all of it. Where the
 * encoder's are `stored` already, those of the tower for texts alone.
 */
export function encoder_parts(config: string, files: FileInfo[], read: ReadRange, words: boolean, stored: boolean): Promise<(FilePart | null)[]>;

/**
 * The shards that an index's text names for the encoder.
 */
export function encoder_shards(index: string): Promise<string[]>;

/**
 * Panics that should not happen are at least told to the console.
 */
export function start(): void;

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_engine_free: (a: number, b: number) => void;
    readonly __wbg_helper_free: (a: number, b: number) => void;
    readonly __wbg_sha256_free: (a: number, b: number) => void;
    readonly encoder_parts: (a: number, b: number, c: any, d: any, e: number, f: number) => any;
    readonly encoder_shards: (a: number, b: number) => any;
    readonly engine_annotations: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => [number, number, number, number];
    readonly engine_benchmark: (a: number, b: any, c: any) => any;
    readonly engine_cut_out: (a: number, b: number, c: number, d: any) => any;
    readonly engine_device: (a: number) => [number, number, number];
    readonly engine_encode: (a: number, b: number, c: number, d: number, e: number, f: any, g: any) => any;
    readonly engine_encode_pixel_values: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => any;
    readonly engine_export_head: (a: number) => [number, number, number, number];
    readonly engine_forget: (a: number, b: number) => void;
    readonly engine_import_head: (a: number, b: number, c: number, d: number, e: number) => any;
    readonly engine_labels: (a: number, b: number, c: number, d: number) => any;
    readonly engine_labels_png: (a: number, b: number, c: number, d: number, e: number) => [number, number, number, number];
    readonly engine_load: (a: number, b: any, c: any, d: any, e: any, f: number, g: any) => any;
    readonly engine_lose: (a: number) => void;
    readonly engine_masks: (a: number, b: number, c: any, d: number, e: number) => any;
    readonly engine_notes: (a: number) => [number, number];
    readonly engine_open: (a: number, b: number) => any;
    readonly engine_pixels: (a: number, b: number) => [number, number, number, number];
    readonly engine_plain_text: (a: number, b: number, c: number) => [number, number, number, number];
    readonly engine_read_text: (a: number, b: number, c: number, d: number, e: number, f: number) => any;
    readonly engine_segment_pixel_values: (a: number, b: number, c: number, d: number, e: number) => any;
    readonly engine_set_precision: (a: number, b: number, c: number) => [number, number];
    readonly engine_teach: (a: number, b: any) => any;
    readonly engine_tensor: (a: number, b: number, c: number, d: number) => any;
    readonly engine_text_features: (a: number, b: number, c: number) => any;
    readonly engine_vectors: (a: number, b: number, c: number, d: number) => any;
    readonly engine_view: (a: number, b: number, c: any, d: number, e: number) => any;
    readonly helper_answer: (a: number, b: number, c: number, d: number, e: number, f: any) => [number, number, number];
    readonly helper_load: (a: number, b: number, c: any, d: any, e: number, f: number, g: number) => any;
    readonly sha256_hex: (a: number) => [number, number];
    readonly sha256_new: () => number;
    readonly sha256_update: (a: number, b: number, c: number) => void;
    readonly start: () => void;
    readonly wasm_bindgen__convert__closures_____invoke__h07e63fa5e617bdab: (a: number, b: number, c: any, d: any) => void;
    readonly wasm_bindgen__convert__closures_____invoke__h5d44b70c8a08dd6e: (a: number, b: number, c: any) => [number, number];
    readonly wasm_bindgen__convert__closures_____invoke__h6868d5fdcb3c3edf: (a: number, b: number, c: any) => [number, number];
    readonly wasm_bindgen__convert__closures_____invoke__h6868d5fdcb3c3edf_39: (a: number, b: number, c: any) => [number, number];
    readonly wasm_bindgen__convert__closures_____invoke__h6868d5fdcb3c3edf_40: (a: number, b: number, c: any) => [number, number];
    readonly wasm_bindgen__convert__closures_____invoke__hd92242edccda7c50: (a: number, b: number, c: any) => void;
    readonly wasm_bindgen__convert__closures_____invoke__hd92242edccda7c50_38: (a: number, b: number, c: any) => void;
    readonly __wbindgen_malloc: (a: number, b: number) => number;
    readonly __wbindgen_realloc: (a: number, b: number, c: number, d: number) => number;
    readonly __wbindgen_free: (a: number, b: number, c: number) => void;
    readonly __wbindgen_exn_store: (a: number) => void;
    readonly __externref_table_alloc: () => number;
    readonly __wbindgen_externrefs: WebAssembly.Table;
    readonly __wbindgen_destroy_closure: (a: number, b: number) => void;
    readonly __externref_table_dealloc: (a: number) => void;
    readonly __externref_drop_slice: (a: number, b: number) => void;
    readonly __wbindgen_start: () => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path?: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
