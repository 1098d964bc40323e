// Words of the visitor: a tokenizer as everywhere else, labels, and where a text is found.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Tokenizer } from "@huggingface/tokenizers";
import { load } from "../../web/tools/records.mjs";
import { writeWithTokens } from "./safetensors.mjs";
import { openSite, path, visit } from "./site.mjs";
import { axe, drawn, fits, loaded, phone, shown } from "./visitor.mjs";

const site = openSite();
const program = join(process.env.CARGO_TARGET_DIR ?? path("target"), "debug/internvit");
/** What the towers of the fixtures can read. */
const VOCABULARY = { "[UNK]": 0, a: 3, photo: 4, of: 5, cat: 6, dog: 7, red: 8, car: 9 };
const scratch = { folder: "" };
/** CLIP's vocabulary as open_clip brings it. */
const PAIRS = path("tests/golden/bpe_simple_vocab_16e6.txt.gz");
before(() => {
  scratch.folder = mkdtempSync(join(tmpdir(), "internvit-texts-"));
  for (const file of ["config.json", "model.safetensors", "preprocessor_config.json"]) copyFileSync(path(`tests/golden/clip_quick_gelu/${file}`), join(scratch.folder, file));
  writeFileSync(join(scratch.folder, "tokenizer.json"), JSON.stringify({
    version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: { type: "Whitespace" },
    post_processor: null, decoder: null, model: { type: "WordLevel", vocab: VOCABULARY, unk_token: "[UNK]" },
  }));
});
after(() => rmSync(scratch.folder, { recursive: true, force: true }));

const open = async (page, folder, names) => {
  await page.setInputFiles("#model-files", names.map((name) => join(folder, name)));
  await page.locator("#model .summary", { hasText: "parameters" }).waitFor({ state: "attached" });
  await shown(page);
};
const turn = async (page, name) => {
  await page.getByRole("tab", { name, exact: true }).click();
  await drawn(page);
};
const bars = (page) => page.locator("#bars li").evaluateAll((list) => list.map((item) => [item.children[0].textContent, item.children[1].textContent.replace(/[^\d.]/g, "")]));

/** Holds what the page says of the cat's labels against what the command line does. */
function asTheCommandLine(found, folder, labels) {
  if (!existsSync(program)) return void (process.env.REQUIRE_GPU && assert.fail(`${program} is missing: cargo builds it`));
  const args = ["classify", path("www/samples/chelsea.png"), "--model", folder, "--labels", labels, "--json", "--device", "cpu"];
  const { images: [{ classes }] } = JSON.parse(execFileSync(program, args, { encoding: "utf8" }));
  for (const { name, probability } of classes) {
    const [, part] = found.find(([one]) => one === name);
    assert.ok(Math.abs(Number(part) - 100 * probability) < 0.11, `${name}: ${part} % here, ${100 * probability} % there`);
  }
}

