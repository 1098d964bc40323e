// Subgroups in a browser: asked for where the adapter has them, done without where it has none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { relativeL2 } from "./safetensors.mjs";
import { openSite, visit } from "./site.mjs";
import { before } from "./trouble.mjs";

const site = openSite();
const SIDE = 56;

/** Runs at the beginning of the worker's script: an adapter as of a browser that has no subgroups. */
function without() {
  const features = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "features").get;
  Object.defineProperty(GPUAdapter.prototype, "features", {
    get() {
      return new Set([...features.call(this)].filter((name) => name !== "subgroups"));
    },
  });
}

/** Which kernels run, and what they compute. */
async function computed(t, ...prepared) {
  const page = await visit(site, t, { prepare: (page) => before(page, ...prepared), query: "blank/" });
  return page.evaluate(async (side) => {
    const { Engine } = await import("/js/engine.js");
    const engine = new Engine();
    await engine.call("open", { device: "gpu", threads: 1 });
    const get = async (name) => new File([await (await fetch(`/models/internvit-tiny/${name}`)).blob()], name);
    await engine.call("load", { config: await get("config.json"), weights: [await get("model.safetensors")] });
    const { profile } = await engine.call("benchmark", { side, batch: 1, runs: 1 });
    const data = new Float32Array(3 * side * side).map((_, i) => Math.sin(i * 0.01));
    const { photo } = await engine.call("encodePixels", { pixels: { shape: [1, 3, side, side], data }, layers: [] });
    const { data: values } = await engine.call("tensor", { photo, name: "last_hidden_state" });
    return { kernels: [...new Set(profile.kernels.map(({ kernel }) => kernel))], values: [...values] };
  }, SIDE);
}

test("kernels share loads by subgroups where the adapter has them, and agree with those that do not", async (t) => {
  const [by, alone] = [await computed(t), await computed(t, without)];
  for (const kernel of ["linear_subgroup4", "attention_subgroup4"]) assert.ok(by.kernels.includes(kernel), by.kernels.join());
  assert.ok(!alone.kernels.some((kernel) => kernel.includes("subgroup")), alone.kernels.join());
  const error = relativeL2(alone.values, by.values);
  assert.ok(error <= 1e-5, `relative L2 difference ${error}`);
});
