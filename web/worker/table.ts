// A table of features as Parquet, with the columns of `internvit encode --out FEATURES.parquet`.

import { ByteWriter, ParquetWriter, type ColumnSource, type SchemaElement } from "hyparquet-writer";
import type { Embedded, Row } from "../shared/folder";

/** The key of the file's metadata that says where the features come from. */
const KEY = "internvit-page";
/** Rows of a group. */
const GROUP = 64;

interface Column {
  name: string;
  kind: "text" | "whole" | "numbers";
  of(row: Row): string | number | number[] | null;
}

/** The table; rows without features stand at the end. */
export function tableOf(rows: readonly Row[], about: string): Uint8Array<ArrayBuffer> {
  const whole = rows.filter(({ embedded }) => embedded !== null);
  const failed = rows.filter(({ embedded }) => embedded === null);
  const columns = columnsOf(whole[0]?.embedded ?? null);
  const writer = new ByteWriter();
  const schema: SchemaElement[] = [{ name: "features", num_children: columns.length }, ...columns.flatMap(elements)];
  // Embeddings repeat nothing and have no useful order: nothing is compressed, and there are no statistics.
  const table = new ParquetWriter({ writer, schema, codec: "UNCOMPRESSED", statistics: false, createdBy: "internvit", kvMetadata: [{ key: KEY, value: about }] });
  for (const part of [whole, failed]) {
    if (part.length > 0) void table.write({ columnData: columns.map((column) => source(column, part)), rowGroupSize: GROUP });
  }
  void table.finish();
  return writer.getBytes();
}

function columnsOf(first: Embedded | null): Column[] {
  const whole = (name: string, key: "width" | "height" | "rows" | "cols"): Column => ({ name, kind: "whole", of: ({ embedded }) => embedded && embedded[key] });
  const numbers = (name: string, key: "cls" | "pooled" | "embeds" | "logits"): Column => ({ name, kind: "numbers", of: ({ embedded }) => embedded && [...embedded[key]] });
  return [
    { name: "path", kind: "text", of: ({ path }) => path },
    whole("width", "width"), whole("height", "height"), whole("grid_h", "rows"), whole("grid_w", "cols"),
    numbers("cls_embedding", "cls"), numbers("pooled_embedding", "pooled"),
    ...(first?.embeds.length ? [numbers("image_embeds", "embeds")] : []),
    ...(first?.logits.length ? [numbers("logits", "logits")] : []),
    { name: "error", kind: "text", of: ({ failure }) => failure },
  ];
}

function elements({ name, kind }: Column): SchemaElement[] {
  const repetition_type = name === "path" ? "REQUIRED" : "OPTIONAL";
  if (kind === "text") return [{ name, type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" }, repetition_type }];
  if (kind === "whole") return [{ name, type: "INT32", repetition_type }];
  return [
    { name, repetition_type, num_children: 1, converted_type: "LIST", logical_type: { type: "LIST" } },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", type: "FLOAT", repetition_type: "REQUIRED" },
  ];
}

const source = ({ name, of }: Column, rows: readonly Row[]): ColumnSource => ({ name, data: rows.map(of), encoding: "PLAIN" });
