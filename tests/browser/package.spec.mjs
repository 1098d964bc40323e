// The npm package as a stranger uses it: installed from its tarball, built by bundlers without configuration, in Chromium and in Node.
import assert from "node:assert/strict";
import { createReadStream, copyFileSync, mkdirSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createServer as createViteServer } from "vite";
import { serve } from "../../web/tools/serve.mjs";
import { startHub } from "../common/hub.mjs";
import { browser } from "./chromium.mjs";
import { exec, projects } from "./projects.mjs";
import { relativeL2 } from "./safetensors.mjs";
import { path, visit } from "./site.mjs";
import { axe } from "./visitor.mjs";

/** f32 by the same code on both. */
const SAME = 1e-5;
/** What CLIP multiplies cosines with, in its golden file. */
const LOGIT_SCALE = Math.exp(2.40625);
const NAMES = ["vite", "webpack", "plain"];

const site = { browser: null, servers: {}, made: {} };
before(async () => {
  [site.made, site.browser] = await Promise.all([projects(), browser()]);
  for (const name of NAMES) site.servers[name] = await serve({ "/models/": path("www/models"), "/": site.made[name].served });
  const dev = await createViteServer({ root: site.made.vite.project, configFile: false, logLevel: "warn", server: { port: 0, host: "127.0.0.1", hmr: false } });
  await dev.listen();
  site.servers.dev = { url: dev.resolvedUrls.local[0], close: () => dev.close() };
});
after(async () => {
  await site.browser?.close();
  for (const server of Object.values(site.servers)) await server.close();
});

/** A page of a project, under the page's own strict policy, in which whatever reaches the console fails the test. */
async function open(t, name, options = {}) {
  const page = await visit({ url: site.servers[name].url, browser: site.browser }, t, options);
  await page.waitForFunction(() => globalThis.internvit);
  return page;
}

/** Runs a program of a stranger's in a project; answers with what it prints, as JSON. */
const node = (code, ...args) => nodeUnder({}, code, ...args);

/** The same with variables of the environment. */
async function nodeUnder(env, code, ...args) {
  const { project } = site.made.plain;
  const file = join(project, `program-${process.hrtime.bigint()}.mjs`);
  writeFileSync(file, code);
  // It must end by itself.
  const { stdout } = await exec(process.execPath, [file, ...args], { cwd: project, timeout: 60_000, env: { ...process.env, ...env } });
  return JSON.parse(stdout);
}

/** A hub that has InternViT-Tiny as `tiny/internvit`. */
async function tinyHub(t) {
  const folder = join(site.made.plain.project, "hub/tiny/internvit");
  mkdirSync(folder, { recursive: true });
  for (const file of ["config.json", "model.safetensors"]) copyFileSync(path(`www/models/internvit-tiny/${file}`), join(folder, file));
  const hub = await startHub(join(folder, "../.."));
  t.after(() => hub.close());
  return hub;
}

const photo = path("www/samples/chelsea.png");
const numbers = (list) => Float32Array.from(list);

/** What Node computes, once. */
const inNode = { answer: null };
const expected = () => (inNode.answer ??= node(`
  import { open } from "internvit";
  const model = await open("bundled", { threads: 1 });
  const f = await model.features(${JSON.stringify(photo)}, { layers: [6, -1], size: 112 });
  const view = await f.look("pca");
  console.log(JSON.stringify({
    name: model.name, kind: model.device.kind, photo: [f.name, f.width, f.height], grid: f.grid, cls: [...f.cls], six: [...f.hidden(6).data],
    shapes: [f.patches.shape, f.prefix.shape, f.hidden(6).shape, f.hidden(-1).shape, view.data.shape], view: [...view.data.data], image: [view.image.width, view.image.height],
  }));
`));

for (const name of NAMES) {
  test(`features, a view and a lesson with ${name}, as in Node`, async (t) => {
    const known = expected();
    const page = await open(t, name);
    assert.equal(await page.evaluate(() => crossOriginIsolated), true, "the page is not under its headers");
    const found = await page.evaluate(async () => {
      const model = await globalThis.internvit.open("bundled", { device: "cpu" });
      const f = await model.features("/photo.png", { layers: [6, 12], size: 112 });
      const view = await f.look("pca");
      const head = await model.teach("/photo.png").point("cat", [220, 160]).point("wall", [430, 20]).size(112).fit();
      const { width, height, labels, names, unsure, shares } = await model.segmentWith(head, "/photo.png", { size: 112 });
      model.close();
      return {
        cls: [...f.cls], six: [...f.hidden(6).data], grid: f.grid, view: [...view.data.data], isImage: view.image instanceof ImageData,
        size: [width, height], names, kinds: [labels[160 * width + 220], labels[20 * width + 430]], pixels: unsure.length, sum: shares[0] + shares[1],
      };
    });
    const { cls, six, grid, view } = await known;
    assert.deepEqual(found.grid, grid);
    for (const [is, be, what] of [[found.cls, cls, "class token"], [found.six, six, "layer 6"]]) {
      const error = relativeL2(numbers(is), numbers(be));
      assert.ok(error < SAME, `${what}: ${error} off`);
    }
    assert.ok(relativeL2(numbers(found.view), numbers(view)) < 1e-2);
    assert.ok(found.isImage);
    assert.deepEqual([found.size, found.names, found.kinds, found.pixels], [[451, 300], ["cat", "wall"], [0, 1], 451 * 300]);
    assert.ok(Math.abs(found.sum - 100) < 1e-6);
  });
}

