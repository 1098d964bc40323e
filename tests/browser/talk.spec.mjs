// Conversations: the fixtures of InternVL through the module and the page.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { readSafetensors } from "./safetensors.mjs";
import { openSite, path, visit } from "./site.mjs";
import { axe, fits, loaded, phone, shown } from "./visitor.mjs";

const site = openSite();
const FOLDER = "tests/golden/internvl";
const CASE = JSON.parse(readFileSync(path(`${FOLDER}/chat_tiny/case.json`), "utf8"));
const models = readdirSync(path(FOLDER)).filter((name) => name.startsWith("internvl_"));
assert.notEqual(models.length, 0, `no fixtures in ${FOLDER}`);

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
    }
  });
}

/** Runs in the page: feeds a prompt's tokens, and answers with those that follow and their logits. */
async function speak({ device, ids, picture, folder, config, pixels, most }) {
  const { default: init, Chat } = await import("/pkg/talk.js");
  await init();
  const bytes = new Uint8Array(await (await fetch(`${folder}model.safetensors`)).arrayBuffer());
  const chat = await Chat.open(device);
  if (chat.device().kind !== device) throw new Error(`The ${device} is missing: ${chat.device().reason}`);
  await chat.load(config, [{ name: "model.safetensors", size: bytes.length }], async (_, from, to) => bytes.slice(from, to), () => true, "f32");
  chat.use_tokens(new Uint32Array(), picture);
  if (pixels) await chat.see_pixel_values(new Uint32Array(pixels.shape), new Float32Array(pixels.data));
  chat.say(new Uint32Array(ids), 0);
  const [generated, logits] = [[], []];
  while (generated.length < most) {
    generated.push(await chat.next(most - generated.length));
    logits.push(...chat.logits());
  }
  chat.free();
  return { generated, logits };
}

/** The files of the model that speaks, some of them left out or changed. */
const files = (without = [], config = (text) => text) => ["config.json", "model.safetensors", "vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"]
  .filter((name) => !without.includes(name))
  .map((name) => {
    const bytes = readFileSync(path(`${FOLDER}/chat_tiny/${name}`));
    return { name, mimeType: "", buffer: name === "config.json" ? Buffer.from(config(bytes.toString())) : bytes };
  });

async function talkTab(page) {
  await loaded(page);
  await page.locator("#photo-file").setInputFiles(path(`${FOLDER}/chat_tiny/image.png`));
  await shown(page);
  await page.getByRole("tab", { name: "Talk" }).click();
}

const status = (page, text) => page.locator("#talk [data-status]", { hasText: text }).waitFor();
const problem = (page, text) => page.locator("#talk [data-problem]", { hasText: text }).waitFor();
const answers = (page) => page.locator("#talk .answer").allTextContents();
const fold = (page) => page.locator("#talk .folded > summary").click();

async function open(page, list = files()) {
  await page.getByLabel("Model to talk to").setInputFiles(list);
}

async function ask(page, question) {
  await page.getByLabel("Your question").fill(question);
  await page.getByRole("button", { name: "Ask", exact: true }).click();
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
    if (device === "cpu") await goOn(page);
  });
}

/** Text as it is shown: Markdown has blanks of its own. */
const plain = (text) => text.replace(/\s+/g, " ").trim();

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
