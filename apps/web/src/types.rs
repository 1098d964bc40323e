//! Type declarations in the module's TypeScript interface: the page's protocol describes the records.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const RECORDS: &str = r#"
import type {
  Benchmark, BenchmarkRequest, CutOut, Device, DeviceChoice, Dtype, Edges, Encoded, FileInfo, FilePart, Kept, Label, Lesson, Masks, ModelInfo,
  ModelTexts, Refine, Settings, Taught, Tensor, ViewMap, ViewRequest,
} from "../shared/protocol";
import type { Task } from "../shared/team";

/** Reads bytes `start..end` of the file of that number. */
type ReadRange = (file: number, start: number, end: number) => Promise<Uint8Array>;

/** Receives the progress; false cancels the call, whose promise then rejects. */
type OnProgress = (done: number, total: number) => void | boolean | Promise<boolean>;

/** Hands a copy of a task to helper 1, 2 …; the function it returns is called once for the answer. */
type AskHelper = (helper: number, task: Task) => () => Float32Array | Promise<Float32Array | null>;
"#;
