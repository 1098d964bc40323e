// The module and onnxruntime-web in the same Chromium, with the same weights and the same input:
//
//   python bench/peers.py --model www/model --export target/peers     # writes the ONNX file
//   (cd bench && npm install) && node bench/browser.mjs target/peers [model folder] [runs]
import { serve } from "../web/tools/serve.mjs";
import { browser } from "../tests/browser/chromium.mjs";
import { path } from "../tests/browser/site.mjs";

const [peers = "target/peers", model = "www/model", runs = "5"] = process.argv.slice(2);
const server = await serve({
  "/pkg/": path("web/pkg"), "/blank/": path("tests/browser/blank"), "/model/": path(model), "/peers/": path(peers),
  "/ort/": path("bench/node_modules/onnxruntime-web/dist"), "/": path("www"),
});
const chromium = await browser();

async function inPage(run, given) {
  const page = await chromium.newPage();
  page.setDefaultTimeout(900_000);
  await page.goto(`${server.url}blank/`);
  const result = await page.evaluate(run, { runs: Number(runs), ...given });
  await page.close();
  return result;
}

async function ours({ device, runs }) {
  const { default: init, Engine } = await import("/pkg/internvit.js");
  await init();
  const begin = performance.now();
  const engine = await Engine.open(device);
  const config = await (await fetch("/model/config.json")).text();
  const weights = await (await fetch("/model/model.safetensors")).blob();
  await engine.load(config, [{ name: "model.safetensors", size: weights.size }],
    async (_file, start, end) => new Uint8Array(await weights.slice(start, end).arrayBuffer()), () => {});
  const load = performance.now() - begin;
  const side = JSON.parse(config).image_size;
  const input = new Float32Array(3 * side * side).map((_, i) => Math.sin(i * 0.01));
  const times = [];
  let values;
  for (let i = 0; i <= runs; i++) {
    const start = performance.now();
    const { photo } = await engine.encode_pixel_values(new Uint32Array([1, 3, side, side]), input, new Uint32Array([]));
    values = (await engine.tensor(photo, "last_hidden_state")).data;
    times.push(performance.now() - start);
    engine.forget(photo);
  }
  return { load, times, values: [...values] };
}

async function theirs({ provider, threads, runs }) {
  const ort = await import(provider === "webgpu" ? "/ort/ort.webgpu.min.mjs" : "/ort/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = threads;
  const begin = performance.now();
  const externalData = (await fetch("/peers/model.onnx.data", { method: "HEAD" })).ok
    ? [{ path: "model.onnx.data", data: "/peers/model.onnx.data" }] : [];
  const session = await ort.InferenceSession.create("/peers/model.onnx", { executionProviders: [provider], externalData });
  const load = performance.now() - begin;
  const side = JSON.parse(await (await fetch("/model/config.json")).text()).image_size;
  const input = new Float32Array(3 * side * side).map((_, i) => Math.sin(i * 0.01));
  const times = [];
  let values;
  for (let i = 0; i <= runs; i++) {
    const start = performance.now();
    const { last_hidden_state } = await session.run({ pixel_values: new ort.Tensor("float32", input, [1, 3, side, side]) });
    values = await last_hidden_state.getData();
    times.push(performance.now() - start);
  }
  return { load, times, values: [...values] };
}

const rows = [];
const all = {
  "internvit, WebGPU": () => inPage(ours, { device: "gpu" }),
  "onnxruntime-web, WebGPU": () => inPage(theirs, { provider: "webgpu", threads: 2 }),
  "internvit, WASM, 1 thread": () => inPage(ours, { device: "cpu" }),
  "onnxruntime-web, WASM, 1 thread": () => inPage(theirs, { provider: "wasm", threads: 1 }),
  "onnxruntime-web, WASM, 2 threads": () => inPage(theirs, { provider: "wasm", threads: 2 }),
};
let truth;
for (const [who, run] of Object.entries(all)) {
  const { load, times: [first, ...rest], values } = await run();
  truth ??= values;
  const square = (list) => list.reduce((sum, v) => sum + v * v, 0);
  const differs = Math.sqrt(square(values.map((v, i) => v - truth[i])) / square(truth));
  const median = rest.sort((a, b) => a - b)[rest.length >> 1];
  rows.push({ who, load_ms: Math.round(load), first_ms: Math.round(first), median_ms: Math.round(10 * median) / 10, relative_l2: differs });
  console.log(`${who.padEnd(34)} load ${load.toFixed(0).padStart(6)} ms, first ${first.toFixed(0).padStart(6)} ms, median ${median.toFixed(1).padStart(8)} ms, differs by ${differs.toExponential(1)}`);
}
console.log(JSON.stringify({ chromium: chromium.version(), runs: Number(runs), rows }));
await chromium.close();
server.close();
