// The benchmark: how fast the model runs here, and which kernels take the time.

import type { Check } from "./check";
import { copyText } from "../copy";
import { make, part } from "../dom";
import { askedPrecision } from "../models/precision";
import { bytes, duration } from "../../shared/format";
import type { Benchmark, BenchmarkRequest, Device, Model } from "../../shared/protocol";

/** `found` is null on the processor, and where the weights are too large to be held twice. */
export interface Measured {
  report: Benchmark;
  model: Model;
  device: Device;
  found: Check | null;
}

/** Measures the engine behind the progress bar; null where that failed or was cancelled. */
export type Measure = (request: BenchmarkRequest) => Promise<Measured | null>;

const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

/** `save` saves a file, and says so beside a button. */
export function benchmark(root: HTMLDetailsElement, measure: Measure, save: (blob: Blob, name: string, button: HTMLElement) => void) {
  const run = part(root, "[data-run]", HTMLButtonElement);
  const download = part(root, "[data-save]", HTMLButtonElement);
  const batch = part(root, "input", HTMLInputElement);
  const result = part(root, "[data-result]", HTMLElement);
  const copy = part(root, "[data-copy]", HTMLButtonElement);
  const line = part(root, "[data-line]", HTMLOutputElement);
  let text = "";

  run.addEventListener("click", async () => {
    run.disabled = true;
    try {
      const measured = await measure({ batch: Math.max(1, batch.valueAsNumber || 1) });
      if (!measured) return;
      const { report, model, device, found } = measured;
      // The processor takes weights as they are stored.
      const dtype = device.kind === "gpu" ? askedPrecision() : "as stored";
      text = JSON.stringify({ ...report, model: model.name, dtype, device, ...(found && { check: found }), made: made() }, null, 2);
      line.value = lineOf(measured, dtype);
      result.replaceChildren(headline(report), gauge(report), figures(report, found), kernels(report));
      for (const one of [result, download, copy, line]) one.hidden = false;
    } finally {
      run.disabled = false;
    }
  });
  copy.addEventListener("click", async () => {
    // It stands below, to be copied by hand.
    if (!(await copyText(copy, line.value))) getSelection()?.selectAllChildren(line);
  });
  download.addEventListener("click", () => save(new Blob([text], { type: "application/json" }), "benchmark.json", download));
}

/** How fast this device is, in one sentence. */
function headline({ encode, ceilings }: Benchmark): HTMLElement {
  const share = encode.gflop_per_s / ceilings.product_gflop_per_s;
  const peak = share <= 1 ? `${percent.format(share)} of this device’s measured peak.` : "faster than the peak was measured: something else was running. Measure again.";
  const text = `${short.format(encode.images_per_s)} pictures a second, ${peak}`;
  return make("p", { className: "headline", textContent: text });
}

/** The same as a bar: the rate of the whole beside that of a plain product. */
function gauge({ encode, ceilings }: Benchmark): HTMLElement {
  const bar = make("div", { className: "bar-of", ariaHidden: "true" });
  bar.style.setProperty("--part", String(Math.min(1, encode.gflop_per_s / ceilings.product_gflop_per_s)));
  return bar;
}

/** All that matters of it in one line, for a report of a fault or a message to a friend. */
function lineOf({ report: { encode, batch, image_size, ceilings }, model, device }: Measured, dtype: string): string {
  const threads = device.kind === "cpu" ? `, ${model.threads} ${model.threads === 1 ? "thread" : "threads"}` : "";
  return [
    `${model.name}, ${dtype}, ${batch} × ${image_size} px: ${duration(encode.median_ms)}`, `${short.format(encode.gflop_per_s)} of ${short.format(ceilings.product_gflop_per_s)} GFLOP/s`,
    `${device.name}${threads}`, navigator.userAgent,
  ].join("; ");
}

/** By what a measurement was made, where and when. */
function made() {
  const { userAgent, hardwareConcurrency } = navigator;
  return { program: "internvit, page", system: userAgent, cores: hardwareConcurrency, unix_s: Math.round(Date.now() / 1000) };
}

function figures({ batch, image_size, encode, first_result, ceilings, memory }: Benchmark, found: Check | null): HTMLElement {
  // On the processor the activations lie in the module's memory.
  const activations = memory.slot_bytes > 0 ? `, activations ${bytes(memory.slot_bytes)}` : "";
  const { open_device_ms, load_weights_ms, pipelines_ms, first_run_ms } = first_result;
  const facts: [string, string][] = [
    ["Encode", `${duration(encode.median_ms)}, median of ${encode.runs} (${duration(encode.min_ms)} to ${duration(encode.max_ms)})`],
    ["Images", `${short.format(encode.images_per_s)} a second, ${batch} × ${image_size} px at a time`],
    ["Arithmetic", `${short.format(encode.gflop_per_s)} GFLOP/s of ${short.format(ceilings.product_gflop_per_s)} (a plain product)`],
    ["Memory", `weights ${bytes(memory.weight_bytes)}${activations}, the module’s own at most ${bytes(memory.host_peak_bytes)}`],
    ["Copy", `${short.format(ceilings.copy_gb_per_s)} GB/s`],
    [
      "First result",
      `device ${duration(open_device_ms)}, model ${duration(load_weights_ms)}, pipelines ${duration(pipelines_ms)}, first run ${duration(first_run_ms)}`,
    ],
  ];
  if (found) facts.splice(1, 0, ["Check", `${found.relative_l2.toExponential(1)} from the processor’s features (relative L2)`]);
  const list = make("dl", { className: "facts" });
  list.append(...facts.map(([term, fact]) => make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: fact }))));
  return list;
}

function kernels({ profile }: Benchmark): HTMLElement {
  const head = ["Kernel", "Operation", "Calls", "Time", "Share", "GFLOP/s", "GB/s", "Of ceiling"];
  const rows = profile.kernels.map((row) => [
    row.kernel,
    row.operation,
    String(row.dispatches),
    duration(row.ms),
    percent.format(row.share),
    short.format(row.gflop_per_s),
    short.format(row.gb_per_s),
    `${percent.format(row.of_ceiling)} ${row.bound}`,
  ]);
  const cells = (tag: "th" | "td", texts: string[]) =>
    texts.map((text) => (tag === "th" ? make("th", { scope: "col", textContent: text }) : make("td", { textContent: text })));
  const clock = profile.timer === "timestamps" ? "the device’s timestamps" : "the clock, step by step";
  const caption = `${duration(profile.kernels_ms)} of a run of ${duration(profile.run_ms)}, by ${clock}`;
  const table = make(
    "table",
    {},
    make("caption", { textContent: caption }),
    make("thead", {}, make("tr", {}, ...cells("th", head))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells("td", row)))),
  );
  // A wide table scrolls in its own box, by keyboard too.
  const box = make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Kernels" }, table);
  return make("details", { className: "folded" }, make("summary", { textContent: "Kernel by kernel" }), box);
}
