// What is known of the photographs of a folder, and the calls of the worker that arranges them.

import type { CallTable, CallTypes } from "./protocol";
import { floats, instance, list, nullable, number, record, string, unchecked } from "./shape";

/** What stands for a whole photograph: the columns of `encode --out FEATURES.parquet`. */
export interface Embedded {
  /** Of the photograph, upright, in pixels. */
  width: number;
  height: number;
  /** Of patches. */
  rows: number;
  cols: number;
  /** What the model pools, else its first special token, else the mean of the patches, `[C]`. */
  cls: Float32Array<ArrayBuffer>;
  /** The mean of the patches, `[C]`. */
  pooled: Float32Array<ArrayBuffer>;
  /** What is compared with texts, and values of classes; empty where the model computes none. */
  embeds: Float32Array<ArrayBuffer>;
  logits: Float32Array<ArrayBuffer>;
}

/** A row of a table: a photograph with its features, or with the reason why it has none. */
export interface Row {
  path: string;
  embedded: Embedded | null;
  failure: string | null;
}

/** Where the photographs of a folder lie: those that are alike lie near each other. */
export interface Arranged {
  /** `[photographs, 2]`, each axis from 0 to 1. */
  places: Float32Array<ArrayBuffer>;
  /** The nearest others of each, the most alike first, `[photographs, each]`, and their cosines. */
  near: Uint32Array<ArrayBuffer>;
  cosines: Float32Array<ArrayBuffer>;
  each: number;
}

export type FolderCalls = CallTypes<typeof folderCalls>;
export const folderCalls = {
  /** A small picture as JPEG; null where the browser cannot read the file. */
  thumbnail: { given: record({ photo: instance(File), height: number }), answer: nullable(instance(Blob)) },
  /** Vectors of unit length, `[photographs, width]`. */
  arrange: { given: record({ vectors: floats(), width: number }), answer: unchecked<Arranged>() },
  /** The group of each photograph, by the direction of its vector. */
  groups: { given: record({ vectors: floats(), width: number, count: number }), answer: list(number) },
  /** A table of features as Parquet; `about` is JSON on where they come from. */
  table: { given: record({ rows: list(unchecked<Row>()), about: string }), answer: instance(Blob) },
} satisfies CallTable;
