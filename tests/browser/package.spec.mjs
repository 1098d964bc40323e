// The npm package as a stranger uses it: installed from its tarball, built by bundlers without configuration, in Chromium and in Node.
import assert from "node:assert/strict";
import { createReadStream, copyFileSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
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
async function node(code, ...args) {
  const { project } = site.made.plain;
  const file = join(project, `program-${process.hrtime.bigint()}.mjs`);
  writeFileSync(file, code);
  // It must end by itself.
  const { stdout } = await exec(process.execPath, [file, ...args], { cwd: project, timeout: 60_000 });
  return JSON.parse(stdout);
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
    const forms = [blob, new File([blob], "cat.png"), bitmap, canvas, image, picture, new URL("/photo.png", location.href)];
    const all = await model.features(forms, { size: 56, onProgress: ({ done: n, total }) => done.push(`${n}/${total}`) });
    const failure = (work) => work().then(() => null, (error) => ({ name: error.name, kind: error.kind ?? null, message: error.message, ours: error instanceof ModelError, isError: error instanceof Error }));
    const abort = new AbortController();
    const ended = failure(() => model.features(blob, { size: 518, signal: abort.signal }));
    const waitingToo = failure(() => model.features(blob, { size: 518, signal: abort.signal }));
    setTimeout(() => abort.abort(), 30);
    const failures = [
      await waitingToo,
      await ended,
      await failure(() => model.features(new File(["no picture"], "no.png"))),
      await failure(() => model.features(blob, { imageSize: 448 })),
      await failure(() => model.features(blob, { layers: [13] })),
      await failure(() => model.look(blob, "pcb")),
      await failure(() => model.text(["a cat"])),
      await failure(() => openModel("no model")),
      await failure(() => openModel("bundled", { threads: 0 })),
      await failure(() => openModel([new File(["{}"], "config.json")])),
      await failure(() => openModel([new File(["{}"], "config.json"), new File(["x"], "model.safetensors")])),
    ];
    const waiting = failure(() => model.features(blob));
    model.close();
    failures.push(await waiting, await failure(() => model.features(blob)));
    return { cls: all.map(({ cls }) => [...cls]), names: all.map(({ name }) => name), done, failures, stages: [...stages] };
  });
  for (const cls of found.cls) assert.ok(relativeL2(numbers(cls), numbers(found.cls[0])) < 1e-3);
  assert.deepEqual(found.names.slice(0, 2), ["photograph", "cat.png"]);
  assert.deepEqual([found.done[0], found.done.at(-1)], ["0/7", "7/7"]);
  assert.ok(found.stages.includes("fetch") && found.stages.includes("load"));
  const kinds = found.failures.map(({ name, kind }) => kind ?? name);
  assert.deepEqual(kinds, ["AbortError", "AbortError", "image", "input", "input", "input", "input", "input", "input", "input", "config", "input", "input"]);
  for (const { message, isError, ours, kind } of found.failures) assert.ok(message && !message.includes("\n") && isError && ours === (kind !== null), message);
  assert.match(found.failures[3].message, /unknown imageSize, known are signal, size/);
});

test("a model of the hub is fetched once, and kept in the browser", async (t) => {
  const scratch = join(site.made.plain.project, "hub/tiny/internvit");
  mkdirSync(scratch, { recursive: true });
  for (const file of ["config.json", "model.safetensors"]) copyFileSync(path(`www/models/internvit-tiny/${file}`), join(scratch, file));
  const hub = await startHub(join(scratch, "../.."));
  t.after(() => hub.close());
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

test("in Node: models from folders and bytes, pixels, texts, errors in words", async () => {
  const folder = join(site.made.plain.project, "clip");
  mkdirSync(folder);
  for (const file of ["config.json", "model.safetensors", "preprocessor_config.json"]) copyFileSync(path(`tests/golden/clip_quick_gelu/${file}`), join(folder, file));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify({
    version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: { type: "Whitespace" },
    post_processor: null, decoder: null, model: { type: "WordLevel", vocab: { "[UNK]": 0, a: 3, cat: 6, dog: 7 }, unk_token: "[UNK]" },
  }));
  const found = await node(`
    import { readFileSync } from "node:fs";
    import { open, ModelError } from "internvit";
    import "internvit/view";
    const [photo, folder] = process.argv.slice(2);
    const clip = await open(folder);
    const texts = await clip.text(["a cat", "a dog"]);
    const guesses = await clip.classifyWith(texts, photo);
    const same = await clip.classifyWith(["a cat", "a dog"], new Blob([readFileSync(photo)]));
    clip.close();
    const named = await open("dinov2-small");
    const files = ["config.json", "model.safetensors", "preprocessor_config.json"].map((name) => new File([readFileSync(folder + "/" + name)], name));
    const bytes = await open(files);
    const pixels = { data: new Uint8ClampedArray(40 * 30 * 4).fill(200), width: 40, height: 30 };
    const f = await bytes.features(pixels);
    const failure = (work) => work().then(() => null, (error) => error instanceof ModelError ? [error.kind, error.message] : [error.name, error.message]);
    console.log(JSON.stringify({
      guesses, same, grid: f.grid, texts: [clip.info.texts, bytes.info.texts], hidden: named.info.hidden,
      failures: [
        await failure(() => open("owner/name")), await failure(() => open("bundled", { device: "gpu" })), await failure(() => open("bundled", { dtype: "f16" })),
        await failure(() => bytes.features("nowhere.png")), await failure(() => bytes.features({ ...pixels, width: 41 })), await failure(() => bytes.text(["a cat"])),
        await failure(() => bytes.features(pixels, { signal: AbortSignal.abort() })), await failure(() => open("internvit-tiny")),
      ],
    }));
  `, photo, folder);
  assert.deepEqual(found.guesses.map(({ name }) => name).sort(), ["a cat", "a dog"]);
  assert.ok(Math.abs(found.guesses[0].probability + found.guesses[1].probability - 1) < 1e-6);
  assert.deepEqual(found.same, found.guesses);
  assert.deepEqual(found.texts, ["read", "left out"]);
  assert.deepEqual(found.failures.map(([kind]) => kind), ["io", "device", "device", "io", "input", "input", "AbortError", "input"]);
  assert.equal(found.hidden, 384);
  assert.match(found.failures[7][1], /^internvit-tiny: not in this package/);
  assert.match(found.failures[4][1], /41 × 30 have 4800 bytes/);
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