test("on WebGPU features are those of the processor", async (t) => {
  const page = await open(t, "plain");
  const found = await page.evaluate(async () => {
    const answers = {};
    for (const device of ["cpu", "gpu"]) {
      const model = await globalThis.internvit.open("bundled", { device });
      const f = await model.features("/photo.png", { layers: [6], size: 112 });
      const { data } = await f.look("norms", { edges: "smooth", dataAt: "pixels" });
      answers[device] = { kind: model.device.kind, cls: [...f.cls], six: [...f.hidden(6).data], shape: data.shape, pixels: [...data.data] };
      model.close();
    }
    return answers;
  });
  assert.deepEqual([found.cpu.kind, found.gpu.kind], ["cpu", "gpu"]);
  assert.deepEqual([found.cpu.shape, found.gpu.shape], [[300, 451], [300, 451]]);
  for (const what of ["cls", "six", "pixels"]) {
    const error = relativeL2(numbers(found.gpu[what]), numbers(found.cpu[what]));
    assert.ok(error < SAME, `${what}: ${error} off`);
  }
});

test("Node gives names, shapes and sizes", async () => {
  const { name, kind, photo: [file, width, height], grid, shapes, image, cls } = await expected();
  assert.deepEqual([name, kind, file, width, height, grid], ["DINOv2 ViT-S/14", "cpu", "chelsea.png", 451, 300, [8, 8]]);
  assert.deepEqual(shapes, [[8, 8, 384], [1, 384], [8, 8, 384], [8, 8, 384], [8, 8, 3]]);
  assert.deepEqual([cls.length, image], [384, [451, 300]]);
});

test("by Vite’s development server: photographs in all their forms, several at once, calls that are ended, and a model that is closed", async (t) => {
  const page = await open(t, "dev");
  const found = await page.evaluate(async () => {
    const { open: openModel, ModelError } = globalThis.internvit;
    const stages = new Set();
    const model = await openModel("bundled", { device: "cpu", onProgress: ({ stage }) => stages.add(stage) });
    const blob = await (await fetch("/photo.png")).blob();
    const bitmap = await createImageBitmap(blob);
    const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    const image = canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height);
    const picture = Object.assign(new Image(), { src: "/photo.png" });
    await picture.decode();
    const done = [];
    const bytes = await blob.arrayBuffer();
    const forms = [blob, new File([blob], "cat.png"), bitmap, canvas, image, picture, new URL("/photo.png", location.href), bytes, new Uint8Array(bytes)];
    const all = await model.features(forms, { imageSize: 56, onProgress: ({ done: n, total }) => done.push(`${n}/${total}`) });
    const chosen = new DataTransfer();
    for (const name of ["a.png", "b.png"]) chosen.items.add(new File([blob], name));
    const listed = await model.features(chosen.files, { size: 28 });
    const failure = (work) => work().then(() => null, (error) => ({ name: error.name, kind: error.kind ?? null, message: error.message, ours: error instanceof ModelError, isError: error instanceof Error }));
    const abort = new AbortController();
    const ended = failure(() => model.features(blob, { size: 518, signal: abort.signal }));
    const waitingToo = failure(() => model.features(blob, { size: 518, signal: abort.signal }));
    setTimeout(() => abort.abort(), 30);
    const failures = [
      await waitingToo,
      await ended,
      await failure(() => model.features(new File(["no picture"], "no.png"))),
      await failure(() => model.features(blob, { imagesize: 448 })),
      await failure(() => model.features(blob, { size: 56, imageSize: 448 })),
      await failure(() => model.features(blob, { layers: [13] })),
      await failure(() => model.look(blob, "pcb")),
      await failure(() => model.text(["a cat"])),
      await failure(() => openModel("no model")),
      await failure(() => openModel("bundled", { threads: 0 })),
      await failure(() => openModel("internvit-tiny")),
      ...(await Promise.all(["fetch", "load"].map((stage) => {
        const stop = new AbortController();
        return failure(() => openModel("dinov2-small", { device: "cpu", signal: stop.signal, onProgress: (told) => told.stage === stage && stop.abort() }));
      }))),
      await failure(() => openModel([new File(["{}"], "config.json")])),
      await failure(() => openModel([new File(["{}"], "config.json"), new File(["x"], "model.safetensors")])),
    ];
    const waiting = failure(() => model.features(blob));
    model.close();
    failures.push(await waiting, await failure(() => model.features(blob)));
    return { cls: all.map(({ cls }) => [...cls]), names: all.map(({ name }) => name), grids: all.map(({ grid }) => grid.join("×")), listed: listed.map(({ name, grid }) => [name, grid[0]]), done, failures, stages: [...stages] };
  });
  for (const cls of found.cls) assert.ok(relativeL2(numbers(cls), numbers(found.cls[0])) < 1e-3);
  assert.deepEqual(found.names.slice(0, 2), ["photograph", "cat.png"]);
  assert.deepEqual([...new Set(found.grids)], ["4×4"]);
  assert.deepEqual(found.listed, [["a.png", 2], ["b.png", 2]]);
  assert.deepEqual([found.done[0], found.done.at(-1)], ["0/9", "9/9"]);
  assert.ok(found.stages.includes("fetch") && found.stages.includes("load"));
  const kinds = found.failures.map(({ name, kind }) => kind ?? name);
  assert.deepEqual(kinds, ["AbortError", "AbortError", "image", "input", "input", "input", "input", "input", "input", "input", "input", "AbortError", "AbortError", "input", "config", "input", "input"]);
  for (const { message, isError, ours, kind } of found.failures) assert.ok(message && !message.includes("\n") && isError && ours === (kind !== null), message);
  assert.match(found.failures[3].message, /unknown imagesize, known are signal, size, imageSize/);
});

