// The CPU path by several workers in Chromium: the golden fixtures, cancelling, a worker that is lost.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { readSafetensors, relativeL2 } from "./safetensors.mjs";
import { openSite, path, visit } from "./site.mjs";

const GOLDEN = 1e-5; // as in golden.spec.mjs

const site = openSite();

for (const name of readdirSync(path("tests/golden")).filter((name) => name.startsWith("encoder_"))) {
  test(`${name} by two and three workers`, async (t) => {
    const page = await visit(site, t, { query: "blank/" });
    const folder = path(`tests/golden/${name}`);
    const expected = readSafetensors(`${folder}/expected.safetensors`);
    const { shape, data } = readSafetensors(`${folder}/input.safetensors`).pixel_values;
    const layers = Object.keys(expected).filter((tensor) => tensor.startsWith("hidden_states.")).map((tensor) => Number(tensor.split(".")[1]));
    for (const threads of [2, 3]) {
      const given = { threads, folder: `/golden/${name}/`, config: readFileSync(`${folder}/config.json`, "utf8"), pixels: { shape, data: [...data] }, layers };
      const { answered, all } = await page.evaluate(encode, given);
      assert.equal(answered, threads);
      for (const [tensor, { shape, data }] of Object.entries(expected)) {
        assert.deepEqual(all[tensor].shape, shape, `${tensor}: shape`);
        const error = relativeL2(all[tensor].data, data);
        assert.ok(error <= GOLDEN, `${tensor} by ${threads}: relative L2 error ${error.toExponential(2)}`);
      }
    }
  });
}

test("where memory cannot be shared, tasks go by messages", async (t) => {
  const page = await visit(site, t, { query: "blank/" });
  const folder = path("tests/golden/encoder_hf_native");
  const expected = readSafetensors(`${folder}/expected.safetensors`).last_hidden_state;
  const { shape, data } = readSafetensors(`${folder}/input.safetensors`).pixel_values;
  const script = await page.evaluate(workerScript);
  const tasks = await page.evaluate((script) => {
    // The engine's worker and its helper find no memory that grows, and tell how many tasks went by messages.
    const local = (text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const counted = new BroadcastChannel("tasks");
    globalThis.tasks = 0;
    counted.onmessage = () => globalThis.tasks++;
    const before = local(`
      delete SharedArrayBuffer.prototype.grow;
      const counted = new BroadcastChannel("tasks");
      self.addEventListener("message", ({ data }) => { if (data?.task) counted.postMessage(null); });`);
    const Started = globalThis.Worker;
    globalThis.Worker = class extends Started {
      constructor() {
        super(local(`import ${JSON.stringify(before)}; import ${JSON.stringify(script)};`), { type: "module" });
      }
    };
    return globalThis.tasks;
  }, script);
  assert.equal(tasks, 0);
  const given = { threads: 2, folder: "/golden/encoder_hf_native/", config: readFileSync(`${folder}/config.json`, "utf8"), pixels: { shape, data: [...data] }, layers: [] };
  const { answered, all } = await page.evaluate(encode, given);
  assert.equal(answered, 2);
  const error = relativeL2(all.last_hidden_state.data, expected.data);
  assert.ok(error <= GOLDEN, `relative L2 error ${error.toExponential(2)}`);
  assert.ok(await page.evaluate(() => globalThis.tasks) > 1);
});

test("a cancelled encode by two workers, and another afterwards", async (t) => {
  const page = await visit(site, t, { query: "blank/" });
  const { reason, last, again } = await page.evaluate(async () => {
    const { Engine } = await import("/js/engine.js");
    const engine = new Engine();
    await engine.call("open", { device: "cpu", threads: 2 });
    await engine.call("load", { folder: new URL("/models/internvit-tiny/", location.href).href });
    const photo = new File([await (await fetch("/samples/chelsea.png")).blob()], "chelsea.png");
    const norms = async () => {
      const { photo: id } = await engine.call("encode", { photo, settings: {} });
      const { data } = await engine.call("tensor", { photo: id, name: "last_hidden_state" });
      return data.reduce((sum, value) => sum + value * value, 0);
    };
    const last = await norms();
    const abort = new AbortController();
    const progress = ({ done }) => done >= 2 && abort.abort();
    const reason = await engine.call("encode", { photo, settings: {} }, { signal: abort.signal, progress }).then(() => "none", ({ name }) => name);
    return { reason, last, again: await norms() };
  });
  assert.equal(reason, "AbortError");
  assert.ok(last > 0);
  // The browser may have compiled the module better in between: rounding may differ.
  assert.ok(Math.abs(again / last - 1) < 1e-5, `${again} instead of ${last}`);
});

for (const [asked, cores, threads] of [[2, 8, 2], [64, 3, 3], [64, 1, 1], [1e9, 2, 2], [0, 2, 1]]) {
  test(`the page names the threads: ${asked} asked for, ${cores} cores`, async (t) => {
    const prepare = (page) => page.addInitScript(`Object.defineProperty(navigator, "hardwareConcurrency", { value: ${cores} })`);
    const page = await visit(site, t, { query: `?device=cpu&threads=${asked}`, prepare });
    await page.locator("#device .name", { hasText: `CPU, ${threads} thread${threads === 1 ? "" : "s"} (WebAssembly)` }).waitFor({ state: "attached" });
  });
}

test("without helpers the engine goes on alone, and says so", async (t) => {
  // Workers of workers are refused; the engine's own, which the page starts, is not.
  const page = await visit(site, t, { query: "blank/" });
  const script = await page.evaluate(workerScript);
  const { threads, alone } = await page.evaluate(async (script) => {
    const { Engine } = await import("/js/engine.js");
    const Started = globalThis.Worker;
    globalThis.Worker = class extends Started {
      constructor() {
        const text = `import ${JSON.stringify(script)}; self.Worker = class { constructor() { throw new Error("no more workers here") } };`;
        super(URL.createObjectURL(new Blob([text], { type: "text/javascript" })), { type: "module" });
      }
    };
    const engine = new Engine();
    await engine.call("open", { device: "cpu", threads: 2 });
    return engine.call("load", { folder: new URL("/models/internvit-tiny/", location.href).href });
  }, script);
  assert.equal(threads, 1);
  assert.match(alone, /no more workers here/);
});

/** Runs in the page: the address of the engine's worker. */
async function workerScript() {
  const entry = await (await fetch("/js/engine.js")).text();
  const source = await (await fetch(`/js/${/assets\/engine[\w-]+\.js/.exec(entry)[0]}`)).text();
  return new URL(`/js/assets/${/worker[\w-]+\.js/.exec(source)[0]}`, location.href).href;
}

/** Runs in the page. */
async function encode({ threads, folder, config, pixels, layers }) {
  const { Engine } = await import("/js/engine.js");
  const engine = new Engine();
  await engine.call("open", { device: "cpu", threads });
  const weights = await (await fetch(`${folder}model.safetensors`)).blob();
  const source = { config: new File([config], "config.json"), weights: [new File([weights], "model.safetensors")] };
  const { threads: answered } = await engine.call("load", source);
  const { photo, tensors } = await engine.call("encodePixels", { pixels: { ...pixels, data: new Float32Array(pixels.data) }, layers });
  const all = {};
  for (const name of tensors) {
    const { shape, data } = await engine.call("tensor", { photo, name });
    all[name] = { shape, data: [...data] };
  }
  return { answered, all };
}
