// Conversations: the fixtures of InternVL through the module and the page.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { load } from "../../web/tools/records.mjs";
import { readSafetensors } from "./safetensors.mjs";
import { openSite, path, visit } from "./site.mjs";
import { answers, ask, CASE, files, fold, FOLDER, open, plain, problem, status, talkTab } from "./talker.mjs";
import { axe, drawn, fits, phone } from "./visitor.mjs";

const site = openSite();
const models = readdirSync(path(FOLDER)).filter((name) => name.startsWith("internvl_"));
assert.notEqual(models.length, 0, `no fixtures in ${FOLDER}`);

/** What the first models looked at, by device. */
const looks = new Map();

for (const device of ["gpu", "cpu"]) {
  test(`every language model on the ${device}`, async (t) => {
    const page = await visit(site, t, { query: "blank/" });
    for (const name of models) {
      const folder = path(`${FOLDER}/${name}`);
      const [input, expected] = ["input", "expected"].map((file) => readSafetensors(`${folder}/${file}.safetensors`));
      const ids = [...input.input_ids.data].map(Number);
      const { pixel_values: pixels } = input;
      const tiles = pixels ? expected.visual_tokens.shape[0] * expected.visual_tokens.shape[1] : 0;
      const picture = ids.find((id) => ids.filter((other) => other === id).length === tiles);
      const found = await page.evaluate(speak, {
        device, ids, picture,
        folder: `/golden/internvl/${name}/`,
        config: readFileSync(`${folder}/config.json`, "utf8"),
        pixels: pixels ? { shape: pixels.shape, data: [...pixels.data] } : null,
        most: expected.generated.data.length,
      });
      assert.deepEqual(found.generated, [...expected.generated.data].map(Number), name);
      const off = found.logits.reduce((most, value, at) => Math.max(most, Math.abs(value - expected.generated_logits.data[at])), 0);
      assert.equal(found.logits.length, expected.generated_logits.data.length);
      assert.ok(off <= 1e-3, `${name}: logits are off by ${off}`);
      if (!pixels) continue;
      // A share of all attention, which sums to 1; asked while the answer is written, and later.
      for (const { rows, cols, values } of found.looked) {
        assert.equal(rows * cols, values.length);
        const sum = values.reduce((sum, value) => sum + value, 0);
        assert.ok(sum > 0 && sum < 1 && values.every((value) => value >= 0), `${name}: ${sum}`);
      }
      const [live, later, other] = found.looked.map(({ values }) => values);
      assert.ok(apart(live, later) < 1e-5, name);
      assert.ok(apart(live, other) > 1e-6, `${name}: a head alone looks elsewhere`);
      const before = looks.get(name);
      if (before) assert.ok(apart(live, before) < 1e-4, `${name}: the devices differ`);
      looks.set(name, live);
    }
  });
}

test("a device goes on by itself, several tokens a submission", async (t) => {
  const page = await visit(site, t, { query: "blank/" });
  const config = readFileSync(path(`${FOLDER}/chat_tiny/config.json`), "utf8");
  const how = { folder: `/golden/internvl/chat_tiny/`, config, most: 40 };
  const [single, several] = [await page.evaluate(alone, { ...how, logits: true }), await page.evaluate(alone, { ...how, logits: false })];
  assert.deepEqual(several.generated, single.generated);
  assert.ok(several.submits < single.submits / 2, `${several.submits} and ${single.submits} submissions`);
});