test("a model of the hub is fetched once, and kept in the browser", async (t) => {
  const hub = await tinyHub(t);
  const page = await open(t, "webpack", { allow: [hub.address, hub.store] });
  const ask = (name) => page.evaluate(async ([name, address]) => {
    const stages = new Set();
    const model = await globalThis.internvit.open(name, { hub: address, device: "cpu", onProgress: ({ stage }) => stages.add(stage) });
    const { names, labels, width, height } = await model.segment("/photo.png");
    await model[Symbol.asyncDispose](); // what `await using` does
    return { name: model.name, stages: [...stages], classes: names.length, whole: labels.length === width * height };
  }, [name, hub.address]);
  assert.deepEqual(await ask("tiny/internvit"), { name: "tiny/internvit", stages: ["fetch", "check", "load"], classes: 15, whole: true });
  const requests = hub.log().length;
  assert.ok(requests > 0);
  assert.deepEqual((await ask("tiny/internvit")).stages, ["check", "load"]);
  assert.equal(hub.log().length, requests, "what is stored was asked for again");
  const missing = await page.evaluate((address) => globalThis.internvit.open("tiny/nobody", { hub: address }).catch(({ kind, message }) => [kind, message]), hub.address);
  assert.equal(missing[0], "hub");
  assert.match(missing[1], /tiny\/nobody was not found/);
  // A folder of the page's own server.
  assert.deepEqual((await ask("/models/internvit-tiny/")).classes, 15);
  const kept = await page.evaluate(async () => {
    const { store } = globalThis.internvit;
    const before = await store.list();
    await store.remove("/models/internvit-tiny/");
    return [before, await store.list()].map((list) => list.map(({ name, complete }) => `${name.replace(location.origin, "")} ${complete}`));
  });
  assert.deepEqual(kept, [["/models/internvit-tiny/ true", "tiny/internvit true"], ["tiny/internvit true"]]);
});

test("<internvit-view> shows a view beside its photograph, by keyboard too, and says what is wrong", async (t) => {
  const page = await open(t, "plain", { refused: /404/ });
  await page.evaluate(() => {
    document.querySelector("main").insertAdjacentHTML("beforeend", '<internvit-view src="photo.png" alt="A cat" size="112"></internvit-view> <internvit-view src="nowhere.png" alt="Nothing" size="112"></internvit-view>');
    globalThis.shown = new Promise((done) => document.querySelector("internvit-view").addEventListener("load", done));
  });
  const cat = page.locator("internvit-view").first();
  await cat.locator("[role=status]", { hasText: /model/ }).waitFor();
  await page.evaluate(() => globalThis.shown);
  const handle = page.getByRole("slider", { name: "A cat, and right of the handle what a model sees: parts that mean the same in the same colour" });
  await handle.focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await handle.inputValue(), "37");
  assert.equal(await cat.locator("img").getAttribute("alt"), "A cat");
  const place = await cat.evaluate(({ shadowRoot }) => {
    const [canvas, image] = ["canvas", "img"].map((name) => shadowRoot.querySelector(name).getBoundingClientRect());
    const { data } = shadowRoot.querySelector("canvas").getContext("2d").getImageData(0, 0, 451, 300);
    return { same: Math.abs(canvas.width - image.width) < 1 && Math.abs(canvas.height - image.height) < 1, colours: new Set(new Uint32Array(data.buffer)).size };
  });
  assert.ok(place.same && place.colours > 1000, JSON.stringify(place));
  const alarm = page.locator("internvit-view").last().getByRole("alert");
  await alarm.waitFor();
  assert.match(await alarm.textContent(), /nowhere\.png could not be fetched: the server answers 404/);
  assert.deepEqual(await axe(page), []);
  if (process.env.PICTURES) await page.screenshot({ path: join(process.env.PICTURES, "embed.png") });
});

test("the package works from another origin, as from a content delivery network", async (t) => {
  const types = { js: "text/javascript", wasm: "application/wasm" };
  const { project } = site.made.plain;
  const network = createServer(({ url }, response) => {
    const file = join(project, "node_modules/internvit", url);
    response.writeHead(200, { "access-control-allow-origin": "*", "content-type": types[file.split(".").at(-1)] ?? "application/octet-stream", "content-length": statSync(file).size });
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => network.listen(0, "127.0.0.1", done));
  t.after(() => network.close());
  const server = await serve({ "/page/": site.made.plain.served, "/blank/": path("tests/browser/blank") });
  t.after(() => server.close());
  const url = `http://127.0.0.1:${network.address().port}/`;
  const page = await visit({ url: server.url, browser: site.browser }, t, { query: "blank/", allow: [url], refused: /404/ });
  const grid = await page.evaluate(async (address) => {
    const { open: openModel } = await import(`${address}index.js`);
    const model = await openModel("bundled", { device: "cpu", threads: 2 });
    return (await model.features("/page/photo.png", { size: 56 })).grid;
  }, url);
  assert.deepEqual(grid, [4, 4]);
});

/** A folder of the project with a small CLIP that reads a few words. */
function clipFolder(name) {
  const folder = join(site.made.plain.project, name);
  mkdirSync(folder);
  for (const file of ["config.json", "model.safetensors", "preprocessor_config.json"]) copyFileSync(path(`tests/golden/clip_quick_gelu/${file}`), join(folder, file));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify({
    version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: { type: "Whitespace" },
    post_processor: null, decoder: null, model: { type: "WordLevel", vocab: { "[UNK]": 0, a: 3, cat: 6, dog: 7 }, unk_token: "[UNK]" },
  }));
  return folder;
}

