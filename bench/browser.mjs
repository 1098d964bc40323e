// The module and onnxruntime-web in the same Chromium, with the same weights and the same input:
//
//   python bench/peers.py --model www/models/internvit-tiny --export target/peers     # writes the ONNX file
//   (cd bench && npm install) && node bench/browser.mjs target/peers [model folder] [runs] [words of the rows wanted]
//
// Of a family (bench/peers.py --family) the model lies beside the ONNX files, in `model`; each of its graphs is timed.
// On WebGPU each graph is timed as it is called, and replayed by onnxruntime-web's graph capture, input and output in buffers
// of the device. The row is the faster of the two whose outputs are right, and says which; what became of the other is in it.
// Memory is the peak of the page's process, workers included.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { serve } from "../web/tools/serve.mjs";
import { browser } from "../tests/browser/chromium.mjs";
import { path } from "../tests/browser/site.mjs";

const [peers = "target/peers", model = "www/models/internvit-tiny", runs = "5", only = ""] = process.argv.slice(2);
const server = await serve({
  "/blank/": path("tests/browser/blank"), "/model/": resolve(model), "/peers/": resolve(peers),
  "/ort/": path("bench/node_modules/onnxruntime-web/dist"), "/": path("www"),
});
const chromium = await browser();

async function inPage(run, given) {
  const page = await chromium.newPage();
  page.setDefaultTimeout(900_000);
  try {
    await page.goto(`${server.url}blank/`);
    const result = await page.evaluate(run, { runs: Number(runs), ...given });
    return { ...result, bytes: await memory() };
  } finally {
    await page.close();
  }
}

/** What the largest renderer process has had at most; it holds the page and its workers. Linux only. */
async function memory() {
  const session = await chromium.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const peak = ({ id }) => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0);
  return Math.max(...processInfo.filter(({ type }) => type === "renderer").map(peak));
}

async function ours({ device, threads, runs }) {
  const { Engine } = await import("/js/engine.js");
  const begin = performance.now();
  const engine = new Engine();
  await engine.call("open", { device, threads });
  const config = await (await fetch("/model/config.json")).text();
  const weights = await (await fetch("/model/model.safetensors")).blob();
  const source = { config: new File([config], "config.json"), weights: [new File([weights], "model.safetensors")] };
  const { threads: answered } = await engine.call("load", source);
  if (answered !== threads) throw new Error(`${answered} threads instead of ${threads}`);
  const load = performance.now() - begin;
  const side = JSON.parse(config).image_size;
  const data = new Float32Array(3 * side * side).map((_, i) => Math.sin(i * 0.01));
  const times = [];
  let values;
  for (let i = 0; i <= runs; i++) {
    const start = performance.now();
    const { photo } = await engine.call("encodePixels", { pixels: { shape: [1, 3, side, side], data }, layers: [] });
    values = (await engine.call("tensor", { photo, name: "last_hidden_state" })).data;
    times.push(performance.now() - start);
    await engine.call("forget", photo);
  }
  return { load, times, values: [...values] };
}

async function theirs({ provider, threads, runs, graph, captured }) {
  const ort = await import(provider === "webgpu" ? "/ort/ort.webgpu.min.mjs" : "/ort/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = threads;
  const begin = performance.now();
  const externalData = (await fetch(`/peers/${graph}.data`, { method: "HEAD" })).ok
    ? [{ path: `${graph}.data`, data: `/peers/${graph}.data` }] : [];
  const capture = captured ? { enableGraphCapture: true, preferredOutputLocation: "gpu-buffer" } : {};
  const session = await ort.InferenceSession.create(`/peers/${graph}`, { executionProviders: [provider], externalData, ...capture });
  const load = performance.now() - begin;
  const side = JSON.parse(await (await fetch("/model/config.json")).text()).image_size;
  const input = new Float32Array(3 * side * side).map((_, i) => Math.sin(i * 0.01));
  const dims = [1, 3, side, side];
  const device = captured && await ort.env.webgpu.device;
  const { STORAGE, COPY_DST } = globalThis.GPUBufferUsage ?? {};
  const buffer = device && device.createBuffer({ size: input.byteLength, usage: STORAGE | COPY_DST });
  const pixel_values = device ? ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims }) : new ort.Tensor("float32", input, dims);
  const times = [];
  let values;
  for (let i = 0; i <= runs; i++) {
    const start = performance.now();
    device && device.queue.writeBuffer(buffer, 0, input);
    const { last_hidden_state } = await session.run({ pixel_values });
    values = await last_hidden_state.getData();
    times.push(performance.now() - start);
  }
  return { load, times, values: [...values] };
}

const median = ([, ...rest]) => rest.sort((a, b) => a - b)[rest.length >> 1];
const square = (list) => list.reduce((sum, v) => sum + v * v, 0);
const apart = (values, truth) => Math.sqrt(square(values.map((v, i) => v - truth[i])) / square(truth));

/** The faster of a graph called and captured, if that gives the same values; what became of the other is beside it, in words. */
async function atBest(given) {
  const called = await inPage(theirs, given);
  const captured = await inPage(theirs, { ...given, captured: true }).catch((error) => error);
  const [slow, quick] = [called, captured].map(({ times }) => times && `${median(times).toFixed(1)} ms`);
  const refused = captured instanceof Error ? captured.message.split("\n")[0] : wrong(apart(captured.values, called.values));
  if (refused) return { ...called, way: "called", other: `captured: ${refused}` };
  if (median(called.times) <= median(captured.times)) return { ...called, way: "called", other: `captured: ${quick}` };
  return { ...captured, way: "captured", other: `called: ${slow}` };
}

/** What is said of values that differ too much. */
const wrong = (differs) => (differs < 1e-3 ? "" : `values differ by ${differs.toExponential(1)}`);

const rows = [];
// As exported, and where there is one with attention joined to one node, as transformers.js ships its graphs.
const graphs = ["model.onnx", "fused.onnx"].filter((graph) => existsSync(join(peers, graph)));
const all = {};
for (const [device, provider, threads] of [["gpu", "webgpu", 1], ["cpu", "wasm", 1], ["cpu", "wasm", 2]]) {
  const words = device === "gpu" ? "WebGPU" : `WASM, ${threads} thread${threads === 1 ? "" : "s"}`;
  all[`internvit, ${words}`] = () => inPage(ours, { device, threads });
  for (const graph of graphs) {
    const given = { provider, threads: device === "gpu" ? 2 : threads, graph };
    all[`onnxruntime-web, ${graph}, ${words}`] = () => (device === "gpu" ? atBest(given) : inPage(theirs, given));
  }
}
let truth;
for (const [what, run] of Object.entries(all).filter(([what]) => what.includes(only))) {
  const { load, times, values, bytes, way, other } = await run();
  truth ??= values;
  const [who, first, usual, differs] = [way ? `${what}, ${way}` : what, times[0], median(times), apart(values, truth)];
  const row = { who, load_ms: Math.round(load), first_ms: Math.round(first), median_ms: Math.round(10 * usual) / 10, peak_bytes: bytes, relative_l2: differs };
  rows.push(other ? { ...row, other } : row);
  console.log(`${who.padEnd(46)} load ${load.toFixed(0).padStart(6)} ms, first ${first.toFixed(0).padStart(6)} ms, median ${usual.toFixed(1).padStart(8)} ms, memory ${(bytes / 1e6).toFixed(0).padStart(5)} MB, differs by ${differs.toExponential(1)}${other ? ` (${other})` : ""}`);
}
console.log(JSON.stringify({ chromium: chromium.version(), runs: Number(runs), rows }));
await chromium.close();
server.close();
