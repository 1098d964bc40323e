// The golden fixtures through the module in Chromium: against float64, and
// against what the same code gave natively.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { readSafetensors, relativeL2 } from "./safetensors.mjs";
import { openSite, path, visit } from "./site.mjs";

const GOLDEN = 1e-5; // f32 on the device, float64 in the fixture
const NATIVE = 1e-4; // f32 on both, with other adapters and other kernels

const site = openSite();
const cases = readdirSync(path("tests/golden")).filter((name) => /^(encoder|dinov2)_/.test(name));
assert.notEqual(cases.length, 0, "no fixtures in tests/golden");

for (const device of ["gpu", "cpu"]) {
  for (const name of cases) {
    test(`${name} on the ${device}`, async (t) => {
      const page = await visit(site, t, { query: "blank/" });
      const folder = path(`tests/golden/${name}`);
      const expected = readSafetensors(`${folder}/expected.safetensors`);
      const actual = await page.evaluate(encode, {
        device,
        folder: `/golden/${name}/`,
        config: readFileSync(`${folder}/config.json`, "utf8"),
        input: plain(readSafetensors(`${folder}/input.safetensors`).pixel_values),
        layers: Object.keys(expected).filter((tensor) => tensor.startsWith("hidden_states.")).map((tensor) => Number(tensor.split(".")[1])),
      });
      agree(actual, expected, GOLDEN, "float64");
      const native = path(`target/golden-native/${name}.safetensors`);
      if (existsSync(native)) agree(actual, readSafetensors(native), NATIVE, "native");
      else if (process.env.REQUIRE_GPU) assert.fail(`${native} is missing: cargo test writes it`);
      else t.diagnostic("no native result to compare with: run cargo test first");
    });
  }
}

// The other families in one page a device: what differs is the model, not the page.
const families = readdirSync(path("tests/golden")).filter((name) => {
  const folder = path(`tests/golden/${name}`);
  // Pictures of several shapes in one tensor are the command line's to take apart.
  return existsSync(`${folder}/case.json`) && name !== "siglip2_naflex" && !cases.includes(name) && !name.startsWith("segment_") && name !== "uper_head";
});
for (const device of ["gpu", "cpu"]) {
  test(`every family on the ${device}`, async (t) => {
    const page = await visit(site, t, { query: "blank/" });
    for (const name of families) {
      const folder = path(`tests/golden/${name}`);
      const all = readSafetensors(`${folder}/expected.safetensors`);
      const expected = Object.fromEntries(Object.entries(all).filter(([tensor]) => !/^(text_|logits_per_|probabilities|image_embeds)/.test(tensor)));
      const config = ["config.json", "open_clip_config.json"].find((file) => existsSync(`${folder}/${file}`));
      const actual = await page.evaluate(encode, {
        device,
        folder: `/golden/${name}/`,
        config: readFileSync(`${folder}/${config}`, "utf8"),
        input: plain(readSafetensors(`${folder}/input.safetensors`).pixel_values),
        layers: Object.keys(expected).filter((tensor) => tensor.startsWith("hidden_states.")).map((tensor) => Number(tensor.split(".")[1])),
      });
      agree(actual, expected, GOLDEN, `float64, ${name}`);
    }
  });
}

for (const name of readdirSync(path("tests/golden")).filter((name) => name.startsWith("segment_"))) {
  test(`${name} on the gpu`, async (t) => {
    const page = await visit(site, t, { query: "blank/" });
    const folder = path(`tests/golden/${name}`);
    const logits = await page.evaluate(segment, {
      folder: `/golden/${name}/`,
      config: readFileSync(`${folder}/config.json`, "utf8"),
      input: plain(readSafetensors(`${folder}/input.safetensors`).pixel_values),
    });
    const { logits: expected } = readSafetensors(`${folder}/expected.safetensors`);
    agree({ logits }, { logits: expected }, GOLDEN, "float64");
  });
}

function agree(actual, expected, tolerance, what) {
  for (const [tensor, { shape, data }] of Object.entries(expected)) {
    assert.ok(actual[tensor], `${tensor} is missing`);
    assert.deepEqual(actual[tensor].shape, shape, `${tensor}: shape`);
    const error = relativeL2(actual[tensor].data, data);
    assert.ok(error <= tolerance, `${tensor} against ${what}: relative L2 error ${error.toExponential(2)}, allowed ${tolerance}`);
  }
}

/** Typed arrays do not survive the way into the page. */
function plain({ shape, data }) {
  return { shape, data: [...data] };
}

/** Runs in the page. */
async function segment({ folder, config, input }) {
  const { default: init, Engine } = await import("/pkg/internvit.js");
  await init();
  const engine = await Engine.open("gpu");
  const weights = await (await fetch(`${folder}model.safetensors`)).blob();
  await engine.load(
    { config, preprocessor: null, words: false },
    [{ name: "model.safetensors", size: weights.size }],
    async (_file, start, end) => new Uint8Array(await weights.slice(start, end).arrayBuffer()),
    () => {},
  );
  const logits = await engine.segment_pixel_values(new Uint32Array(input.shape), new Float32Array(input.data));
  return { shape: logits.shape, data: [...logits.data] };
}

/** Runs in the page. */
async function encode({ device, folder, config, input, layers }) {
  const { default: init, Engine } = await import("/pkg/internvit.js");
  await init();
  const engine = await Engine.open(device);
  const found = engine.device();
  if (found.kind !== device) throw new Error(`wanted the ${device}, got the ${found.kind}: ${found.reason}`);
  const weights = await (await fetch(`${folder}model.safetensors`)).blob();
  await engine.load(
    { config, preprocessor: null, words: false },
    [{ name: "model.safetensors", size: weights.size }],
    async (_file, start, end) => new Uint8Array(await weights.slice(start, end).arrayBuffer()),
    () => {},
  );
  const { photo, tensors } = await engine.encode_pixel_values(new Uint32Array(input.shape), new Float32Array(input.data), new Uint32Array(layers));
  const all = {};
  for (const name of tensors) {
    const { shape, data } = await engine.tensor(photo, name);
    all[name] = { shape, data: [...data] };
  }
  engine.forget(photo);
  return all;
}
