// Models from a hub, kept in the browser: fetched, interrupted, refused, stored, deleted, used without a network.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { load } from "../../web/tools/records.mjs";
import { startHub } from "../common/hub.mjs";
import { writeShards, writeVlm } from "./safetensors.mjs";
import { openSite, path, visit } from "./site.mjs";
import { ask, open as talkTo, status, talkTab } from "./talker.mjs";
import { axe, fits, loaded, otherModels, phone, saved, sheet, shown } from "./visitor.mjs";

const MODEL = "tiny/internvit";
/** A model that speaks, and what it says of its picture. */
const SPEAKER = "tests/golden/internvl/chat_tiny";
const DATA = "?signature"; // what the hub adds to the addresses of large files

const site = openSite({ fresh: true });
let folder;
let hub;
/** Bytes of the tiny model's weights. */
const size = readFileSync(path("www/models/internvit-tiny/model.safetensors")).length;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "internvit-hub-"));
  const repository = (name) => {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name);
  };
  for (const file of ["config.json", "model.safetensors"]) copyFileSync(path(`www/models/internvit-tiny/${file}`), join(repository(MODEL), file));
  copyFileSync(path("www/models/internvit-tiny/config.json"), join(repository("tiny/bare"), "config.json"));
  writeVlm(path("www/models/internvit-tiny"), repository("tiny/vlm"));
  // As open_clip's repositories are, with a tokenizer.
  const clip = repository("tiny/clip");
  copyFileSync(path("tests/golden/clip_openclip/open_clip_config.json"), join(clip, "open_clip_config.json"));
  copyFileSync(path("tests/golden/clip_openclip/model.safetensors"), join(clip, "open_clip_model.safetensors"));
  const model = { type: "WordLevel", vocab: { "[UNK]": 0, cat: 6, dog: 7 }, unk_token: "[UNK]" };
  writeFileSync(join(clip, "tokenizer.json"), JSON.stringify({ added_tokens: [], normalizer: null, pre_tokenizer: { type: "Whitespace" }, post_processor: null, decoder: null, model }));
  for (const [file, name] of ["config.json", "vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"].map((name) => [path(`${SPEAKER}/${name}`), name])) {
    copyFileSync(file, join(repository("tiny/speaker"), name));
  }
  writeFileSync(join(folder, "tiny/speaker/preprocessor_config.json"), '{"max_patches": 9}');
  writeShards(path(SPEAKER), join(folder, "tiny/speaker"));
  // Of several in GGUF one is whole, one lacks a part, and one is anything.
  const gguf = "tests/golden/internvl/gguf_tiny";
  copyFileSync(path(`${gguf}/tiny-BF16.gguf`), join(repository("tiny/gguf"), "tiny-BF16.gguf"));
  copyFileSync(path(`${gguf}/mmproj-tiny-BF16.gguf`), join(repository("tiny/gguf/sub"), "mmproj-tiny-BF16.gguf"));
  for (const name of ["tiny-Q4_K_M.gguf", "tiny-Q8_0-00001-of-00002.gguf"]) writeFileSync(join(repository("tiny/gguf"), name), "GGUF");
  hub = await startHub(folder);
});
after(() => {
  hub?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs in the worker that downloads: the pauses before it tries again last a tenth. */
function hasten() {
  const wait = self.setTimeout.bind(self);
  self.setTimeout = (call, milliseconds, ...given) => wait(call, milliseconds / 10, ...given);
}

/**
 * A visitor whose page has the test's hub. The page names its hub in its HTML, so no link can. The processor
 * is quicker with so small a model.
 */
async function visitHub(t, { behave = [], server = hub, query = "?device=cpu", prepare = async () => {}, ...options } = {}) {
  server.behave(behave);
  server.log().length = 0;
  const page = await visit(site, t, { ...options, query, allow: [server.address, server.store], prepare: async (page) => {
    await page.context().route((url) => url.href.startsWith(site.url) && url.pathname === "/", async (route) => {
      const response = await route.fetch();
      const html = (await response.text()).replace("https://huggingface.co", server.address);
      await route.fulfill({ response, body: html });
    });
    page.on("worker", (worker) => /download-/.test(worker.url()) && worker.evaluate(hasten));
    await prepare(page);
  } });
  page.setDefaultTimeout(40_000);
  await loaded(page);
  return page;
}

const row = (page, name = MODEL) => page.locator("#models li").filter({ has: page.getByText(name, { exact: true }) });
const press = async (page, verb, name = MODEL) => {
  await otherModels(page);
  await page.getByRole("button", { name: `${verb} ${name}`, exact: true }).click();
};
const open = async (page) => {
  await otherModels(page);
  await page.locator(".purpose summary").first().waitFor();
};
/** Waits until a model is loaded; what is said instead is the failure, at once. */
async function inUse(page, name = MODEL) {
  await otherModels(page);
  const ready = page.getByRole("button", { name: `In use ${name}`, exact: true });
  await ready.or(row(page, name).getByRole("alert").filter({ hasText: /\w/ })).first().waitFor();
  assert.ok(await ready.isVisible(), await row(page, name).textContent());
}
async function note(page, text, name = MODEL) {
  await otherModels(page);
  await row(page, name).getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  const said = await row(page, name).getByRole("alert").textContent();
  assert.ok(text instanceof RegExp ? text.test(said) : said.includes(text), said);
}
/** What was asked of the weights, without the header's two reads. */
const asked = (server = hub) => server.log().filter(({ url, range }) => url.includes(`.safetensors${DATA}`) && !/^bytes=(0-7|8-\d+)$/.test(range)).map(({ range }) => range);

async function get(page, name = MODEL) {
  await open(page);
  await page.getByLabel(/^Model from/).fill(name);
  await page.getByRole("button", { name: "Download", exact: true }).click();
}

/** Waits until a slow download is well under way. */
async function midway(page) {
  await page.waitForFunction(() => {
    const bar = document.querySelector("#models progress:not([hidden])");
    return bar && bar.value > 0.2 && bar.hasAttribute("value");
  });
}

async function features(page) {
  await page.getByRole("button", { name: "Cat" }).click();
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
  await shown(page);
  return (await saved(page, "Save features (.npy)")).bytes;
}

test("a model by its name: fetched, checked, used, and the same as the bundled one; then without a network", async (t) => {
  const own = await startHub(folder);
  t.after(() => own.close());
  const page = await visitHub(t, { server: own, query: "?device=gpu" });
  const expected = await features(page);
  assert.equal(own.log().length, 0, "the hub is asked before the visitor asks for a model");
  await get(page);
  await inUse(page);
  await loaded(page);
  assert.match(page.url(), /\?model=tiny\/internvit&/);
  assert.equal(await page.locator("#model > .name").textContent(), MODEL);
  await row(page).getByText("11.0 MB, stored").waitFor();
  assert.ok((await features(page)).equals(expected), "other features than the bundled model's");
  assert.deepEqual(asked(own), [`bytes=0-${size - 1}`]);
  assert.deepEqual(own.log().filter(({ method }) => method === "OPTIONS"), [], "a request that other origins must allow first");
  assert.deepEqual(await axe(page), []);

  own.close();
  await page.reload();
  await page.locator("#model > .name", { hasText: MODEL }).waitFor({ state: "attached" });
  await loaded(page);
  assert.ok((await features(page)).equals(expected));
});

test("of a vision-language model only the encoder's part is fetched", async (t) => {
  const page = await visitHub(t);
  const expected = await features(page);
  await get(page, "tiny/vlm");
  await inUse(page, "tiny/vlm");
  assert.ok((await features(page)).equals(expected));
  assert.ok(!hub.log().some(({ url }) => url.includes("-00003-")), "a shard of the language model was asked for");
  const sent = asked().map((range) => /(\d+)-(\d+)/.exec(range)).reduce((sum, [, from, to]) => sum + Number(to) - Number(from) + 1, 0);
  assert.ok(sent < size, `${sent} bytes for an encoder of fewer than ${size}`);
});

test("a folder at an address", async (t) => {
  const page = await visitHub(t);
  const name = `${hub.address}/${MODEL}/resolve/main`;
  await get(page, name);
  await inUse(page, name);
  await page.reload();
  await page.locator("#model > .name", { hasText: name }).waitFor({ state: "attached" });
});

test("a model's settings of preprocessing come with it, from the hub and from a folder, and stay with it", async (t) => {
  const other = { image_mean: [0.5, 0.4, 0.3], image_std: [0.3, 0.2, 0.25] };
  const settings = { "tiny/old": { "preprocessor_config.json": other }, "tiny/new": {
    "preprocessor_config.json": { image_mean: [0, 0, 0] }, "processor_config.json": { processor_class: "P", image_processor: other },
  } };
  for (const [name, files] of Object.entries(settings)) {
    const repository = join(folder, name);
    mkdirSync(repository, { recursive: true });
    for (const file of ["config.json", "model.safetensors"]) copyFileSync(path(`www/models/internvit-tiny/${file}`), join(repository, file));
    for (const [file, value] of Object.entries(files)) writeFileSync(join(repository, file), JSON.stringify(value));
  }
  const page = await visitHub(t, { query: "?device=cpu&size=112" });
  const plain = await features(page);
  const found = [];
  for (const name of ["tiny/old", "tiny/new", `${hub.address}/tiny/new/resolve/main`]) {
    await page.evaluate(() => (document.querySelector("#status").textContent = ""));
    await get(page, name);
    await inUse(page, name);
    await page.locator("#status", { hasText: "chelsea.png took" }).waitFor({ state: "attached" });
    found.push(await features(page));
    await otherModels(page); // for the next
  }
  await page.reload();
  await loaded(page);
  found.push(await features(page));
  assert.ok(!found[0].equals(plain), "the settings are not obeyed");
  found.forEach((one, at) => assert.ok(one.equals(found[0]), `other features, ${at}`));
});

test("an index is asked after a few files at a time, and one of thousands is refused", async (t) => {
  let [files, running, most, heads] = [0, 0, 0, 0];
  const names = () => Array.from({ length: files }, (_, at) => `model ${at}#?.safetensors`);
  const server = createServer(async (request, response) => {
    const found = (body) => response.writeHead(200, { "access-control-allow-origin": "*", "content-length": body.length }).end(request.method === "HEAD" ? "" : body);
    const file = decodeURIComponent(request.url.split("/").at(-1));
    if (file === "config.json") return found(readFileSync(path("www/models/internvit-tiny/config.json")));
    if (file.endsWith(".index.json")) return found(Buffer.from(JSON.stringify({ weight_map: Object.fromEntries(names().map((name, at) => [`vision_model.encoder.layers.${at}.norm1.weight`, name])) })));
    if (request.method === "HEAD" && file.endsWith("#?.safetensors")) heads++;
    most = Math.max(most, ++running);
    await new Promise((done) => setTimeout(done, 20));
    running--;
    found(Buffer.from("no weights"));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const address = `http://127.0.0.1:${server.address().port}`;
  const page = await visit(site, t, { query: "?device=cpu", allow: [address] });
  await loaded(page);
  await open(page);
  for (const [count, said, asked] of [[3000, /lists 3000 files of weights, expected 1 to 100/, 0], [101, /lists 101 files/, 0], [60, /safetensors/, 60]]) {
    files = count;
    heads = 0;
    const name = `${address}/of${count}`;
    await page.getByLabel(/^Model from/).fill(name);
    await page.getByRole("button", { name: "Download", exact: true }).click();
    await note(page, said, name);
    assert.equal(heads, asked);
  }
  assert.ok(most <= 4, `${most} requests at once`);
});

test("a server that sends a configuration without end is stopped", async (t) => {
  let sent = 0;
  const server = createServer((_, response) => {
    response.writeHead(200, { "access-control-allow-origin": "*" });
    const piece = Buffer.alloc(1 << 20, " ");
    const go = () => {
      while (!response.destroyed && sent < 2e9) {
        sent += piece.length;
        if (!response.write(piece)) return response.once("drain", go);
      }
    };
    go();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const address = `http://127.0.0.1:${server.address().port}`;
  const page = await visit(site, t, { query: "?device=cpu", allow: [address] });
  await loaded(page);
  await get(page, `${address}/endless`);
  await note(page, /endless\/config\.json is longer than 32 MB/, `${address}/endless`);
  assert.ok(sent < 2e8, `${sent} bytes were sent`);
});

test("paused and resumed, reloaded and resumed, by ranges", async (t) => {
  const page = await visitHub(t, { behave: [{ match: DATA, slow: 3e6 }] });
  await get(page);
  await midway(page);
  assert.match(await row(page).locator(".hint").first().textContent(), /^[\d.]+ MB of 11\.0 MB/);
  await press(page, "Pause");
  await row(page).getByText(/^[\d.]+ MB of 11\.0 MB stored$/).waitFor();
  const before = asked().length;
  await press(page, "Resume");
  await page.waitForFunction(() => document.querySelector("#models progress:not([hidden])")?.value > 0.5);
  const [, from] = /bytes=(\d+)-/.exec(asked()[before]);
  assert.ok(Number(from) > size / 10, `it went on from byte ${from}`);

  await page.reload();
  await loaded(page);
  hub.behave([]);
  await open(page);
  await row(page).getByText(/^[\d.]+ MB of 11\.0 MB stored$/).waitFor();
  await press(page, "Resume");
  await inUse(page);
  const [, again] = /bytes=(\d+)-/.exec(asked().at(-1));
  assert.ok(Number(again) > Number(from), `it went on from byte ${again}`);
});

test("cancelled, nothing stays", async (t) => {
  const page = await visitHub(t, { behave: [{ match: DATA, slow: 3e6 }] });
  await get(page);
  await midway(page);
  await press(page, "Cancel");
  await row(page).waitFor({ state: "detached" });
  assert.deepEqual(await page.evaluate(stored), []);
});

test("broken connections and busy servers are tried again", async (t) => {
  const page = await visitHub(t, { behave: [
    { match: "/api/", status: 429, times: 1 }, { match: DATA, times: 2 }, { match: DATA, cut: 3e6, times: 1 }, { match: DATA, status: 503, times: 1 },
  ] });
  await get(page);
  await inUse(page);
  const [first, second, third] = asked();
  assert.deepEqual([first, second, third], [`bytes=0-${size - 1}`, second, second]);
  assert.match(second, /^bytes=[1-9]\d*-/);
});

test("where trying again does not help it stops, and goes on by itself when the network is back", async (t) => {
  const page = await visitHub(t, { behave: [{ match: DATA, times: 2 }, { match: DATA, cut: 3e6, times: 1 }, { match: DATA, status: 503 }] });
  await get(page);
  await note(page, "continues when you are back online");
  const verb = await row(page).getByRole("button").first().textContent();
  await note(page, `or press ${verb}.`);
  assert.equal(asked().length, 6, "the first request, and as many tries as there are pauses");
  hub.behave([]);
  await page.context().setOffline(true);
  await page.context().setOffline(false);
  await inUse(page);
  assert.match(asked().at(-1), /^bytes=[1-9]\d*-/);
});

test("where nothing is here yet, an interrupted download names the button that there is", async (t) => {
  const page = await visitHub(t, { behave: [{ match: "/api/models", status: 503 }] });
  await get(page);
  await note(page, "or press Download.");
  await row(page).getByRole("button", { name: `Download ${MODEL}` }).waitFor();
});

for (const [what, name, behave, text] of [
  ["no such repository", "tiny/nowhere", [], /tiny\/nowhere was not found, or it is private \(401\)/],
  ["no such revision", "tiny/internvit@v9", [], /tiny\/internvit@v9 was not found at .*no such revision/],
  ["a gated one", MODEL, [{ match: "config.json", status: 403, code: "GatedRepo" }], /not open to everyone \(403\)/],
  ["a proxy that forbids it", MODEL, [{ match: "config.json", status: 403 }], /config\.json is refused by .* \(403\), without a reason: a proxy or a firewall/],
  ["refused for another reason", MODEL, [{ match: "config.json", status: 403, code: "Banned" }], /config\.json is refused by .* \(403, Banned\)/],
  ["a network to sign in to", MODEL, [{ match: "config.json", status: 511 }], /wants you to sign in first \(511\)/],
  ["a sign-in page in place of the list", MODEL, [{ match: "/api/models", body: "<!doctype html><title>Wi-Fi</title>" }], /The connection to|does not answer as the hub does/],
  ["no weights", "tiny/bare", [], /tiny\/bare holds no safetensors weights/],
  ["a wrong length", MODEL, [{ match: DATA, short: true }], /is not what it was: \d+ bytes, expected \d+/],
  ["bytes damaged on the way, always", MODEL, [{ match: DATA, times: 2 }, { match: DATA, garbage: true }], /arrived damaged twice/],
]) {
  test(`a clear word: ${what}`, async (t) => {
    const page = await visitHub(t, { behave });
    await get(page, name);
    await note(page, text, name);
    assert.equal(await page.locator("#model > .name").textContent(), "InternViT-Tiny");
    // What stays so is asked once.
    if (behave.some(({ status }) => status)) assert.ok(hub.log().filter(({ url }) => url.includes("config.json") && !url.includes("processor")).length <= 1);
  });
}

test("a damaged byte is found, and the file fetched again", async (t) => {
  const page = await visitHub(t, { behave: [{ match: DATA, times: 2 }, { match: DATA, garbage: true, times: 1 }] });
  await get(page);
  await inUse(page);
  assert.deepEqual(asked(), Array(2).fill(`bytes=0-${size - 1}`));
});

test("what has changed on the server begins again", async (t) => {
  const page = await visitHub(t, { behave: [{ match: DATA, slow: 3e6 }] });
  await get(page);
  await midway(page);
  await press(page, "Pause");
  hub.behave([{ match: DATA, etag: "other" }]);
  await press(page, "Resume");
  await inUse(page);
  assert.match(asked()[1], /^bytes=[1-9]/);
  assert.equal(asked()[2], `bytes=0-${size - 1}`);
});

test("the token goes to the hub alone, and requests to the hub's hosts alone, with nothing of the visitor's in them", async (t) => {
  const page = await visitHub(t);
  const sent = [];
  page.context().on("request", (request) => sent.push(request));
  await features(page);
  await open(page);
  await page.getByLabel("Access token").fill("hf_secret");
  await page.getByLabel(/^Model from/).fill(MODEL);
  await page.getByRole("button", { name: "Download", exact: true }).click();
  await inUse(page);
  const [large, others] = [true, false].map((is) => hub.log().filter(({ url }) => url.includes(DATA) === is));
  assert.ok(others.length > 1 && others.every(({ authorization }) => authorization === "Bearer hf_secret"));
  assert.ok(large.length > 0 && large.every(({ authorization }) => authorization === undefined));
  assert.ok(!(await page.content()).includes("hf_secret") && !page.url().includes("hf_secret"));
  const elsewhere = sent.filter((request) => !request.url().startsWith(site.url) && !request.url().startsWith("blob:"));
  assert.ok(elsewhere.some((request) => request.url().startsWith(hub.store)), "the requests of the worker are seen");
  for (const request of sent) {
    assert.match(request.method(), /^(GET|HEAD)$/);
    assert.equal(request.postData(), null);
    const headers = await request.allHeaders();
    for (const secret of ["cookie", "referer"]) {
      if (elsewhere.includes(request)) assert.equal(headers[secret], undefined, `${request.url()}: ${secret}`);
    }
  }
  for (const request of elsewhere) assert.ok([hub.address, hub.store].some((host) => request.url().startsWith(host)), request.url());
});

test("too little room is said before anything is fetched", async (t) => {
  const prepare = (page) => page.addInitScript(() => {
    navigator.storage.estimate = async () => ({ quota: 5e6, usage: 1e6 });
  });
  const page = await visitHub(t, { prepare });
  await get(page);
  await note(page, "needs 11.0 MB, but the browser has room for 4.0 MB only");
  assert.deepEqual(asked(), []);
});

test("a disk that fills up on the way is said, and what is there is kept", async (t) => {
  const page = await visitHub(t, { behave: [{ match: DATA, slow: 2e6 }] });
  const devtools = await page.context().newCDPSession(page);
  await get(page);
  await midway(page);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(site.url).origin, quotaSize: 5e6 });
  await note(page, "no room left");
  await row(page).getByText(/^[\d.]+ MB of 11\.0 MB stored$/).waitFor();
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(site.url).origin });
  hub.behave([]);
  await press(page, "Resume");
  await inUse(page);
  assert.match(asked()[1], /^bytes=[1-9]/);
});

test("a second tab waits for the first, and takes over", async (t) => {
  const page = await visitHub(t, { behave: [{ match: DATA, slow: 3e5 }] });
  await get(page);
  await row(page).getByText(/^[\d.]+ MB of/).waitFor();
  const second = await page.context().newPage();
  await second.goto(page.url());
  await loaded(second);
  await open(second);
  await press(second, "Resume");
  await row(second).getByText("Another tab is fetching it").waitFor();
  hub.behave([]);
  await press(page, "Pause");
  await inUse(second);
  assert.equal(asked().length, 2);
  assert.match(asked()[1], /^bytes=[1-9]/);
});

test("a stored file that was cut is noticed, and mended", async (t) => {
  const page = await visitHub(t);
  await get(page);
  await inUse(page);
  await page.evaluate(async () => {
    const models = await (await navigator.storage.getDirectory()).getDirectoryHandle("models");
    for await (const model of models.values()) {
      const stream = await (await model.getFileHandle("model.safetensors")).createWritable({ keepExistingData: true });
      await stream.truncate(4e6);
      await stream.close();
    }
  });
  await page.reload();
  await page.getByRole("alert").filter({ hasText: `${MODEL} cannot be used as it is stored: model.safetensors has 4000000 of ${size} bytes.` }).waitFor();
  await page.locator("#model > .name", { hasText: "InternViT-Tiny" }).waitFor({ state: "attached" });
  await row(page).getByText("4.0 MB of 11.0 MB stored").waitFor();
  await press(page, "Resume");
  await inUse(page);
  assert.equal(asked().at(-1), `bytes=4000000-${size - 1}`);
});

for (const [name, files] of [[MODEL, ["model.safetensors"]], ["tiny/vlm", ["model-00002-of-00003.safetensors"]]]) {
  test(`stored bytes of ${name} that have changed are noticed before they are used, and fetched again`, async (t) => {
    const page = await visitHub(t);
    const expected = await features(page);
    await get(page, name);
    await inUse(page, name);
    await page.evaluate(async ([name, files]) => {
      const models = await (await navigator.storage.getDirectory()).getDirectoryHandle("models");
      const model = await models.getDirectoryHandle(encodeURIComponent(name));
      for (const file of files) {
        const handle = await model.getFileHandle(file);
        const stored = await handle.getFile();
        const [byte] = new Uint8Array(await stored.slice(stored.size - 1000, stored.size - 999).arrayBuffer());
        const stream = await handle.createWritable({ keepExistingData: true });
        await stream.write({ type: "write", position: stored.size - 1000, data: new Uint8Array([byte ^ 64]) });
        await stream.close();
      }
    }, [name, files]);
    const before = hub.log().length;
    await page.reload();
    await page.getByRole("alert").filter({ hasText: `${name} cannot be used as it is stored: ${files[0]} is no longer what was fetched: its SHA-256 is` }).waitFor();
    await page.locator("#model > .name", { hasText: "InternViT-Tiny" }).waitFor({ state: "attached" });
    assert.equal(hub.log().length, before, "something was fetched before the visitor asked for it");
    await press(page, "Resume", name);
    await inUse(page, name);
    const again = hub.log().slice(before).filter(({ url }) => url.includes(".safetensors"));
    assert.ok(again.length > 0 && again.every(({ url }) => files.some((file) => url.includes(file))), JSON.stringify(again));
    assert.ok((await features(page)).equals(expected));
    // In the next visit it is whole.
    await page.reload();
    await page.locator("#model > .name", { hasText: name }).waitFor({ state: "attached" });
    await loaded(page);
  });
}

test("deleted, the model is gone and its room is free", async (t) => {
  const page = await visitHub(t);
  await get(page);
  await inUse(page);
  await sheet(page, "model");
  await page.getByRole("button", { name: "Use InternViT-Tiny" }).click();
  await page.locator("#model > .name", { hasText: "InternViT-Tiny" }).waitFor({ state: "attached" });
  await loaded(page);
  assert.equal(new URL(page.url()).searchParams.get("model"), "internvit-tiny");
  assert.deepEqual(await page.evaluate(stored), [encodeURIComponent(MODEL)]);
  await press(page, "Delete");
  await row(page).waitFor({ state: "detached" });
  assert.deepEqual(await page.evaluate(stored), []);
});

test("a link names a model but fetches none", async (t) => {
  const page = await visitHub(t, { query: "?model=tiny/internvit&hub=https://example.com&device=cpu" });
  await page.getByRole("button", { name: `Download ${MODEL}`, exact: true }).waitFor();
  assert.equal(await page.locator("#model > .name").textContent(), "InternViT-Tiny");
  assert.equal(hub.log().length, 0);
  await press(page, "Download");
  await inUse(page);
});

test("a name that is none is refused at the field", async (t) => {
  const page = await visitHub(t);
  for (const name of ["internvit", "http://example.com/model", "a/b/c"]) {
    await open(page);
    await page.getByLabel(/^Model from/).fill(name);
    await page.getByRole("button", { name: "Download", exact: true }).click();
    assert.match(await page.getByLabel(/^Model from/).evaluate((field) => field.validationMessage), /owner\/name/);
  }
  assert.equal(hub.log().length, 0);
});

test("the list fits a phone", async (t) => {
  const page = await visitHub(t, phone);
  await get(page);
  await inUse(page);
  await fits(page);
});

/** Runs in the page: the folders of stored models. */
async function stored() {
  const models = await (await navigator.storage.getDirectory()).getDirectoryHandle("models", { create: true });
  const names = [];
  for await (const name of models.keys()) names.push(name);
  return names;
}

/** Runs in the page: the files that are stored of a model. */
async function filesOf(name) {
  const models = await (await navigator.storage.getDirectory()).getDirectoryHandle("models");
  const names = [];
  for await (const file of (await models.getDirectoryHandle(encodeURIComponent(name))).keys()) names.push(file);
  return names.sort();
}

test("a model of open_clip, its encoder alone and then with words", async (t) => {
  const page = await visitHub(t);
  await get(page, "tiny/clip");
  await inUse(page, "tiny/clip");
  const stored = async () => /^([\d.]+) kB, stored/.exec(await row(page, "tiny/clip").locator(".hint").first().textContent())?.[1];
  const alone = Number(await stored());
  assert.ok(!hub.log().some(({ url }) => url.includes("tokenizer.json")), "nobody asked for words");
  await page.getByLabel("With words").check();
  // Words that are not wanted after all leave the model as it was.
  hub.behave([{ match: "tokenizer.json", slow: 20 }]);
  await get(page, "tiny/clip");
  while (!hub.log().some(({ method, url }) => method === "GET" && url.includes("/tokenizer.json"))) await page.waitForTimeout(50);
  await press(page, "Cancel", "tiny/clip");
  await row(page, "tiny/clip").locator(".hint", { hasText: `${alone} kB, stored` }).waitFor();
  assert.deepEqual(await page.evaluate(filesOf, "tiny/clip"), ["open_clip_model.safetensors", "record.json"]);
  hub.behave([]);
  hub.log().length = 0;
  await get(page, "tiny/clip");
  await page.waitForFunction((before) => Number(/^([\d.]+) kB, stored/.exec([...document.querySelectorAll("#models li")].find((item) => item.textContent.includes("tiny/clip")).querySelector(".hint").textContent)?.[1]) > before, alone);
  await inUse(page, "tiny/clip");
  assert.ok(hub.log().some(({ url }) => url.includes("tokenizer.json")));
  // What shows pictures is not fetched again.
  const weights = hub.log().filter(({ url }) => url.includes(`.safetensors${DATA}`)).reduce((sum, { bytes }) => sum + bytes, 0);
  const whole = readFileSync(path("tests/golden/clip_openclip/model.safetensors")).length;
  assert.ok(weights < whole - 1000 * alone + 20_000, `${weights} bytes, of ${whole} without the ${alone} kB that are here`);
  await page.keyboard.press("Escape");
  await page.getByRole("tab", { name: "Labels", exact: true }).click();
  await page.getByRole("button", { name: "Cat" }).click();
  await page.getByLabel(/^Your words/).fill("cat, dog");
  await page.locator("#bars li").filter({ hasText: "dog" }).waitFor();
});

test("names and files of models in GGUF are chosen as on the command line", async () => {
  const { models, files } = JSON.parse(readFileSync(path("tests/common/gguf-names.json"), "utf8"));
  const [{ readName, tidyName }, { ggufFiles }] = await Promise.all(["web/shared/model-name.ts", "web/worker/gguf-files.ts"].map(load));
  for (const { name, repo, revision, choice = null } of models) assert.deepEqual(readName(name), repo ? { repo, revision, choice } : null, name);
  for (const { names, choice = null, files: expected, several } of files) {
    const found = () => ggufFiles("a/b", names, choice);
    if (expected) assert.deepEqual(found(), expected);
    else assert.throws(found, several ? /several models in GGUF.*name one, as a\/b:Q4_K_M/ : /no model in GGUF called/, `${names} ${choice}`);
  }
  const hub = "https://hub.test";
  for (const [address, name] of [
    ["a/b", "a/b"], ["a/b/", "a/b"], ["a/b/tree/v1", "a/b@v1"], ["a/b/tree/main", "a/b"], ["a/b/blob/main/b-Q8_0.gguf", "a/b:b-Q8_0.gguf"],
    ["a/b/resolve/v1/sub/b.gguf?download=true", "a/b@v1:sub/b.gguf"],
  ]) assert.equal(tidyName(`${hub}/${address}`, hub), name);
  assert.equal(tidyName(`${hub}/a/b/blob/main/README.md`, hub), `${hub}/a/b/blob/main/README.md`);
});

test("one of several models in GGUF by its name on the hub, with its projector", async (t) => {
  const { question, answer, max_tiles: tiles } = JSON.parse(readFileSync(path(`${SPEAKER}/case.json`), "utf8"));
  const page = await visitHub(t);
  await page.locator("#photo-file").setInputFiles(path(`${SPEAKER}/image.png`));
  await shown(page);
  await page.getByRole("tab", { name: "Talk" }).click();
  await page.getByText("Models that speak", { exact: true }).click();
  const told = (text) => page.locator("#talk [data-status]", { hasText: text }).waitFor();
  const fetch = async (name) => {
    await page.getByLabel("Another InternVL").fill(name);
    await page.getByRole("button", { name: "Download", exact: true }).click();
  };
  for (const [name, said] of [
    ["tiny/gguf", /several models in GGUF, tiny-BF16\.gguf, tiny-Q4_K_M\.gguf, tiny-Q8_0-00001-of-00002\.gguf: name one, as tiny\/gguf:Q4_K_M/],
    ["tiny/gguf:Q5_0", /no model in GGUF called “Q5_0”, but tiny-BF16\.gguf/],
    ["tiny/gguf:Q8_0", /lacks tiny-Q8_0-00002-of-00002\.gguf/],
  ]) {
    await fetch(name);
    const row = page.locator("#talk li").filter({ has: page.getByText(name, { exact: true }) });
    await row.getByRole("alert").filter({ hasText: said }).waitFor();
  }
  assert.ok(!hub.log().some(({ url }) => url.includes(".gguf")), "a file was asked for");
  await fetch("tiny/gguf:bf16");
  await told("The model is loaded");
  const fetched = hub.log().filter(({ url }) => url.includes(`.gguf${DATA}`)).map(({ url }) => url.split(/[/?]/).at(-2));
  assert.deepEqual([...new Set(fetched)].sort(), ["mmproj-tiny-BF16.gguf", "tiny-BF16.gguf"]);
  await page.locator("#talk .folded > summary", { hasText: "Answers" }).click();
  await page.getByLabel("Tiles at most").fill(String(tiles));
  await page.getByLabel("Your question").fill(question);
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await told("Answered");
  const plain = (text) => text.replace(/\s+/g, " ").trim();
  assert.equal(plain(await page.locator("#talk .answer").textContent()), plain(answer));
  // As an encoder it is none.
  await get(page, "tiny/gguf:bf16");
  await note(page, "is a model that speaks, in GGUF: the page opens it under Talk", "tiny/gguf:bf16");
});

test("a model that speaks by its name: fetched whole, kept apart from encoders, opened again without a request", async (t) => {
  const own = await startHub(folder);
  t.after(() => own.close());
  const { question, answer, max_tiles: tiles } = JSON.parse(readFileSync(path(`${SPEAKER}/case.json`), "utf8"));
  const page = await visitHub(t, { server: own });
  await page.locator("#photo-file").setInputFiles(path(`${SPEAKER}/image.png`));
  await shown(page);
  const talk = async () => {
    await page.getByRole("tab", { name: "Talk" }).click();
    await page.getByText("Models that speak", { exact: true }).click();
    await page.getByText("OpenGVLab/InternVL3-1B".replace("OpenGVLab/", ""), { exact: true }).waitFor();
  };
  const told = (text) => page.locator("#talk [data-status]", { hasText: text }).waitFor();
  await talk();
  assert.equal(own.log().length, 0, "the hub is asked before the visitor asks for a model");
  await page.getByLabel("Another InternVL").fill("tiny/nothing");
  await page.getByLabel("Another InternVL").press("Enter");
  await page.locator("#talk li", { hasText: "tiny/nothing" }).getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await page.getByLabel("Another InternVL").fill("tiny/speaker");
  await page.getByRole("button", { name: "Download", exact: true }).click();
  await told("The model is loaded");
  const ask = async () => {
    await page.locator("#talk .folded > summary", { hasText: "Answers" }).click();
    assert.equal(await page.getByLabel("Tiles at most").inputValue(), "9", "the settings beside the model are obeyed");
    await page.getByLabel("Tiles at most").fill(String(tiles));
    await page.getByLabel("Your question").fill(question);
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await told("Answered");
    const plain = (text) => text.replace(/\s+/g, " ").trim();
    assert.equal(plain(await page.locator("#talk .answer").textContent()), plain(answer));
  };
  await ask();
  assert.deepEqual(await axe(page), []);
  // It is no encoder of the other list.
  await open(page);
  assert.equal(await row(page, "tiny/speaker").count(), 0);
  own.close();
  await page.reload();
  await loaded(page);
  await page.locator("#photo-file").setInputFiles(path(`${SPEAKER}/image.png`));
  await shown(page);
  await talk();
  await page.getByRole("button", { name: "Use tiny/speaker", exact: true }).click();
  await told("The model is loaded");
  await ask();
  await page.getByText("Models that speak", { exact: true }).click();
  // Its answers read the file; who does not talk to it may delete it.
  await page.getByRole("button", { name: "Delete tiny/speaker", exact: true }).click();
  await page.locator("#talk li", { hasText: "tiny/speaker" }).getByRole("alert").filter({ hasText: "so it stays" }).waitFor();
  await page.reload();
  await loaded(page);
  await talk();
  await page.getByRole("button", { name: "Delete tiny/speaker", exact: true }).click();
  await page.locator("#talk li", { hasText: "tiny/speaker" }).waitFor({ state: "detached" });
});

test("a model that speaks is fetched beside a conversation, which goes on: paused, cancelled, and whole", async (t) => {
  const page = await visitHub(t, { behave: [{ match: DATA, slow: 2e4 }] });
  await talkTab(page);
  await talkTo(page);
  await status(page, "The model is loaded");
  await page.locator("#talk .folded > summary", { hasText: "Answers" }).click();
  await page.getByLabel("Tokens at most").fill("3");
  await ask(page, "Why?");
  await status(page, "Answered");
  await page.getByText("Models that speak", { exact: true }).click();
  const button = (verb) => page.getByRole("button", { name: `${verb} tiny/speaker`, exact: true });
  const begin = async () => {
    await page.getByLabel("Another InternVL").fill("tiny/speaker");
    await page.getByRole("button", { name: "Download", exact: true }).click();
  };
  const midway = () => page.waitForFunction(() => document.querySelector("#talk progress:not([hidden])[value]")?.value > 0.2);
  await begin();
  await midway();
  await button("Pause").click();
  await page.locator("#talk li", { hasText: "tiny/speaker" }).getByText(/kB of .* stored/).waitFor();
  await button("Resume").click();
  await midway();
  await button("Cancel").click();
  await page.locator("#talk li", { hasText: "tiny/speaker" }).waitFor({ state: "detached" });
  hub.behave([]);
  await begin();
  await page.locator("#talk [data-space]", { hasText: "tiny/speaker is here. Use it when this conversation may end" }).waitFor();
  await ask(page, "Who?");
  await page.locator("#talk .turns > li").nth(1).waitFor();
  await status(page, "Answered");
  await button("Use").click();
  await status(page, "The model is loaded");
  assert.equal(await page.locator("#talk .turns > li").count(), 0);
});