/** Runs in the page: the tokens behind a few, and how often something was submitted for them; with all logits each token is read by itself. */
async function alone({ folder, config, most, logits }) {
  const { default: init, Chat } = await import("/pkg/talk.js");
  await init();
  const bytes = new Uint8Array(await (await fetch(`${folder}model.safetensors`)).arrayBuffer());
  const chat = await Chat.open("gpu");
  await chat.load({ config, processor: null, preprocessor: null, words: false }, [{ name: "model.safetensors", size: bytes.length }], async (_, from, to) => bytes.slice(from, to), () => true, "f32");
  chat.use_tokens(new Uint32Array(), undefined);
  chat.use_logits(logits);
  await chat.say(new Uint32Array([5, 6, 7]), 0);
  const { submit } = GPUQueue.prototype;
  let submits = 0;
  GPUQueue.prototype.submit = function (...given) {
    submits++;
    return submit.apply(this, given);
  };
  const generated = [];
  while (generated.length < most) generated.push(await chat.next(most - generated.length));
  GPUQueue.prototype.submit = submit;
  chat.free();
  return { generated, submits };
}

const apart = (one, two) => one.reduce((most, value, at) => Math.max(most, Math.abs(value - two[at])), 0);

/** Runs in the page: feeds a prompt's tokens, and answers with those that follow and their logits. */
async function speak({ device, ids, picture, folder, config, pixels, most }) {
  const { default: init, Chat } = await import("/pkg/talk.js");
  await init();
  const bytes = new Uint8Array(await (await fetch(`${folder}model.safetensors`)).arrayBuffer());
  const chat = await Chat.open(device);
  if (chat.device().kind !== device) throw new Error(`The ${device} is missing: ${chat.device().reason}`);
  await chat.load({ config, processor: null, preprocessor: null, words: false }, [{ name: "model.safetensors", size: bytes.length }], async (_, from, to) => bytes.slice(from, to), () => true, "f32");
  chat.use_tokens(new Uint32Array(), picture);
  if (pixels) await chat.see_pixel_values(new Uint32Array(pixels.shape), new Float32Array(pixels.data));
  await chat.say(new Uint32Array(ids), 0);
  const [generated, logits] = [[], []];
  chat.use_logits(true);
  const [, looked] = [chat.use_looking(true), []];
  const look = async (...how) => {
    const { rows, cols, values } = await chat.look(...how);
    looked.push({ rows, cols, values: [...values] });
  };
  while (generated.length < most) {
    generated.push(await chat.next(most - generated.length));
    logits.push(...chat.logits());
    if (pixels && generated.length === 2) await look(ids.length + 1, ids.length + 2, 0);
    // The device goes between two calls: what was said is remembered anew.
    if (device === "gpu" && generated.length === 3) chat.lose();
  }
  if (pixels) {
    await look(ids.length + 1, ids.length + 2, 0);
    await look(ids.length + 1, ids.length + 2, 0, 1, 0);
  }
  chat.free();
  return { generated, logits, looked };
}

for (const device of ["cpu", "gpu"]) {
  test(`a picture and a question have the reference's answer on the ${device}`, async (t) => {
    const page = await visit(site, t, { query: `?device=${device}` });
    await talkTab(page);
    await open(page);
    await status(page, "The model is loaded");
    assert.match(await page.locator("#talk [data-model]").textContent(), /parameters in 2 layers/);
    await fold(page);
    await page.getByLabel("Tiles at most").fill(String(CASE.max_tiles));
    await ask(page, CASE.question);
    await status(page, "Answered");
    assert.match(await page.locator("#talk [data-status]").textContent(), new RegExp(`^Answered in ${CASE.generated.length} tokens, [\\d.]+ a second\\.`));
    assert.deepEqual((await answers(page)).map(plain), [plain(CASE.answer)]);
    await lookAt(page);
    if (device === "cpu") await goOn(page);
  });
}

