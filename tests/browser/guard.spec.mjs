// What guards the visitor: policies, no request that was not asked for, names that stay text, messages that are checked.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { headersOf, serve } from "../../web/tools/serve.mjs";
import { openSite, path, visit } from "./site.mjs";
import { drawn, fits, hand, loaded, otherModels, phone, saved, sheet, shown } from "./visitor.mjs";

const site = openSite({ fresh: true });
const EVIL = "<img src=x onerror=\"globalThis.hacked=1\">";
const cat = readFileSync(path("www/samples/chelsea.png"));

/** The page's worker of this script. */
async function worker(page, script) {
  const is = (one) => one.url().includes(`/js/assets/${script}-`);
  return page.workers().find(is) ?? page.waitForEvent("worker", is);
}

test("the server sends what docs/hosting.md asks for, and the page is isolated", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  const scripts = readdirSync(path("www/js/assets"));
  const address = (script) => `/js/assets/${scripts.find((name) => name.startsWith(`${script}-`))}`;
  for (const place of ["/", "/index.html", "/js/main.js", "/samples/chelsea.png", address("worker"), address("download")]) {
    const { headers } = await fetch(new URL(place, site.url));
    for (const [name, value] of Object.entries(headersOf(place))) assert.equal(headers.get(name), value, `${place}: ${name}`);
    assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
    assert.equal(headers.get("cross-origin-embedder-policy"), "require-corp");
  }
  const policy = (place) => headersOf(place)["content-security-policy"];
  for (const place of ["/", address("worker"), address("download")]) {
    assert.match(policy(place), /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; /, place);
    assert.ok(!policy(place).includes("unsafe-inline"), place);
  }
  // A host that sends no headers still has the page's own words.
  const meta = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(readFileSync(path("www/index.html"), "utf8"))[1];
  assert.equal(policy("/"), `${meta}; frame-ancestors 'none'`);
  assert.equal(policy("/index.html"), policy("/"));
  const hosting = readFileSync(path("docs/hosting.md"), "utf8");
  for (const place of ["/", address("worker"), address("download")]) assert.ok(hosting.includes(policy(place)), `docs/hosting.md lacks ${policy(place)}`);
  assert.ok(await page.evaluate(() => globalThis.crossOriginIsolated));
  assert.ok(await (await worker(page, "worker")).evaluate(() => globalThis.crossOriginIsolated));
});

