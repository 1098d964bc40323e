// Which kernels compute: tried while nothing else is asked for, held against the device's own, kept, and taken on the next
// visit. SwiftShader stands for a GPU, with subgroups of 4.
import assert from "node:assert/strict";
import { test } from "node:test";
import { relativeL2 } from "./safetensors.mjs";
import { openSite, visit } from "./site.mjs";
import { before } from "./trouble.mjs";

const site = openSite();

/** Runs at the beginning of the worker's script: an adapter as of a GPU whose subgroups vary from 4 up, which tells what it ran. */
function asGpu() {
  const told = { description: "as if a GPU", isFallbackAdapter: false, subgroupMinSize: 4, subgroupMaxSize: 32 };
  for (const [name, value] of Object.entries(told)) Object.defineProperty(GPUAdapterInfo.prototype, name, { configurable: true, get: () => value });
  const ran = new Set();
  const { setPipeline } = GPUComputePassEncoder.prototype;
  GPUComputePassEncoder.prototype.setPipeline = function (pipeline) {
    ran.add(pipeline.label);
    return setPipeline.call(this, pipeline);
  };
  const channel = new BroadcastChannel("kernels");
  channel.onmessage = () => {
    channel.postMessage([...ran]);
    ran.clear();
  };
}

/** One that says of its subgroups what is not so. */
function lying() {
  Object.defineProperty(GPUAdapterInfo.prototype, "subgroupMinSize", { get: () => 8 });
}

/** Kernels of subgroups that are a little wrong. */
function wrong() {
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function ({ code, ...rest }) {
    return createShaderModule.call(this, { ...rest, code: code.replaceAll("s0 += a * near;", "s0 += a * near * 1.001;") });
  };
}

const open = (t, ...prepared) => visit(site, t, { prepare: (page) => before(page, asGpu, ...prepared), query: "blank/" });

/** Opens the model, does what is asked, and tells which kernels run then and what they compute. */
const ask = (page, given) => page.evaluate(async ({ patient, tries, ends }) => {
  const { Engine } = await import("/js/engine.js");
  const engine = new Engine();
  await engine.call("open", { device: "gpu", threads: 1, ...(patient && { kernels: { seconds: 150, software: false } }) });
  const get = async (name) => new File([await (await fetch(`/golden/encoder_interpolated_nonsquare/${name}`)).blob()], name);
  await engine.call("load", { config: await get("config.json"), weights: [await get("model.safetensors")] });
  const side = 56;
  const data = new Float32Array(3 * side * side).map((_, i) => Math.sin(i * 0.01));
  const encode = async () => {
    const { photo } = await engine.call("encodePixels", { pixels: { shape: [1, 3, side, side], data }, layers: [] });
    return [...(await engine.call("tensor", { photo, name: "last_hidden_state" })).data];
  };
  let choice = null;
  if (tries) {
    const trial = engine.aside("tryKernels", null).catch((error) => error.name);
    if (ends) {
      await new Promise((next) => setTimeout(next, 300));
      await encode();
    }
    choice = await trial;
  }
  const ran = () => new Promise((done) => {
    const channel = new BroadcastChannel("kernels");
    channel.onmessage = ({ data }) => {
      channel.close();
      done(data);
    };
    channel.postMessage(null);
  });
  await ran(); // what came before
  const values = await encode();
  const kernels = await ran();
  engine.end();
  return { choice, kernels, values };
}, { patient: true, tries: false, ends: false, ...given });

/** Whether kernels of subgroups run. */
const byTeams = ({ kernels }) => kernels.includes("linear_team") && kernels.includes("attention_team");

const agree = (one, other) => {
  const error = relativeL2(one.values, other.values);
  assert.ok(error <= 1e-5, `relative L2 difference ${error}`);
};

test("the fastest kernels are found, kept, and taken on the next visit", async (t) => {
  const page = await open(t);
  const own = await ask(page, {});
  assert.ok(own.kernels.includes("linear_tiled") && !byTeams(own), own.kernels.join());
  const tried = await ask(page, { tries: true });
  const { kind, trials } = tried.choice;
  assert.deepEqual(trials.map(({ kind, right }) => [kind, right]), [["portable", true], ["subgroups", true]]);
  const [portable, subgroups] = trials.map(({ milliseconds }) => milliseconds);
  assert.ok(portable > 0 && subgroups > 0);
  assert.equal(kind, subgroups < 0.95 * portable ? "subgroups" : "portable");
  t.diagnostic(JSON.stringify(trials));
  // Neither barriers nor workgroup memory: on a processor that is the faster by far.
  assert.equal(kind, "subgroups");
  assert.ok(byTeams(tried), tried.kernels.join());
  agree(tried, own);
  await page.reload();
  const next = await ask(page, {});
  assert.ok(byTeams(next), next.kernels.join());
  agree(next, own);
  assert.deepEqual((await ask(page, { tries: true })).choice, tried.choice);
  // Without leave the device's own compute.
  assert.ok(!byTeams(await ask(page, { patient: false })));
});

for (const [name, how] of [["of subgroups that are smaller than told", lying], ["that compute a little wrong", wrong]]) {
  test(`kernels ${name} are not taken`, async (t) => {
    const page = await open(t, how);
    const { choice, kernels } = await ask(page, { tries: true });
    const [own, other] = choice.trials;
    assert.deepEqual([choice.kind, own.right, other.kind, other.right, other.milliseconds], ["portable", true, "subgroups", false, null]);
    assert.ok(own.milliseconds > 0 && !kernels.some((kernel) => kernel.endsWith("_team")), kernels.join());
  });
}

test("a call ends the trial, is answered, and nothing is kept", async (t) => {
  const page = await open(t);
  const own = await ask(page, {});
  const ended = await ask(page, { tries: true, ends: true });
  assert.equal(ended.choice, "AbortError");
  assert.ok(!byTeams(ended), ended.kernels.join());
  assert.deepEqual(ended.values, own.values);
  assert.equal((await ask(page, { tries: true })).choice.kind, "subgroups");
});

/** How many choices the browser keeps. */
const kept = (page) => page.evaluate(async () => {
  if (!(await indexedDB.databases()).some(({ name }) => name === "internvit-kernels")) return 0;
  const request = indexedDB.open("internvit-kernels");
  const database = await new Promise((done) => (request.onsuccess = () => done(request.result)));
  const count = database.transaction("chosen").objectStore("chosen").count();
  return new Promise((done) => (count.onsuccess = () => (database.close(), done(count.result))));
});

test("the page tries kernels once a picture is shown", async (t) => {
  const page = await visit(site, t, { query: "?device=gpu&probe=60&sample=coffee" });
  while ((await kept(page)) === 0) await page.waitForTimeout(250);
  assert.equal(await kept(page), 1);
});