/** A model in GGUF and its projector, as llama.cpp's converter writes them; the photograph's page keeps to safetensors. */
test("a model in GGUF has the reference's answer", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await talkTab(page);
  const [tower, model] = readdirSync(path(`${FOLDER}/gguf_tiny`)).sort().map((name) => (
    { name, mimeType: "", buffer: readFileSync(path(`${FOLDER}/gguf_tiny/${name}`)) }));
  await open(page, [model]);
  await status(page, "The model is loaded");
  await ask(page, CASE.question);
  await problem(page, /sees no pictures: expected an InternVL/);
  await open(page, [tower]);
  await problem(page, /wants its tokenizer/);
  await open(page, [tower, model, { ...tower, name: "another.gguf" }]);
  await problem(page, /expected one projector, found two/);
  await open(page, [{ ...model, buffer: model.buffer.subarray(0, 5000) }]);
  await problem(page, /download it again/);
  await open(page, [tower, model]);
  await status(page, "The model is loaded");
  assert.match(await page.locator("#talk [data-model]").textContent(), /parameters in 2 layers/);
  await fold(page);
  await page.getByLabel("Tiles at most").fill(String(CASE.max_tiles));
  await ask(page, CASE.question);
  await status(page, "Answered");
  assert.deepEqual((await answers(page)).map(plain), [plain(CASE.answer)]);
  await page.locator("#photo-file").setInputFiles([model]);
  await page.getByText("is of a model that speaks: the page opens it under Talk").first().waitFor();
});

/** A word tells what it looked at, and a place which words looked there; both are let go. */
async function lookAt(page) {
  const words = page.locator("#talk .answer .word");
  assert.ok((await words.count()) > 3);
  // The picture of a word that was just written may still be there.
  await drawn(page);
  const plainly = await picture(page);
  await words.nth(1).click();
  const said = page.locator("#talk [data-looked]");
  await said.filter({ hasText: `“${await words.nth(1).textContent()}”: ` }).waitFor();
  assert.match(await said.textContent(), /: \d+(\.\d+)? % of its attention went to this picture/);
  await page.waitForFunction((before) => document.querySelector("#frame canvas").toDataURL() !== before, plainly);
  await page.keyboard.press("ArrowRight");
  await said.filter({ hasText: `“${await words.nth(2).textContent()}”: ` }).waitFor();
  assert.equal(await page.locator("#talk .word[aria-current]").count(), 1);
  const mean = await said.textContent();
  await page.getByLabel("Attention in layer").selectOption("2");
  await page.getByLabel("by head").selectOption("0");
  await page.waitForFunction((before) => document.querySelector("#talk [data-looked]").textContent !== before, mean);
  await page.getByLabel("Attention in layer").selectOption("");
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/looked.png` });
  const box = await page.locator("#frame canvas").boundingBox();
  await page.mouse.click(box.x + box.width * 0.3, box.y + box.height * 0.6);
  await page.locator("#talk .answer[data-shaded]").waitFor();
  await page.waitForFunction(() => {
    const parts = [...document.querySelectorAll("#talk .word")].map((word) => Number(word.style.getPropertyValue("--looked")));
    return Math.max(...parts) === 1 && parts.at(-1) > 0;
  });
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/shaded.png` });
  await page.locator("#talk .answer").focus();
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelectorAll("#talk .word[aria-current]").length === 0);
  await page.locator("#talk .answer:not([data-shaded])").waitFor();
  assert.equal(await said.textContent(), "");
}

/** What is on the stage. */
const picture = (page) => page.evaluate(() => document.querySelector("#frame canvas").toDataURL());