/** What a server answers to these very bytes of an address, which browsers would tidy. */
const ask = (url, place, { method = "GET", ...headers } = {}) => new Promise((done, failed) => {
  const { hostname, port } = new URL(url);
  request({ hostname, port, path: place, method, headers }, (response) => {
    const parts = [];
    response.on("data", (part) => parts.push(part));
    response.on("end", () => done({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
  }).on("error", failed).end();
});

test("an address has one reading: by it the file is found, and its headers", async () => {
  const scripts = readdirSync(path("www/js/assets"));
  const script = scripts.find((name) => name.startsWith("download-"));
  const page = headersOf("/index.html")["content-security-policy"];
  for (const [place, policy] of [
    ["/", page], ["/?a=/js/", page], ["/#x", page], ["/index.html", page], ["/%69ndex.html", page], ["/index%2ehtml", page],
    [`/js/assets/${script}`, headersOf(`/js/assets/${script}`)["content-security-policy"]],
    [`/js/assets/%64${script.slice(1)}`, headersOf(`/js/assets/${script}`)["content-security-policy"]],
    [`/%6as/assets/${script}`, headersOf(`/js/assets/${script}`)["content-security-policy"]],
  ]) {
    const { status, headers } = await ask(site.url, place);
    assert.deepEqual([status, headers["content-security-policy"]], [200, policy], place);
  }
  const strange = [
    "/js/..%2findex.html", "/js/../index.html", "/js/%2e%2e/index.html", "//index.html", "/./index.html", "/index.html/", "/index.html%00", "/js%5c..%5cindex.html",
    "/%2569ndex.html", "/..%2fpackage.json", "/../package.json", "/%2e%2e%2fpackage.json", "/INDEX.HTML", "/js", "/js/", "/%", "/nothing", "/pkg/..%2findex.html",
    "http://example.com/js/../index.html", `/js/assets//${script}`,
  ];
  for (const place of strange) assert.equal((await ask(site.url, place)).status, 404, place);
});

test("every answer has the headers, refusals too", async () => {
  for (const [place, options, status] of [["/", {}, 200], ["/nothing", {}, 404], ["/", { method: "POST" }, 405], ["/", { host: "evil.example" }, 421], ["/", { method: "HEAD" }, 200]]) {
    const { headers, ...answer } = await ask(site.url, place, options);
    assert.equal(answer.status, status);
    for (const [name, value] of Object.entries(headersOf("/"))) assert.equal(headers[name], value, `${status}: ${name}`);
  }
});

test("a name that leads here from elsewhere is refused; what was asked for is not", async (t) => {
  const { port } = new URL(site.url);
  const status = async (url, host) => (await ask(url, "/", { host })).status;
  for (const host of ["localhost", `localhost:${port}`, "127.0.0.1", `[::1]:${port}`, `LOCALHOST:${port}`]) assert.equal(await status(site.url, host), 200, host);
  for (const host of ["evil.example", `evil.example:${port}`, "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.5", "[::2]", "localhost@evil.example"]) {
    assert.equal(await status(site.url, host), 421, host);
  }
  const open = await serve({ "/": path("www") }, 0, { host: "0.0.0.0" });
  t.after(() => open.close());
  assert.equal(await status(open.url, "192.168.1.5:80"), 200);
  assert.equal(await status(open.url, "evil.example"), 421);
});

test("text and modules travel compressed, and what has its hash in its name is kept", async () => {
  const scripts = readdirSync(path("www/js/assets"));
  const wasm = `/js/assets/${scripts.find((name) => name.endsWith(".wasm"))}`;
  for (const place of ["/", "/js/main.js", "/styles.css", "/models/internvit-tiny/config.json", wasm]) {
    const plain = await ask(site.url, place);
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.equal(plain.headers.vary, "accept-encoding");
    for (const [accepted, encoding, unpack] of [["gzip, deflate, br", "br", brotliDecompressSync], ["gzip;q=1, br;q=0", "gzip", gunzipSync]]) {
      const { headers, body } = await ask(site.url, place, { "accept-encoding": accepted });
      assert.equal(headers["content-encoding"], encoding, place);
      assert.equal(Number(headers["content-length"]), body.length);
      assert.ok(body.length < 0.7 * plain.body.length, place);
      assert.ok(unpack(body).equals(plain.body), place);
      const head = await ask(site.url, place, { method: "HEAD", "accept-encoding": accepted });
      assert.deepEqual([head.headers["content-length"], head.body.length], [headers["content-length"], 0]);
    }
  }
  const photo = await ask(site.url, "/samples/chelsea.png", { "accept-encoding": "br" });
  assert.equal(photo.headers["content-encoding"], undefined);
  assert.match((await ask(site.url, wasm)).headers["cache-control"], /max-age=31536000, immutable/);
  for (const place of ["/", "/js/main.js", "/nothing"]) assert.equal((await ask(site.url, place)).headers["cache-control"], "no-cache", place);
});

test("the policies hold: no request elsewhere, no text becomes code, nothing inline", async (t) => {
  const page = await visit(site, t, { refused: /Content Security Policy|violates|404/ });
  await loaded(page);
  /** Runs in the page and in workers; by a timer, for what a debugger evaluates may use eval. */
  const attempt = () => new Promise((done) => setTimeout(async () => {
    const said = {};
    const note = async (name, work) => (said[name] = await Promise.resolve().then(work).then(() => "done", ({ name }) => name));
    await note("request", () => fetch("https://example.com/"));
    await note("eval", () => (0, eval)("1"));
    await note("function", () => new Function("return 1")());
    await note("import", () => import("data:text/javascript,export default 1"));
    done(said);
  }));
  const refused = { request: "TypeError", eval: "EvalError", function: "EvalError", import: "TypeError" };
  assert.deepEqual(await page.evaluate(attempt), refused);
  assert.deepEqual(await (await worker(page, "worker")).evaluate(attempt), refused);
  await otherModels(page);
  const { request, ...rest } = await (await worker(page, "download")).evaluate(() => new Promise((done) => setTimeout(async () => {
    const name = (work) => Promise.resolve().then(work).then(() => "done", ({ name }) => name);
    done({ request: await name(() => fetch("http://example.com/")), eval: await name(() => (0, eval)("1")) });
  })));
  assert.deepEqual([request, rest.eval], ["TypeError", "EvalError"]);
  const inline = await page.evaluate((evil) => new Promise((done) => {
    const script = document.createElement("script");
    script.textContent = "globalThis.hacked = 1";
    const box = document.createElement("div");
    box.innerHTML = evil;
    document.body.append(script, box);
    setTimeout(() => done(globalThis.hacked ?? "nothing ran"), 300);
  }), EVIL);
  assert.equal(inline, "nothing ran");
});

test("no request leaves the page in a whole visit", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  const asked = [];
  await page.context().route("**", async (route) => {
    asked.push(route.request());
    await route.continue();
  });
  await page.reload();
  await loaded(page);
  await hand(page, "drop", "my cat.png", { mimeType: "image/png", buffer: cat });
  await shown(page);
  await page.getByRole("button", { name: "Coffee" }).click();
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  for (const view of ["Find alike", "Attention", "Group", "Norms", "Materials", "Teach", "Features"]) {
    await page.getByRole("tab", { name: view }).click();
    await shown(page);
  }
  await saved(page, "Save features (.npy)");
  await saved(page, "Save picture");
  await sheet(page, "about", "how");
  await otherModels(page);
  await page.getByText("Large: what multi-modal systems see with").click();
  await page.getByRole("button", { name: /^Download OpenGVLab/ }).first().waitFor();
  await sheet(page, "device", "benchmark");
  await page.getByRole("button", { name: "Measure" }).click();
  // At each frame: a quick model is measured soon.
  await page.waitForFunction(() => {
    const cancel = [...document.querySelectorAll("#progress button")].find((button) => button.checkVisibility());
    cancel?.click();
    return Boolean(cancel);
  });
  const folder = path("tests/golden/encoder_rms_qknorm_f16");
  await page.locator("#model-files").setInputFiles([`${folder}/config.json`, `${folder}/model.safetensors`]);
  await page.locator("#model .name", { hasText: "model.safetensors" }).waitFor({ state: "attached" });
  await shown(page);
  for (const part of ["/js/main.js", "/js/assets/worker-", "/js/assets/download-", ".wasm", "model.safetensors", "coffee.png"]) {
    assert.ok(asked.some((request) => request.url().includes(part)), `${part} is not among what was seen: ${asked.map((request) => request.url())}`);
  }
  for (const request of asked) {
    assert.ok(request.url().startsWith(site.url) || request.url().startsWith("blob:"), request.url());
    assert.equal(request.method(), "GET", request.url());
    assert.equal(request.postData(), null, request.url());
  }
});

test("names from files are text, whatever they hold", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await loaded(page);
  const harmless = async (where) => {
    const found = await page.evaluate(() => [globalThis.hacked ?? null, document.querySelectorAll("img[src=x]").length]);
    assert.deepEqual(found, [null, 0], where);
  };
  await hand(page, "drop", `${EVIL}.png`, { mimeType: "image/png", buffer: cat });
  await page.locator("#facts", { hasText: EVIL }).waitFor({ state: "attached" });
  await hand(page, "drop", `${EVIL}2.png`, { mimeType: "image/png", buffer: cat });
  await page.getByRole("button", { name: `${EVIL}2.png` }).waitFor();
  await hand(page, "drop", `${EVIL}.png`, { mimeType: "image/png", buffer: Buffer.from("none") });
  await page.getByRole("alert").filter({ hasText: EVIL }).waitFor();
  await harmless("a photograph's name");

  await page.getByRole("tab", { name: "Teach" }).click();
  for (const [at, name] of [EVIL, "background"].entries()) {
    await page.locator("#teach input[type=text]").nth(at).fill(name);
    await page.locator("#teach input[type=text]").nth(at).blur();
    await page.locator("#teach input[name=class]").nth(at).check();
    await page.locator("#frame canvas").click({ position: { x: 20 + 200 * at, y: 30 } });
  }
  await page.locator("#legend", { hasText: EVIL.slice(0, 40) }).waitFor();
  const head = (await saved(page, "Save what it learned")).bytes;
  await page.locator("#teach input[type=file]").setInputFiles({ name: `${EVIL}.safetensors`, mimeType: "", buffer: head });
  await page.locator(".fit", { hasText: `${EVIL}.safetensors` }).waitFor();
  await harmless("a taught class");

  const folder = path("www/models/internvit-tiny");
  const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  config.segmentation.classes = Array.from({ length: config.segmentation.num_classes }, (_, at) => `${EVIL}${at}`);
  config.id2label = { 0: EVIL };
  const weights = readFileSync(`${folder}/model.safetensors`);
  const model = (name, buffer) => [{ name: "config.json", mimeType: "", buffer: Buffer.from(JSON.stringify(config)) }, { name, mimeType: "", buffer }];
  await page.locator("#model-files").setInputFiles(model(`${EVIL}.safetensors`, weights));
  await page.locator("#model .name", { hasText: EVIL }).waitFor({ state: "attached" });
  await loaded(page);
  await page.getByRole("tab", { name: "Materials" }).click();
  await page.locator("#legend li", { hasText: EVIL }).first().waitFor();
  await harmless("a model's name and its classes");

  const start = 8 + Number(weights.readBigUInt64LE(0));
  const tensors = Object.entries(JSON.parse(weights.toString("utf8", 8, start))).filter(([name]) => name !== "__metadata__");
  const header = Buffer.from(JSON.stringify(Object.fromEntries([...tensors.slice(0, -1), [`${tensors.at(-1)[0]}${EVIL}`, tensors.at(-1)[1]]])));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await page.locator("#model-files").setInputFiles(model("model.safetensors", Buffer.concat([length, header, weights.subarray(start)])));
  await page.getByRole("alert").filter({ hasText: "<img src=x" }).waitFor();
  await harmless("a tensor's name");
});

test("names of any length, with what turns or hides text, are cut and spelled out", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await loaded(page);
  const fit = async () => {
    for (const viewport of [{ width: 1280, height: 900 }, phone.viewport]) {
      await page.setViewportSize(viewport);
      await fits(page);
    }
  };
  const folder = path("www/models/internvit-tiny");
  const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  const { num_classes: count } = config.segmentation;
  const kinds = ["x".repeat(2e5), "y\n\u202ez", "\u{1f469}\u200d\u{1f33e}", "z\u0301".padEnd(300, "\u0301")];
  config.segmentation.classes = Array.from({ length: count }, (_, at) => `${at}${kinds[at % kinds.length]}`);
  const weights = readFileSync(`${folder}/model.safetensors`);
  await page.locator("#model-files").setInputFiles([
    { name: "config.json", mimeType: "", buffer: Buffer.from(JSON.stringify(config)) },
    { name: `${"w".repeat(230)}.safetensors`, mimeType: "", buffer: weights },
  ]);
  await page.locator("#model > .name", { hasText: "wwww" }).waitFor({ state: "attached" });
  await loaded(page);
  const name = `${"p".repeat(250)}\u202egnp.png`;
  await hand(page, "drop", name, { mimeType: "image/png", buffer: cat });
  await page.locator("#facts", { hasText: `${"p".repeat(250)}\\u{202e}gnp.png` }).waitFor({ state: "attached" });
  await page.getByRole("tab", { name: "Materials" }).click();
  await page.locator("#legend li").first().waitFor();
  await drawn(page);
  const legend = await page.locator("#legend li").allTextContents();
  assert.ok(legend.every((text) => text.length < 250), "a name is longer than what is shown of it");
  assert.doesNotMatch(legend.join(""), /\u202e|\n|(\u0301){5}/);
  await page.mouse.move(300, 400);
  await fit();
  await hand(page, "drop", `${"q".repeat(1e5)}.png`, { mimeType: "image/png", buffer: Buffer.from("none") });
  await page.getByRole("alert").filter({ hasText: "qqq" }).waitFor();
  assert.ok((await page.getByRole("alert").filter({ hasText: "qqq" }).textContent()).length < 2100);
  await fit();
  await page.getByRole("alert").getByRole("button").click();

  // A head of long names: taught, its names made longer in the file, and imported.
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.getByRole("tab", { name: "Teach" }).click();
  for (const at of [0, 1]) {
    await page.locator("#teach input[type=text]").nth(at).fill(`class ${at}`);
    await page.locator("#teach input[type=text]").nth(at).blur();
    await page.locator("#teach input[name=class]").nth(at).check();
    await page.locator("#frame canvas").click({ position: { x: 20 + 200 * at, y: 30 } });
  }
  await page.locator("#legend li").nth(1).waitFor();
  const head = (await saved(page, "Save what it learned")).bytes;
  const length = Number(head.readBigUInt64LE(0));
  const text = head.toString("utf8", 8, 8 + length).replaceAll("class 0", "h".repeat(2e5));
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(header.length));
  await page.locator("#teach input[type=file]").setInputFiles({ name: "long.safetensors", mimeType: "", buffer: Buffer.concat([start, header, head.subarray(8 + length)]) });
  await page.locator(".fit", { hasText: "hhhh" }).or(page.getByRole("alert").filter({ hasText: "long.safetensors" })).first().waitFor();
  await drawn(page);
  await fit();
});

