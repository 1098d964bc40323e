// Times the module in Chromium's software WebGPU: node bench/browser.mjs [gpu|cpu] [runs]
import { serve } from "../web/tools/serve.mjs";
import { browser } from "../tests/browser/chromium.mjs";
import { path } from "../tests/browser/site.mjs";

const [device = "gpu", runs = "5"] = process.argv.slice(2);
const server = await serve({ "/pkg/": path("web/pkg"), "/blank/": path("tests/browser/blank"), "/": path("www") });
const chromium = await browser();
const page = await chromium.newPage();
page.setDefaultTimeout(300_000);
await page.goto(`${server.url}blank/`);
const result = await page.evaluate(async ({ device, runs }) => {
  const { default: init, Engine } = await import("/pkg/internvit.js");
  await init();
  const engine = await Engine.open(device);
  const config = await (await fetch("/model/config.json")).text();
  const weights = await (await fetch("/model/model.safetensors")).blob();
  const begin = performance.now();
  await engine.load(config, [{ name: "model.safetensors", size: weights.size }],
    async (_f, start, end) => new Uint8Array(await weights.slice(start, end).arrayBuffer()), () => {});
  const load = performance.now() - begin;
  const times = {};
  for (const size of [224, 448]) {
    const input = new Float32Array(3 * size * size).map((_, i) => Math.sin(i * 0.01));
    times[size] = [];
    for (let i = 0; i < runs; i++) {
      const start = performance.now();
      const { photo } = await engine.encode_pixel_values(new Uint32Array([1, 3, size, size]), input, new Uint32Array([]));
      await engine.tensor(photo, "last_hidden_state");
      times[size].push(performance.now() - start);
      engine.forget(photo);
    }
  }
  return { device: engine.device(), load, times };
}, { device, runs: Number(runs) });
const round = (ms) => Math.round(ms);
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
console.log(JSON.stringify(result.device), `load ${round(result.load)} ms`);
for (const [size, [first, ...rest]] of Object.entries(result.times))
  console.log(`${size} px: first ${round(first)} ms, then median ${round(median(rest))} ms`);
await chromium.close();
server.close();