test("in Node: models from folders and bytes, pixels, texts, errors in words", async () => {
  const folder = clipFolder("clip");
  const found = await node(`
    import { readFileSync } from "node:fs";
    import { open, ModelError } from "internvit";
    import "internvit/view";
    const [photo, folder] = process.argv.slice(2);
    const clip = await open(folder);
    const texts = await clip.text(["a cat", "a dog"]);
    const guesses = await clip.classifyWith(texts, photo);
    const same = await clip.classifyWith(["a cat", "a dog"], new Blob([readFileSync(photo)]));
    const { embedding } = await clip.features(photo);
    const { shape, data } = texts.embeddings;
    const row = (at) => data.subarray(at * shape[1], (at + 1) * shape[1]);
    const cosines = texts.texts.map((_, at) => row(at).reduce((sum, value, place) => sum + value * embedding[place], 0));
    const lengths = [embedding, row(0), row(1)].map((vector) => Math.hypot(...vector));
    clip.close();
    const dino = await open("dinov2-small");
    const plain = await dino.features(photo, { size: 56 });
    const pooledAlike = plain.embedding === plain.pooled;
    dino.close();
    const files = ["config.json", "model.safetensors", "preprocessor_config.json"].map((name) => new File([readFileSync(folder + "/" + name)], name));
    const bytes = await open(files);
    const pixels = { data: new Uint8ClampedArray(40 * 30 * 4).fill(200), width: 40, height: 30 };
    const f = await bytes.features(pixels);
    const [one, other] = await bytes.features([photo, readFileSync(photo)]);
    const sameBytes = one.cls.every((value, at) => value === other.cls[at]);
    const failure = (work) => work().then(() => null, (error) => error instanceof ModelError ? [error.kind, error.message] : [error.name, error.message]);
    console.log(JSON.stringify({
      guesses, same, sameBytes, cosines, lengths, shape, pooledAlike, grid: f.grid, texts: [clip.info.texts, bytes.info.texts],
      failures: [
        await failure(() => open("internvit-tiny")), await failure(() => open("./owner/name")), await failure(() => open("bundled", { device: "gpu" })), await failure(() => open("bundled", { dtype: "f16" })),
        await failure(() => bytes.features("nowhere.png")), await failure(() => bytes.features({ ...pixels, width: 41 })), await failure(() => bytes.text(["a cat"])),
        await failure(() => bytes.features(pixels, { signal: AbortSignal.abort() })),
      ],
    }));
  `, photo, folder);
  assert.deepEqual(found.guesses.map(({ name }) => name).sort(), ["a cat", "a dog"]);
  assert.ok(Math.abs(found.guesses[0].probability + found.guesses[1].probability - 1) < 1e-6);
  assert.deepEqual(found.same, found.guesses);
  assert.equal(found.sameBytes, true);
  assert.equal(found.pooledAlike, true);
  assert.equal(found.shape[0], 2);
  for (const length of found.lengths) assert.ok(Math.abs(length - 1) < 1e-5, `${found.lengths}`);
  // What is more alike is more probable, by the model's own scale.
  const [cat, dog] = ["a cat", "a dog"].map((text) => found.guesses.find(({ name }) => name === text).probability);
  const scale = Math.log(cat / dog) / (found.cosines[0] - found.cosines[1]);
  assert.ok(Math.abs(scale / LOGIT_SCALE - 1) < 1e-2, `a scale of ${scale}`);
  assert.deepEqual(found.texts, ["read", "left out"]);
  assert.deepEqual(found.failures.map(([kind]) => kind), ["input", "io", "device", "device", "io", "input", "input", "AbortError"]);
  assert.match(found.failures[5][1], /41 × 30 have 4800 bytes/);
});