test("no source turns text into HTML or code", () => {
  const words = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|createContextualFragment|\beval\(|new Function|javascript:|srcdoc/;
  for (const name of readdirSync(path("web"), { recursive: true }).filter((name) => name.endsWith(".ts") && !name.startsWith("pkg"))) {
    assert.doesNotMatch(readFileSync(path(`web/${name}`), "utf8"), words, name);
  }
  assert.doesNotMatch(readFileSync(path("www/index.html"), "utf8"), /<style|<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=/);
});

test("addresses of models: https or the page's own origin, nothing secret in them", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await loaded(page);
  await otherModels(page);
  const field = page.getByLabel(/^Model from/);
  for (const name of [
    "http://example.com/model", "https://user@example.com/model", "https://user:secret@example.com/model", "ftp://example.com/model",
    "https://example.com/model?key=1", "https://example.com/model#a", "javascript:alert(1)", "//example.com/model", "../secret", "a/..", "a/b@../c", "blob:x",
  ]) {
    await field.fill(name);
    await page.getByRole("button", { name: "Download", exact: true }).click();
    assert.match(await field.evaluate((input) => input.validationMessage), /https address/, name);
  }
  // The page's own server may be asked.
  const own = `${site.url}models/internvit-tiny`;
  await field.fill(own);
  await page.getByRole("button", { name: "Download", exact: true }).click();
  await page.getByRole("button", { name: `In use ${own}`, exact: true }).waitFor();
});