/** Holds the bars against the line of the Code sheet, which has the words in every language. */
async function asTheSheet(page, found) {
  await page.getByRole("button", { name: "Code", exact: true }).click();
  const text = page.locator("#code-sheet textarea");
  for (const [language, part] of [
    ["Python", 'model.classify_with(model.text(["a red cat", "a red red car", "a red dog"]), "chelsea.png")'],
    ["JavaScript", 'model.classifyWith(["a red cat", "a red red car", "a red dog"], "chelsea.png")'],
    ["Rust", "// internvit classify chelsea.png"], ["Command line", "internvit classify chelsea.png"],
  ]) {
    await page.locator("#code-sheet").getByText(language, { exact: true }).click();
    await page.waitForFunction((part) => document.querySelector("#code-sheet textarea").value.includes(part), part);
  }
  const line = await text.inputValue();
  await page.keyboard.press("Escape");
  if (!existsSync(program)) return;
  const here = line.replace("internvit", program).replace(/--model ('[^']*'|\S+)/, `--model ${scratch.folder}`);
  const { images: [{ classes }] } = JSON.parse(execFileSync("sh", ["-c", `${here} --json --device cpu`], { cwd: path("www/samples"), encoding: "utf8" }));
  assert.equal(classes.length, found.length);
  for (const { name, probability } of classes) assert.ok(Math.abs(Number(found.find(([one]) => one === name)[1]) - 100 * probability) < 0.11, line);
}

test("CLIP's vocabulary makes the tokens of the fixture", async () => {
  const { clipTokenizer, clipTokenizerOfPairs, tokensOf } = await load("web/worker/tokens.ts");
  const json = clipTokenizerOfPairs(gunzipSync(readFileSync(PAIRS)).toString());
  // The same by the two files of transformers.
  assert.deepEqual(clipTokenizer(json.model.vocab, `#version: 0.2\n${json.model.merges.join("\n")}\n`), json);
  const tokenizer = new Tokenizer(json, {});
  const { rows } = JSON.parse(readFileSync(path("tests/golden/clip_tokenizer.json"), "utf8"));
  assert.ok(rows.length >= 30);
  for (const { text, ids, ids_transformers: others = ids } of rows) {
    const found = tokensOf(tokenizer, text.toLowerCase());
    const end = found.ids.length - found.ends;
    const cut = found.ids.length > 77 ? [...found.ids.slice(0, 77 - found.ends), ...found.ids.slice(end)] : found.ids;
    assert.deepEqual(cut, others, text);
  }
});

test("a damaged file of CLIP's vocabulary is named", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "internvit-merges-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const own = ["config.json", "model.safetensors", "preprocessor_config.json"];
  for (const file of own) copyFileSync(join(scratch.folder, file), join(folder, file));
  const vocabulary = JSON.stringify({ ...VOCABULARY, "a</w>": 1, t: 2, "at</w>": 10, "t</w>": 11 });
  for (const [numbers, merges, said] of [
    [vocabulary, "#version: 0.2\na t</w>\nzz qqqq\n", 'merges.txt: expected two tokens'],
    [vocabulary, "#version: 0.2\n", 'merges.txt: expected two tokens'],
    ["[]", "a t</w>\n", "vocab.json: expected an object"],
    ['{"a": 1', "a t</w>\n", "vocab.json: "],
  ]) {
    writeFileSync(join(folder, "vocab.json"), numbers);
    writeFileSync(join(folder, "merges.txt"), merges);
    const page = await visit(site, t);
    await loaded(page);
    await page.getByRole("button", { name: "Cat" }).click();
    await shown(page);
    await open(page, folder, [...own, "vocab.json", "merges.txt"]);
    await turn(page, "Labels");
    await page.getByLabel(/^Your words/).fill("a cat");
    await page.getByText(said).first().waitFor();
    // The command line refuses the same.
    if (!existsSync(program)) continue;
    const args = ["classify", path("www/samples/chelsea.png"), "--model", folder, "--labels", "a cat", "--device", "cpu"];
    const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
    assert.equal(status, 1);
    assert.ok(stderr.includes(said), stderr);
  }
});

test("what a tokenizer puts before every text begins a conversation", async () => {
  const { beginning } = await load("web/worker/tokens.ts");
  const token = (id) => ({ SpecialToken: { id, type_id: 0 } });
  const template = { type: "TemplateProcessing", single: [token("<s>"), { Sequence: { id: "A", type_id: 0 } }, token("</s>")], pair: [] };
  assert.deepEqual(beginning(template), ["<s>"]);
  assert.deepEqual(beginning({ type: "Sequence", processors: [{ type: "ByteLevel" }, template] }), ["<s>"]);
  for (const none of [null, undefined, { type: "ByteLevel" }, { type: "TemplateProcessing", single: [{ Sequence: { id: "A", type_id: 0 } }] }]) assert.deepEqual(beginning(none), []);
});

