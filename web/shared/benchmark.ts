// What a benchmark measures.

/** Times in milliseconds, as `internvit bench --json` prints them. */
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

/** All equal operations of one kernel; `of_ceiling` is the share of the copy's or the product's speed. */
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