test("workers refuse messages that are none, and go on", async (t) => {
  const page = await visit(site, t, { query: "blank/" });
  const scripts = readdirSync(path("www/js/assets")).filter((name) => /^(worker|download)-.+\.js$/.test(name));
  const say = (script, name, messages) => page.evaluate(async ([script, name, messages]) => {
    const worker = new Worker(`/js/assets/${script}`, { type: "module", name });
    const answers = {};
    let fallen = null;
    worker.onerror = ({ message }) => (fallen = message);
    const answered = new Promise((done) => (worker.onmessage = ({ data }) => {
      if (!("progress" in data)) answers[data.id] = data.failure ?? "answered";
      if (data.id === 99) done();
    }));
    for (const message of messages) worker.postMessage(message);
    await Promise.race([answered, new Promise((_, fail) => setTimeout(() => fail(new Error(`no answer; ${fallen}`)), 20_000))]);
    worker.terminate();
    return { answers, fallen };
  }, [script, name, messages]);
  const nothing = [null, 7, "text", [], {}, { id: "one", call: "open" }, { id: 1 }, { cancel: 5 }, { cancel: "x" }];

  const engine = await say(scripts.find((name) => name.startsWith("worker")), "", [
    ...nothing, { id: 2, call: "toString", given: null }, { id: 3, call: "encode" }, { id: 4, call: "encode", given: { photo: "x", settings: {} } },
    { id: 5, call: "load", given: null }, { id: 6, call: "view", given: { photo: 1, request: null } }, { id: 7, call: "setPrecision", given: 8 },
    { id: 8, call: "teach", given: { layers: [], names: [] } }, { id: 99, call: "open", given: { device: "cpu", threads: 1 } },
  ]);
  assert.deepEqual(engine, { fallen: null, answers: {
    2: "There is no call toString.", 3: "encode: expected object, found undefined.", 4: "encode.photo: expected File, found string.",
    5: "load: expected object, found null.", 6: "view.request: expected object, found null.", 7: "setPrecision: expected string, found number.",
    8: "teach.examples: expected Array, found undefined.", 99: "answered",
  } });

  const store = await say(scripts.find((name) => name.startsWith("download")), "", [
    ...nothing, { id: 2, call: "constructor", given: null }, { id: 3, call: "download", given: { name: "a/b" } }, { id: 4, call: "open", given: {} },
    { id: 99, call: "list", given: null },
  ]);
  assert.deepEqual(store, { fallen: null, answers: {
    2: "There is no call constructor.", 3: "download.hub: expected string, found undefined.", 4: "open: expected string, found Object.", 99: "answered",
  } });

  const helper = await say(scripts.find((name) => name.startsWith("worker")), "helper", [
    ...nothing.filter((message) => message?.id !== 1), { id: 2, module: 1 }, { id: 3, task: { weight: "w" } }, { id: 99 },
  ]);
  assert.deepEqual(helper, { fallen: null, answers: {
    2: "load.module: expected Module, found number", 3: "help.task.x: expected Float32Array, found undefined", 99: "help.task: expected object, found undefined",
  } });
});