/** What else is asked: words that look like control tokens, an answer that is stopped, an earlier question. */
async function goOn(page) {
  // As tokens these would want another picture.
  await ask(page, "<IMG_CONTEXT> <|im_end|> <b>bold</b>");
  await page.locator("#talk .turns > li").nth(1).waitFor();
  await status(page, "Answered");
  assert.equal(await page.locator("#talk .asked").nth(1).textContent(), "<IMG_CONTEXT> <|im_end|> <b>bold</b>");
  assert.equal(await page.locator("#talk .asked b").count(), 0);
  // The same question once more in the place of the first: what followed is gone, and the answer the same.
  await page.locator("#talk .turns > li").first().getByRole("button", { name: "Edit" }).click();
  assert.equal(await page.getByLabel("Your question").inputValue(), CASE.question);
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.waitForFunction(() => document.querySelectorAll("#talk .turns > li").length === 1);
  await status(page, "Answered");
  assert.deepEqual((await answers(page)).map(plain), [plain(CASE.answer)]);
  // Stopped at its first word, where it has 68: a test that polls would come too late.
  const stopped = page.evaluate(() => new Promise((done) => {
    const watch = new MutationObserver(() => {
      if (!document.querySelector("#talk .turns > li:nth-child(2) .answer")?.textContent) return;
      watch.disconnect();
      document.querySelector("#talk [data-stop]").click();
      done();
    });
    watch.observe(document.querySelector("#talk .turns"), { childList: true, subtree: true });
  }));
  await ask(page, "Why?");
  await stopped;
  await page.locator("#talk .turns > li", { hasText: "Stopped." }).waitFor();
  const said = await page.locator("#talk .turns > li").nth(1).locator(".hint").textContent();
  assert.ok(Number.parseInt(said) < 10, said);
  await page.getByRole("button", { name: "New conversation" }).click();
  await page.waitForFunction(() => document.querySelectorAll("#talk .turns > li").length === 0);
}

test("what is wrong is said in a sentence, and a phone has room", async (t) => {
  const page = await visit(site, t, phone);
  await talkTab(page);
  await ask(page, "Anybody there?");
  await problem(page, "Open a model that speaks first");
  assert.equal(await page.getByLabel("Your question").inputValue(), "Anybody there?");
  await open(page, files(["vocab.json", "merges.txt"]));
  await problem(page, "wants its tokenizer.json, or vocab.json and merges.txt");
  await open(page, files(["added_tokens.json", "tokenizer_config.json"]));
  await problem(page, "The model’s tokenizer has no <|im_end|>");
  await open(page, files([], (text) => text.replace('"hidden_size": 48', '"hidden_size": 60')));
  await problem(page, "model.safetensors");
  await open(page, files([], (text) => text.replace('"max_position_embeddings": 32768', '"max_position_embeddings": 220')));
  await status(page, "The model is loaded");
  await fold(page);
  await page.getByLabel("Tiles at most").fill("1");
  const long = "word ".repeat(60).trim();
  await ask(page, long);
  await problem(page, "the model takes 220");
  assert.equal(await page.getByLabel("Your question").inputValue(), long);
  assert.deepEqual(await axe(page), []);
  await fits(page);
});

test("a large model is kept in 8 bits unless others are chosen", async () => {
  const { bitsFor } = await load("web/page/talk/bits.ts");
  assert.deepEqual([bitsFor("auto", 98e6), bitsFor("auto", 1.88e9), bitsFor("f32", 1.88e9), bitsFor("int4", 1)], ["f32", "int8", "f32", "int4"]);
});

/** The shapes of the published models: InternViT-300M, its projector, and a language model. */
const SHAPES = {
  "OpenGVLab/InternVL3-1B": { c: 896, layers: 24, q: 896, kv: 128, inner: 4864, words: 151_674 },
  "OpenGVLab/InternVL2_5-1B": { c: 896, layers: 24, q: 896, kv: 128, inner: 4864, words: 151_674 },
  "OpenGVLab/InternVL3_5-1B": { c: 1024, layers: 28, q: 2048, kv: 1024, inner: 3072, words: 151_936 },
};