test("in Node a model is found by any path of its file or index, with what lies beside", async () => {
  const { project } = site.made.plain;
  const folders = ["paths", "sharded"].map((name) => join(project, name));
  const from = (file) => path(`tests/golden/clip_quick_gelu/${file}`);
  const vocabulary = ["<|startoftext|>", "<|endoftext|>", "a</w>", "c", "a", "t</w>", "at</w>", "cat</w>"];
  for (const folder of folders) {
    mkdirSync(folder);
    for (const file of ["config.json", "preprocessor_config.json"]) copyFileSync(from(file), join(folder, file));
    writeFileSync(join(folder, "vocab.json"), JSON.stringify(Object.fromEntries(vocabulary.map((token, id) => [token, id]))));
    writeFileSync(join(folder, "merges.txt"), "#version: 0.2\na t</w>\nc at</w>\n");
  }
  const [plain, sharded] = folders;
  copyFileSync(from("model.safetensors"), join(plain, "model.safetensors"));
  copyFileSync(from("model.safetensors"), join(sharded, "model-00001-of-00001.safetensors"));
  const weights = readFileSync(from("model.safetensors"));
  const names = Object.keys(JSON.parse(weights.toString("utf8", 8, 8 + Number(weights.readBigUInt64LE(0)))));
  writeFileSync(join(sharded, "model.safetensors.index.json"), JSON.stringify({ weight_map: Object.fromEntries(names.map((name) => [name, "model-00001-of-00001.safetensors"])) }));
  writeFileSync(join(sharded, "lone.safetensors.index.json"), JSON.stringify({ weight_map: { a: "lone-00001-of-00001.safetensors" } }));
  writeFileSync(join(sharded, "broken.safetensors.index.json"), "{");
  // An index counts where it is named, whatever else lies there.
  writeFileSync(join(sharded, "model.safetensors"), "no weights");
  const found = await node(`
    import { pathToFileURL } from "node:url";
    import { open } from "internvit";
    const sources = [
      "paths", "./paths/model.safetensors", "paths//model.safetensors", "sharded/../paths/model.safetensors", process.cwd() + "/./paths/model.safetensors",
      pathToFileURL("paths/model.safetensors"), "./sharded/model.safetensors.index.json", "sharded/lone.safetensors.index.json", "sharded/broken.safetensors.index.json",
    ];
    const told = [];
    for (const source of sources) {
      told.push(await open(source, { threads: 1 }).then(async (model) => {
        const { texts, embeddings: { data } } = await model.text("a cat");
        model.close();
        return [model.info.texts, texts, data.reduce((sum, value) => sum + Math.abs(value), 0)];
      }, ({ kind, message }) => [kind, message]));
    }
    console.log(JSON.stringify(told));
  `);
  const [whole, ...others] = found;
  assert.deepEqual(whole.slice(0, 2), ["read", ["a cat"]]);
  assert.ok(whole[2] > 0.5);
  assert.deepEqual(others.slice(0, 6), Array(6).fill(whole));
  assert.deepEqual(others.slice(6).map(([kind]) => kind), ["checkpoint", "checkpoint"]);
  assert.match(others[6][1], /none of its shards/);
});

test("in Node a string is one text, and arguments of wrong types are ModelErrors that name them", async () => {
  const found = await node(`
    import { open, store, ModelError } from "internvit";
    const [photo, folder] = process.argv.slice(2);
    const clip = await open(folder, { threads: 1 });
    const [one, several] = [await clip.text("a cat"), await clip.text(["a cat"])];
    const same = one.embeddings.data.every((value, at) => value === several.embeddings.data[at]);
    const guesses = await clip.classifyWith("a cat", photo);
    const dino = await open("bundled", { threads: 1, hub: null, signal: null });
    const size = 56;
    const f = await dino.features(photo, { size, layers: null });
    const points = (method = "point", ...given) => dino.teach(photo).size(size).point("cat", [220, 160]).point("wall", [430, 20])[method](...given).fit();
    const wrong = {
      "open.source": () => open(null), "open.source[0]": () => open([5]), "open.options": () => open("bundled", null), "open.threads": () => open("bundled", { threads: "2" }),
      "open.signal": () => open("bundled", { signal: new AbortController() }), "open.onProgress": () => open("bundled", { onProgress: "bar" }),
      "features.photo": () => dino.features(null), "features.photos[1]": () => dino.features([photo, 5]), "features.options": () => dino.features(photo, 56),
      "features.size": () => dino.features(photo, { size: 1.5 }), "features.layers": () => dino.features(photo, { layers: 6 }),
      "classify.photo": () => dino.classify(), "segment.photo": () => dino.segment(5), "look.photo": () => dino.look(null, "pca"), "look.view": () => dino.look(photo, null),
      "look.options": () => f.look("pca", null), "view.at": () => f.look({ view: "similarity", at: [1] }), "view.k": () => f.look({ view: "clusters", k: 2.5 }),
      "head 99": () => dino.look(photo, { view: "attention", head: 99 }), "head 6": () => f.look({ view: "attention", head: 6 }), "head -1": () => f.look({ view: "attention", head: -1 }),
      "layer 0": () => f.look({ view: "rollout", layer: 0 }), "layer 13": () => f.look({ view: "norms", layer: 13 }), "layer 6": async () => f.hidden("6"),
      "text.texts": () => clip.text(null), "text.texts[1]": () => clip.text(["a cat", 5]), "classifyWith.texts": () => clip.classifyWith(), "classifyWith.photo": () => clip.classifyWith("a cat", null),
      "segmentWith.head": () => dino.segmentWith({}, photo), "teach.photo": () => points("photo", null), "point.at": () => points("point", "cat"), "point.name": () => points("point", 5, [1, 1]),
      layer: () => points("layer", "6"), method: () => points("method", "guess"), size: () => points("size", "56"), "fit.options": () => dino.teach(photo).fit(null), "store.remove": () => store.remove(null),
    };
    const told = [];
    for (const [name, work] of Object.entries(wrong)) {
      told.push([name, ...(await work().then(() => ["nothing"], (error) => [error instanceof ModelError ? error.kind : error.name, error.message]))]);
    }
    const five = await f.look({ view: "attention", head: 5 });
    console.log(JSON.stringify({ same, texts: [one.texts, one.embeddings.shape[0]], guesses: guesses.map(({ name }) => name), told, five: five.data.shape }));
  `, photo, clipFolder("one-text"));
  assert.equal(found.same, true);
  assert.deepEqual([found.texts, found.guesses, found.five], [[["a cat"], 1], ["a cat"], [7, 4, 4]]);
  for (const [name, kind, message] of found.told) {
    assert.equal(kind, "input", `${name}: ${message}`);
    assert.ok(message.startsWith(`${name}: expected `) && message.endsWith("."), message);
  }
  assert.match(found.told.find(([name]) => name === "head 99")[2], /expected 0 to 5/);
});