test("labels by words, as the command line says them, and a text in the picture", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await loaded(page);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  await turn(page, "Labels");
  assert.match(await page.locator("#readout").textContent(), /no names for what it sees/);
  await turn(page, "Words");
  assert.match(await page.locator("#readout").textContent(), /never learned words/);
  await open(page, scratch.folder, ["config.json", "model.safetensors", "preprocessor_config.json"]);
  await drawn(page);
  assert.match(await page.locator("#readout").textContent(), /what reads them is not here/);
  await open(page, scratch.folder, ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"]);
  await turn(page, "Labels");
  assert.ok(await page.locator("#wipe").isHidden());
  await page.getByLabel(/^Your words/).fill("cat\nred car, dog");
  await drawn(page);
  const found = await bars(page);
  assert.deepEqual(found.map(([name]) => name).sort(), ["cat", "dog", "red car"]);
  assert.ok(Math.abs(found.reduce((sum, [, part]) => sum + Number(part), 0) - 100) < 0.2, "softmax sums to 1");
  asTheCommandLine(found, scratch.folder, "cat, red car, dog");
  await page.getByLabel("Sentence they stand in").fill("a red {}");
  await drawn(page);
  const red = await bars(page);
  assert.notDeepEqual(red, found, "another sentence");
  await asTheSheet(page, red);
  await page.getByLabel("Sentence they stand in").fill("a red");
  assert.match(await page.locator("[data-template-hint]").textContent(), /Write \{\}/);
  await turn(page, "Words");
  assert.match(await page.locator("#readout").textContent(), /Write what to look for/);
  // Nothing lies over the photograph: a handle would part nothing.
  const [handle, pill] = [page.locator("#wipe"), page.locator("#pill")];
  assert.ok(await handle.isHidden());
  await page.getByLabel("Look for").fill("red car");
  await drawn(page);
  await page.locator("#legend .scale-line").waitFor();
  assert.ok(await handle.isVisible());
  // What is found stays lit while the pointer reads it, and nobody is told otherwise.
  assert.ok(await pill.isHidden());
  const before = await page.evaluate(() => document.querySelector("#frame canvas").toDataURL());
  await page.locator("#frame canvas").hover({ position: { x: 60, y: 60 } });
  await page.locator("#readout", { hasText: /^Row \d+, column \d+: cosine/ }).waitFor();
  await page.waitForTimeout(300);
  assert.equal(await page.evaluate(() => document.querySelector("#frame canvas").toDataURL()), before);
  // The sheet was open before, on another view: it opens empty, and no sooner is there anything to copy.
  assert.deepEqual(await page.evaluate(() => [document.querySelector("#code-sheet textarea").value, document.querySelector("#code-sheet [data-copy]").disabled]), ["", true]);
  await page.getByRole("button", { name: "Code" }).click();
  await page.waitForFunction(() => /--view words .*--text 'red car'/.test(document.querySelector("#code-sheet textarea").value));
});

test("CLIP's vocabulary as open_clip brings it, packed", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "internvit-pairs-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const fixture = path("tests/golden/clip_openclip");
  const config = JSON.parse(readFileSync(`${fixture}/open_clip_config.json`, "utf8"));
  config.model_cfg.text_cfg.vocab_size = 49408;
  writeFileSync(join(folder, "open_clip_config.json"), JSON.stringify(config));
  writeWithTokens(`${fixture}/model.safetensors`, join(folder, "model.safetensors"), 49408);
  copyFileSync(PAIRS, join(folder, basename(PAIRS)));
  const page = await visit(site, t, { query: "?device=cpu" });
  await loaded(page);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  await open(page, folder, ["open_clip_config.json", "model.safetensors", basename(PAIRS)]);
  await turn(page, "Labels");
  await page.getByLabel(/^Your words/).fill("tabby cat\n“sports” car");
  await drawn(page);
  const found = await bars(page);
  assert.deepEqual(found.map(([name]) => name).sort(), ["tabby cat", "“sports” car"]);
  asTheCommandLine(found, folder, "tabby cat, “sports” car");
  // A file that is none says so.
  writeFileSync(join(folder, basename(PAIRS)), "no archive");
  await open(page, folder, ["open_clip_config.json", "model.safetensors", basename(PAIRS)]);
  await turn(page, "Labels");
  await page.getByText(/tokenizer cannot be used/).first().waitFor();
});

test("a classifier's own classes, on the phone", async (t) => {
  const page = await visit(site, t, { ...phone, query: "?device=cpu" });
  await loaded(page);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  await open(page, path("tests/golden/vit_classification"), ["config.json", "model.safetensors", "preprocessor_config.json"]);
  await turn(page, "Labels");
  const found = await bars(page);
  assert.equal(found.length, 6);
  assert.ok(Math.abs(found.reduce((sum, [, part]) => sum + Number(part), 0) - 100) < 0.4);
  await fits(page);
  assert.deepEqual(await axe(page), []);
});
