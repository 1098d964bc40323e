// The golden fixtures through the module in Chromium: against float64, and
// against what the same code gave natively.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { readSafetensors, relativeL2, safetensors } from "./safetensors.mjs";
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
  // Pictures of several shapes in one tensor are taken apart below.
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

for (const device of ["gpu", "cpu"]) {
  test(`pictures of several shapes on the ${device}`, async (t) => {
    const page = await visit(site, t, { query: "blank/" });
    const name = "siglip2_naflex";
    const [input, expected] = ["input", "expected"].map((file) => readSafetensors(path(`tests/golden/${name}/${file}.safetensors`)));
    for (const picture of [0, 1]) {
      const { shape, data } = input[`image.${picture}`];
      const actual = await page.evaluate(encode, { device, ...files(name), input: { shape: [1, ...shape], data: [...data] }, layers: [] });
      const [, rows, width] = actual.last_hidden_state.shape;
      const part = ({ shape: [, ...own], data }, length) => ({ shape: [1, ...own], data: data.slice(picture * data.length / 2, picture * data.length / 2 + length) });
      const hidden = part(expected.last_hidden_state, rows * width);
      hidden.shape[1] = rows;
      agree(actual, { last_hidden_state: hidden, pooler_output: part(expected.pooler_output, width) }, GOLDEN, `float64, ${name} ${picture}`);
    }
  });

  test(`InternVL-C's pictures on the ${device}`, async (t) => {
    const page = await visit(site, t, { query: "blank/" });
    const folder = path("tests/golden/internvl_14b");
    const expected = readSafetensors(`${folder}/expected.safetensors`);
    const input = plain(readSafetensors(`${folder}/input.safetensors`).pixel_values);
    const actual = await page.evaluate(encode, { device, ...files("internvl_14b"), input, layers: [] });
    agree(actual, { last_hidden_state: expected["vision.last_hidden_state"], image_features: expected["image_embeds.c"] }, GOLDEN, "float64");
  });

  test(`InternVL-C's pooling alone on the ${device}`, async (t) => {
    const page = await visit(site, t, { query: "blank/" });
    const { pooled, ...rest } = readSafetensors(path("tests/golden/pooling_14b/expected.safetensors"));
    const { last_hidden_state: given } = readSafetensors(path("tests/golden/pooling_14b/input.safetensors"));
    assert.ok(rest.image_embeds);
    const width = pooled.shape[1];
    for (let picture = 0; picture < given.shape[0]; picture++) {
      const actual = await page.evaluate(encode, { device, ...around(given, picture, width), layers: [] });
      const expected = { shape: [1, width], data: pooled.data.slice(picture * width, (picture + 1) * width) };
      agree(actual, { image_features: expected }, GOLDEN, `float64, picture ${picture}`);
    }
  });
}

/** A fixture's model, for `encode`. */
function files(name) {
  return { folder: `/golden/${name}/`, config: readFileSync(path(`tests/golden/${name}/config.json`), "utf8") };
}

/**
 * A model that pools as the fixture does, and a picture whose tokens it pools are those that are given: patches are
 * embedded as they are, and the one block adds nothing to them.
 */
function around({ shape: [, tokens, hidden], data }, picture, width) {
  const [side, patch] = [Math.sqrt(tokens - 1), 5];
  const values = data.subarray(picture * tokens * hidden, (picture + 1) * tokens * hidden);
  const vision = {
    model_type: "intern_vit_6b", hidden_size: hidden, num_attention_heads: 4, intermediate_size: hidden, num_hidden_layers: 1,
    image_size: side * patch, patch_size: patch, norm_type: "layer_norm", qkv_bias: false, qk_normalization: false,
  };
  const config = JSON.stringify({ model_type: "internvl", attn_pool_num_heads: 4, clip_embed_dim: width, vision_config: vision });
  const own = 3 * patch ** 2;
  const ones = (shape) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)).fill(1) });
  const zeros = (shape) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) });
  const kernel = zeros([hidden, 3, patch, patch]);
  for (let channel = 0; channel < hidden; channel++) kernel.data[channel * own + channel] = 1;
  const block = {
    "norm1.weight": ones([hidden]), "norm1.bias": zeros([hidden]), "norm2.weight": ones([hidden]), "norm2.bias": zeros([hidden]),
    "attn.qkv.weight": zeros([3 * hidden, hidden]), "attn.proj.weight": zeros([hidden, hidden]), "attn.proj.bias": zeros([hidden]),
    "mlp.fc1.weight": zeros([hidden, hidden]), "mlp.fc1.bias": zeros([hidden]), "mlp.fc2.weight": zeros([hidden, hidden]), "mlp.fc2.bias": zeros([hidden]),
    ls1: zeros([hidden]), ls2: zeros([hidden]),
  };
  const weights = safetensors({
    ...readSafetensors(path("tests/golden/pooling_14b/model.safetensors")),
    logit_scale: ones([1]),
    "vision_model.embeddings.class_embedding": { shape: [1, 1, hidden], data: values.subarray(0, hidden) },
    "vision_model.embeddings.patch_embedding.weight": kernel,
    "vision_model.embeddings.patch_embedding.bias": zeros([hidden]),
    "vision_model.embeddings.position_embedding": zeros([1, tokens, hidden]),
    ...Object.fromEntries(Object.entries(block).map(([name, tensor]) => [`vision_model.encoder.layers.0.${name}`, tensor])),
  });
  const pixels = new Float32Array(3 * (side * patch) ** 2);
  values.subarray(hidden).forEach((value, at) => {
    const [token, channel] = [Math.floor(at / hidden), at % hidden];
    const [plane, inside] = [Math.floor(channel / patch ** 2), channel % patch ** 2];
    const y = Math.floor(token / side) * patch + Math.floor(inside / patch);
    const x = (token % side) * patch + (inside % patch);
    pixels[(plane * side * patch + y) * side * patch + x] = value;
  });
  return { config, weights: weights.toString("base64"), input: { shape: [1, 3, side * patch, side * patch], data: [...pixels] } };
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
async function encode({ device, folder, config, weights: given, input, layers }) {
  const { default: init, Engine } = await import("/pkg/internvit.js");
  await init();
  // A device that goes from model to model keeps what it has compiled.
  const engine = (globalThis.engine ??= await Engine.open(device));
  const found = engine.device();
  if (found.kind !== device) throw new Error(`wanted the ${device}, got the ${found.kind}: ${found.reason}`);
  const weights = given ? new Blob([Uint8Array.from(atob(given), (one) => one.charCodeAt(0))]) : await (await fetch(`${folder}model.safetensors`)).blob();
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