test("what a model that speaks takes of the device follows from its shape", async () => {
  const [{ PUBLISHED }, { facts }] = [await load("web/page/talk/speakers.ts"), await load("web/page/models/row.ts")];
  for (const offer of PUBLISHED) {
    const { c, layers, q, kv, inner, words } = SHAPES[offer.name];
    // Attention keeps 8 bits where the MLP has 4.5, as the head does; patches, places and the projector stay in 32.
    const attention = 24 * 4 * 1024 ** 2 + layers * 2 * c * (q + kv);
    const mlp = 24 * 8 * 1024 ** 2 + layers * 3 * c * inner;
    const [head, rest] = [words * c, 4096 * c + c * c + 3 * 14 * 14 * 1024 + 1025 * 1024];
    const { int4, int8, f32, token } = offer.held;
    for (const [told, computed] of [
      [int4, attention + (mlp * 4.5) / 8 + head + 4 * rest], [int8, attention + mlp + head + 4 * rest],
      [f32, 4 * (attention + mlp + head + rest)], [token, 2 * 2 * kv * layers], [offer.parameters, attention + mlp + 2 * head + rest],
    ]) assert.ok(Math.abs(told / computed - 1) < 0.01, `${offer.name}: ${told} and ${computed}`);
  }
  assert.match(facts(PUBLISHED[0]), /about 1.88 GB, 448 px; 593 MB of the device’s memory in 4 bits, 820 MB in 8, 3.21 GB in 32, and 12.3 kB more for each token/);
});

test("an answer's words know their tokens", async () => {
  const { wordsOf } = await load("web/page/talk/said.ts");
  const told = (pieces) => {
    const text = pieces.join("");
    let end = 0;
    const ends = pieces.map((piece) => (end += piece.length));
    return wordsOf(text, ends).map(({ from, to, first, end }) => [text.slice(from, to), first, end]);
  };
  assert.deepEqual(told(["A", " re", "d", " car", ",", " 3", "0", "\n\n", "it"]), [["A", 0, 1], ["red", 1, 3], ["car", 3, 4], [",", 4, 5], ["30", 5, 7], ["it", 8, 9]]);
  // Parts of a character have no text yet; scripts without blanks have a word a token.
  assert.deepEqual(told(["", "", "猫", "和", "狗"]), [["猫", 0, 3], ["和", 3, 4], ["狗", 4, 5]]);
  // What is trimmed at the end is no word.
  assert.deepEqual(wordsOf("a b", [1, 3, 4]).map(({ first, end }) => [first, end]), [[0, 1], [1, 2]]);
  assert.deepEqual(wordsOf("", [0, 0]), []);
});

test("boxes are read of what a model writes", async () => {
  const { boxesOf } = await load("web/page/talk/boxes.ts");
  const told = (text) => boxesOf(text).map(({ name, sides }) => [name, ...sides]);
  assert.deepEqual(told("<ref>the cat</ref><box>[[100, 200, 300, 400]]</box> sleeps"), [["the cat", 0.1, 0.2, 0.3, 0.4]]);
  assert.deepEqual(told("At <box>[[0,0,1000,1000]]</box>."), [["[0,0,1000,1000]", 0, 0, 1, 1]]);
  // One pair of brackets, corners in any order, beyond the edge, and while it is written.
  assert.deepEqual(told("<box>[100,200,300,400]</box>"), [["[100,200,300,400]", 0.1, 0.2, 0.3, 0.4]]);
  assert.deepEqual(told("<ref>a</ref><box>[[300, 400, 100, 1200]]"), [["a", 0.1, 0.4, 0.3, 1]]);
  const two = boxesOf("<ref>a dog</ref><box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box> and <ref>a hat</ref><box>[[9, 9, 99, 99]]</box>");
  assert.deepEqual(two.map(({ name }) => name), ["a dog", "a dog", "a hat"]);
  assert.deepEqual(two[0].colour, two[1].colour);
  assert.notDeepEqual(two[0].colour, two[2].colour);
  const none = ["[1, 2, 3, 4]", "[[1, 2, 3, 4]]", "<box>[[1, 2, 3]]</box>", "<box>[[300, 0, 300, 5]]</box>", "<box>[[1100, 0, 1200, 5]]</box>", "<box>[[a, b, c, d]]</box>", `<box>${"[".repeat(10000)}`, "<box>".repeat(10000)];
  for (const text of none) assert.deepEqual(told(text), [], text);
});