/** What is told by a call whose `onProgress` throws at a stage, and that the program goes on. */
const THROWS = `async ({ open, stage, source, options }) => {
  const mine = new RangeError("mine");
  let after = 0;
  const onProgress = (told) => {
    if (told.stage !== stage || after++ > 0) return;
    throw mine;
  };
  const seen = await open(source, { ...options, onProgress }).then(() => "opened", (error) => (error === mine ? "mine" : String(error)));
  return [seen, after];
}`;

test("what an onProgress throws ends its call in Node, and the call alone", async () => {
  const found = await node(`
    import { getEventListeners } from "node:events";
    import { open } from "internvit";
    const [photo, address] = process.argv.slice(2);
    const throws = ${THROWS};
    const { signal } = new AbortController();
    const told = [await throws({ open, stage: "load", source: "bundled", options: { threads: 1, signal } })];
    for (const stage of ["fetch", "check", "load"]) told.push(await throws({ open, stage, source: address, options: { threads: 1 } }));
    const model = await open("bundled", { threads: 1 });
    told.push(await throws({ open: (...given) => model.features(...given), stage: "encode", source: photo, options: { size: 28 } }));
    const { grid } = await model.features(photo, { size: 28 });
    console.log(JSON.stringify({ told, grid, listeners: getEventListeners(signal, "abort").length }));
  `, photo, `${site.servers.plain.url}models/internvit-tiny`);
  assert.deepEqual(found, { told: Array(5).fill(["mine", 1]), grid: [2, 2], listeners: 0 });
});

test("what an onProgress throws ends its call in a page", async (t) => {
  const page = await open(t, "plain");
  const found = await page.evaluate(async (code) => {
    const throws = (0, eval)(code);
    const told = [];
    for (const stage of ["fetch", "load"]) told.push(await throws({ open: globalThis.internvit.open, stage, source: "bundled", options: { device: "cpu", threads: 1 } }));
    return told;
  }, THROWS);
  assert.deepEqual(found, Array(2).fill(["mine", 1]));
});

test("in Node a photograph whose call is ended at the last moment is let go", async () => {
  const found = await node(`
    import threads from "node:worker_threads";
    import { syncBuiltinESMExports } from "node:module";
    const sent = [];
    const late = { stop: null };
    // The signal aborts when the worker has encoded, before that is heard.
    threads.Worker = class extends threads.Worker {
      on(event, listener) {
        return super.on(event, event !== "message" ? listener : (data) => {
          if (data.answer?.photo !== undefined) late.stop?.abort();
          listener(data);
        });
      }
      postMessage(message, ...more) {
        if (message.call) sent.push(message.call === "forget" ? "forget " + message.given : message.call);
        super.postMessage(message, ...more);
      }
    };
    syncBuiltinESMExports();
    const { open } = await import("internvit");
    const model = await open("bundled", { threads: 1 });
    sent.length = 0;
    late.stop = new AbortController();
    const ended = await model.features(process.argv[2], { size: 28, signal: late.stop.signal }).then(() => "answered", ({ name }) => name);
    late.stop = null;
    await model.features(process.argv[2], { size: 28 });
    console.log(JSON.stringify({ ended, sent }));
  `, photo);
  const forgets = found.sent.filter((call) => call.startsWith("forget"));
  assert.equal(found.ended, "AbortError");
  assert.deepEqual([found.sent.filter((call) => call === "encodeFile").length, new Set(forgets).size], [2, 2], found.sent.join());
  assert.deepEqual(found.sent.slice(0, 2), ["encodeFile", forgets[0]], "it was not let go before the next was encoded");
});

/** Opens a model of the hub, and tells what it was and what was seen on the way. */
const OPENS = `
  import { open, store } from "internvit";
  const stages = new Set();
  const [source, after] = process.argv.slice(2);
  const stop = new AbortController();
  const onProgress = ({ stage, done }) => {
    stages.add(stage);
    if (after && stage === "fetch" && done > Number(after)) stop.abort();
  };
  try {
    const model = await open(source, { onProgress, signal: stop.signal });
    console.log(JSON.stringify({ name: model.name, layers: model.info.layers, stages: [...stages], kept: await store.list() }));
  } catch ({ name, kind, message }) {
    console.log(JSON.stringify({ failure: kind ?? name, message, kept: await store.list() }));
  }
`;

test("in Node: a model's own classes, the most probable first", async () => {
  const folder = join(site.made.plain.project, "vit");
  mkdirSync(folder);
  for (const file of ["model.safetensors", "preprocessor_config.json"]) copyFileSync(path(`tests/golden/vit_classification/${file}`), join(folder, file));
  const config = JSON.parse(readFileSync(path("tests/golden/vit_classification/config.json"), "utf8"));
  const names = ["cat", "dog", "bird", "car", "tree", "house"];
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, id2label: { ...names } }));
  const found = await node(`
    import { open } from "internvit";
    const [photo, folder] = process.argv.slice(2);
    const model = await open(folder);
    console.log(JSON.stringify({ classes: model.info.labels, guesses: await model.classify(photo) }));
  `, photo, folder);
  const chances = found.guesses.map(({ probability }) => probability);
  assert.equal(found.guesses.length, Math.min(10, found.classes));
  assert.deepEqual(chances, [...chances].sort((a, b) => b - a));
  assert.ok(chances.reduce((sum, one) => sum + one) < 1 + 1e-6 && chances[0] > 1 / found.classes);
  for (const guess of found.guesses) assert.equal(guess.name, names[guess.class]);
});