test("misspelt settings are refused, with those there are", async (t) => {
  const page = await visit(site, t, { query: "blank/" });
  const said = await page.evaluate(async () => {
    const { Engine } = await import("/js/engine.js");
    const engine = new Engine();
    await engine.call("open", { device: "cpu", threads: 1 });
    await engine.call("load", { folder: new URL("/models/internvit-tiny/", location.href).href });
    const photo = new File([await (await fetch("/samples/chelsea.png")).blob()], "chelsea.png");
    const number = (await engine.call("encode", { photo, settings: { image_size: 56, resize: undefined, tiles: null } })).photo;
    const ask = (call, given) => engine.call(call, given).then(() => "answered", ({ message }) => message);
    const encode = (settings) => ask("encode", { photo, settings });
    const view = (request) => ask("view", { photo: number, request });
    const folder = new URL("/models/internvit-tiny/", location.href).href;
    return [
      await encode({ imageSize: 56 }), await encode({ image_size: 56, tile: 4 }), await encode({ image_size: "56" }), await encode({ resize: "squish" }),
      await encode({ ["x".repeat(1e5)]: 1 }), await encode(JSON.parse('{ "__proto__": 1 }')), await encode({ "a\n\u202eb": 1 }),
      await ask("encode", { photo, settings: {}, setting: {} }), await ask("open", { device: "cpu", thread: 2 }), await ask("load", { folder, name: "x" }),
      await ask("load", { config: photo, weights: [], weight: [] }), await ask("benchmark", { batch: 1, run: 2 }),
      await view({ view: "clusters", layer: 1, clusters: 3 }), await view({ view: "cluster", layer: 1, k: 3 }), await view({ view: "attention", layer: 1, head: null, token: null, heads: 1 }),
      await view({ view: "attention", layer: 1, head: null, token: null }), await view({ view: "constructor" }),
    ];
  });
  const settings = "known are image_size, resize, tiles, shifts, most_patches.";
  assert.deepEqual(said, [
    `encode.settings: unknown imageSize, ${settings}`, `encode.settings: unknown tile, ${settings}`,
    "encode.settings.image_size: expected number, found string.", "encode.settings.resize: expected squash or crop or native or middle or pad or patches, found squish.",
    `encode.settings: unknown ${"x".repeat(200)}…, ${settings}`, `encode.settings: unknown __proto__, ${settings}`,
    `encode.settings: unknown a\\u{a}\\u{202e}b, ${settings}`,
    "encode: unknown setting, known are photo, settings.", "open: unknown thread, known are device, threads, kernels, folder.", "load: unknown name, known are folder.",
    "load: unknown weight, known are name, config, processor, preprocessor, weights, words.", "benchmark: unknown run, known are side, batch, runs.",
    "view.request: unknown clusters, known are view, layer, k.",
    "view.request.view: expected pca or similarity or attention or rollout or clusters or norms or words or segmentation or taught, found cluster.",
    "view.request: unknown heads, known are view, layer, token, head.", "answered",
    "view.request.view: expected pca or similarity or attention or rollout or clusters or norms or words or segmentation or taught, found constructor.",
  ]);
});

test("answers that nobody waits for are ignored", async (t) => {
  const prepare = (page) => page.route("**/worker-*.js", async (route) => {
    const response = await route.fetch();
    const chatter = 'for (const m of [null, 7, {}, { id: 1e6, answer: 1 }, { id: "x", failure: "y" }]) self.postMessage(m);';
    await route.fulfill({ response, body: chatter + (await response.text()) });
  });
  const page = await visit(site, t, { prepare, query: "?device=cpu" });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
});