test("in Node: \"using\" and \"await using\" close a model", async () => {
  const { project } = site.made.plain;
  writeFileSync(join(project, "disposed.mts"), `
    import { open, type Model } from "internvit";
    const models: Model[] = [];
    {
      using one = await open("bundled", { threads: 1 });
      await using other = await open("bundled", { threads: 1 });
      models.push(one, other);
      for (const model of models) await model.features("photo.png", { size: 28 });
    }
    const told = models.map((model) => model.features("photo.png", { size: 28 }).then(() => "open", (error: Error) => error.message));
    console.log(JSON.stringify(await Promise.all(told)));
  `);
  const options = ["--ignoreConfig", "--strict", "--target", "es2022", "--lib", "es2022,dom,esnext.disposable", "--types", "", "--module", "nodenext"];
  await exec(process.execPath, [path("node_modules/typescript/bin/tsc"), ...options, "disposed.mts"], { cwd: project });
  const { stdout } = await exec(process.execPath, ["disposed.mjs"], { cwd: project, timeout: 60_000 });
  assert.deepEqual(JSON.parse(stdout), Array(2).fill("The model is closed: open it again."));
});

test("in Node models of the hub and of servers are fetched once, checked, gone on with, and kept", async (t) => {
  const hub = await tinyHub(t);
  const home = join(site.made.plain.project, "home");
  const opens = (source, ...more) => nodeUnder({ HF_HOME: home, HF_ENDPOINT: hub.address, HF_TOKEN: "secret" }, OPENS, source, ...more);
  const weights = () => hub.log().filter(({ url, method }) => method === "GET" && url.includes("/model.safetensors"));
  const bytes = () => weights().reduce((sum, one) => sum + one.bytes, 0);
  const { size } = statSync(path("www/models/internvit-tiny/model.safetensors"));

  const missing = await opens("tiny/nobody");
  assert.equal(missing.failure, "hub");
  assert.match(missing.message, /tiny\/nobody was not found/);

  // Ended by its signal in the middle, then gone on with.
  hub.behave([{ match: "model.safetensors?signature", slow: 8e6 }]);
  const ended = await opens("tiny/internvit", "2000000");
  assert.deepEqual([ended.failure, ended.kept[0].complete], ["AbortError", false]);
  hub.behave([{ match: "model.safetensors?signature", cut: 3e6, times: 1 }]);
  // Two programs at once: one fetches, the other waits.
  const both = await Promise.all([opens("tiny/internvit"), opens("tiny/internvit")]);
  for (const { name, layers, kept } of both) assert.deepEqual([name, layers, kept], ["tiny/internvit", 12, [{ name: "tiny/internvit", bytes: size, complete: true }]]);
  assert.ok(bytes() < 1.2 * size, `${bytes()} bytes of ${size} were fetched`);
  assert.ok(hub.log().some(({ authorization }) => authorization === "Bearer secret"));
  assert.ok(hub.log().every(({ host, authorization }) => !authorization || hub.address.endsWith(host)), "the token went to another server");

  // The lock of a program that ended in the middle.
  const lock = join(home, "internvit-js/locks", encodeURIComponent("internvit tiny/internvit"));
  writeFileSync(lock, "");
  utimesSync(lock, 0, 0);
  const requests = hub.log().length;
  assert.deepEqual((await opens("tiny/internvit")).stages.filter((stage) => stage !== "wait"), ["check", "load"]);
  assert.equal(hub.log().length, requests, "what is stored was asked for again");

  // What is damaged is found and fetched again; what arrives damaged twice is an error.
  const stored = join(home, "internvit-js/models/tiny%2Finternvit/model.safetensors");
  const damaged = readFileSync(stored);
  damaged[size - 1] ^= 1;
  writeFileSync(stored, damaged);
  assert.deepEqual((await opens("tiny/internvit")).stages, ["check", "fetch", "load"]);
  hub.behave([{ match: "model.safetensors?signature", garbage: true }]);
  writeFileSync(stored, damaged);
  const twice = await opens("tiny/internvit");
  assert.match(twice.message, /model\.safetensors arrived damaged twice/);

  // A folder on a server.
  const { url } = site.servers.plain;
  const { name, layers } = await opens(`${url}models/internvit-tiny`);
  assert.deepEqual([name, layers], [`${url}models/internvit-tiny`, 12]);
});

test("in Node one signal serves many calls, and keeps nothing of them", async () => {
  const found = await node(`
    import { getEventListeners } from "node:events";
    import { open } from "internvit";
    const warnings = [];
    process.on("warning", ({ name }) => warnings.push(name));
    const { signal } = new AbortController();
    const model = await open("bundled", { threads: 1, signal });
    for (let call = 0; call < 50; call++) await model.features(process.argv[2], { size: 28, signal });
    console.log(JSON.stringify({ warnings, listeners: getEventListeners(signal, "abort").length }));
  `, photo);
  assert.deepEqual(found, { warnings: [], listeners: 0 });
});

test("README's programs run as they stand", async () => {
  const readme = readFileSync(path("web/package/README.md"), "utf8");
  const programs = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code).filter((code) => code.includes("// Node"));
  assert.ok(programs.length > 0);
  copyFileSync(photo, join(site.made.plain.project, "cat.png"));
  await Promise.all(programs.map(async (code, at) => {
    const file = join(site.made.plain.project, `readme-${at}.mjs`);
    writeFileSync(file, code);
    const { stdout } = await exec(process.execPath, [file], { cwd: site.made.plain.project, timeout: 60_000 });
    assert.match(stdout, /\[ 16, 16/);
  }));
});

/** What programs of the documents take for granted. */
const PRELUDE = `
  import { readFileSync } from "node:fs";
  const blob = new Blob([readFileSync("cat.png")]);
  const context = { putImageData: ({ width, height }) => console.log(width, height) };
`;

test("programs of the documents run as they are printed", async (t) => {
  const { project } = site.made.plain;
  const folder = join(project, "hub/facebook/dinov2-small");
  mkdirSync(folder, { recursive: true });
  for (const file of ["config.json", "model.safetensors"]) copyFileSync(path(`www/models/dinov2-small/${file}`), join(folder, file));
  // As facebook/dinov2-small has it.
  const own = JSON.parse(readFileSync(path("www/models/dinov2-small/preprocessor_config.json"), "utf8"));
  const published = { ...own, size: { shortest_edge: 256 }, do_center_crop: true, crop_size: { height: 224, width: 224 } };
  writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify(published));
  copyFileSync(photo, join(project, "cat.png"));
  const hub = await startHub(join(project, "hub"));
  t.after(() => hub.close());
  const printed = ["README.md", "docs/javascript.md"].flatMap((name) => [...readFileSync(path(name), "utf8").matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => [name, code]));
  assert.deepEqual(printed.map(([name]) => name), ["README.md", "docs/javascript.md"]);
  const told = [];
  for (const [at, [, code]] of printed.entries()) {
    writeFileSync(join(project, `printed-${at}.mjs`), PRELUDE + code);
    const env = { ...process.env, HF_HOME: join(project, "home-of-documents"), HF_ENDPOINT: hub.address };
    told.push((await exec(process.execPath, [`printed-${at}.mjs`], { cwd: project, timeout: 180_000, env })).stdout);
  }
  assert.match(told[0], /^\[ 32, 32 \] Float32Array\(384\) \[[\s\S]*\] \[ 32, 32, 384 \]\n$/);
  assert.match(told[1], /^check \d+ \d+\n[\s\S]*load \d+ \d+\n263 263\n$/);
});

test("elements of the documents work as they are printed, under the policy that is printed, by one tag", async (t) => {
  const { project } = site.made.plain;
  const text = (name) => readFileSync(path(name), "utf8");
  const [, policy, more] = /policy that it works under is `([^`]+)`[^`]*`([^`]+)`/.exec(text("docs/javascript.md").replace(/\s+/g, " "));
  const elements = ["web/package/README.md", "docs/javascript.md"].map((name) => /```html\n([\s\S]*?)```/.exec(text(name))[1]);
  copyFileSync(photo, join(project, "cat.png"));
  copyFileSync(path("www/samples/rocket.jpg"), join(project, "photo.jpg"));
  const types = { js: "text/javascript", wasm: "application/wasm", html: "text/html", png: "image/png", jpg: "image/jpeg", svg: "image/svg+xml" };
  const server = createServer(({ url }, response) => {
    const file = join(project, url.replace("/blank/", "/"));
    response.writeHead(200, { "content-security-policy": `${policy}; ${more}`, "content-type": types[file.split(".").at(-1)] ?? "application/octet-stream", "content-length": statSync(file).size });
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  for (const [at, element] of elements.entries()) {
    writeFileSync(join(project, `element-${at}.html`), `<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="favicon.svg">${element.replace("<internvit-view", '<internvit-view size="56"')}`);
    const page = await visit({ url: `http://127.0.0.1:${server.address().port}/`, browser: site.browser }, t, { query: `blank/element-${at}.html` });
    await page.getByRole("slider").waitFor();
  }
});

test("what the page shows as JavaScript runs as it stands", async () => {
  const { project } = site.made.plain;
  copyFileSync(path("www/samples/coffee.png"), join(project, "coffee.png"));
  copyFileSync(path("tests/common/code/looked.mjs"), join(project, "looked.mjs"));
  const { stdout } = await exec(process.execPath, ["looked.mjs"], { cwd: project, timeout: 60_000 });
  assert.match(stdout, /^\[ 8, 12 \] 600 400\n$/);
});

test("a strict TypeScript program compiles against the types", async () => {
  const { project } = site.made.plain;
  const tsc = path("node_modules/typescript/bin/tsc");
  copyFileSync(path("tests/browser/package-types.ts"), join(project, "types.ts"));
  const check = (...more) => exec(process.execPath, [tsc, "--ignoreConfig", "--strict", "--noEmit", "--target", "es2022", "--types", "", ...more, "types.ts"], { cwd: project });
  const lib = ["--lib", "es2022,dom"];
  await Promise.all([
    check(...lib, "--module", "esnext", "--moduleResolution", "bundler"),
    check(...lib, "--module", "nodenext", "--exactOptionalPropertyTypes"),
    check("--lib", "es2022,webworker", "--module", "nodenext"),
  ]);
});

test("the package holds what it names, and nothing of this machine", async () => {
  const folder = join(site.made.plain.project, "node_modules/internvit");
  const { exports, license, engines } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder);
  for (const file of Object.values(exports).flatMap((one) => (typeof one === "string" ? [one] : Object.values(one)))) assert.ok(files.includes(file.slice(2)), file);
  for (const file of ["LICENSE-MIT", "LICENSE-APACHE", "licences.txt", "README.md"]) assert.ok(statSync(join(folder, file)).size > 100, file);
  assert.deepEqual([license, engines.node], ["MIT OR Apache-2.0", ">=20"]);
  for (const file of files.filter((name) => /\.(js|ts|json|md)$/.test(name))) assert.ok(!readFileSync(join(folder, file), "utf8").includes(path("").replace(/\/$/, "")), file);
});
