// The page and the command line are given one model and one question, and answer alike, or refuse it in the same words.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { writeShards } from "./safetensors.mjs";
import { ask, CASE, files, fold, FOLDER, open, problem, status, talkTab } from "./talker.mjs";

const site = openSite();
const program = join(process.env.CARGO_TARGET_DIR ?? path("target"), "debug/internvit");
const IMAGE = path(`${FOLDER}/chat_tiny/image.png`);
const MOST = 12;

/** A file of a model, as the visitor chooses it. */
const file = (name, value) => ({ name, mimeType: "", buffer: Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)) });

/** Another mean and deviation, other sides and other numbers of tiles than InternVL's. */
const OTHER = { image_mean: [0.1, 0.6, 0.3], image_std: 0.7, size: { height: 28, width: 28 }, min_patches: 3, max_patches: 5 };

/** The port's fixture, with a tokenizer of bytes whose added tokens begin behind a hole: the embeddings have rows that it does not name. */
function port(settings) {
  const bytes = [...Array(256).keys()].map((byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173) ? byte : null);
  let next = 256;
  const vocab = Object.fromEntries(bytes.map((byte, at) => [String.fromCharCode(byte ?? next++), at]));
  const names = { "<|endoftext|>": 260, "<|im_start|>": 300, "<|im_end|>": 302, "<img>": 309, "</img>": 310, "<IMG_CONTEXT>": 311 };
  const added_tokens = Object.entries(names).map(([content, id]) => ({ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }));
  const level = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: true };
  const model = { type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab, merges: [] };
  const tokenizer = { version: "1.0", truncation: null, padding: null, added_tokens, normalizer: null, pre_tokenizer: level, post_processor: null, decoder: level, model };
  const own = ["config.json", "model.safetensors"].map((name) => file(name, readFileSync(path(`${FOLDER}/internvl_qwen3_hf/${name}`))));
  return [...own, file("tokenizer.json", tokenizer), file("preprocessor_config.json", settings)];
}

/** The same model with a vocabulary that is a list, as Unigram's, in place of one of bytes. */
function unigram(settings) {
  const pieces = ["<unk>", ..."▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?!<>|_\n", "▁the", "▁image", "▁is", "What", "shown", "▁in"];
  const space = { type: "Metaspace", replacement: "▁", prepend_scheme: "never", split: true };
  const model = { type: "Unigram", unk_id: 0, byte_fallback: false, vocab: pieces.map((piece, at) => [piece, at === 0 ? 0 : -8 - at / 100 + piece.length]) };
  return changed(port(settings), "tokenizer.json", (json) => Object.assign(json, { pre_tokenizer: space, decoder: space, model }));
}

/** A model in GGUF whose projector says another mean. */
const gguf = () => readdirSync(path(`${FOLDER}/gguf_tiny`)).map((name) => {
  const [buffer, key] = [readFileSync(path(`${FOLDER}/gguf_tiny/${name}`)), "clip.vision.image_mean"];
  const at = buffer.indexOf(key);
  // Behind the key lie two kinds and a count, then the values.
  if (at > 0) [0.1, 0.9, 0.2].forEach((mean, channel) => buffer.writeFloatLE(mean, at + key.length + 16 + 4 * channel));
  return file(name, buffer);
});

/** The smallest model's files with its weights changed. */
const weights = (change) => files().map((one) => (one.name === "model.safetensors" ? { ...one, buffer: change(Buffer.from(one.buffer)) } : one));

/** Weights of which the first of the output matrix is not a number. */
function spoilt(bytes) {
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  bytes.writeUInt16LE(0x7fc0, 8 + length + header["language_model.lm_head.weight"].data_offsets[0]);
  return bytes;
}

/** What Git LFS leaves where a file was not fetched. */
const POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";

/** The smallest model's files with a text in place of one. */
const instead = (name, text) => files().map((one) => (one.name === name ? file(name, Buffer.from(text)) : one));

/** The smallest model's files with its weights in two shards. */
function sharded(t) {
  const folder = scratch(t);
  writeShards(path(`${FOLDER}/chat_tiny`), folder);
  return [...files(["model.safetensors"]), ...readdirSync(folder).map((name) => file(name, readFileSync(join(folder, name))))];
}

function scratch(t) {
  const folder = mkdtempSync(join(tmpdir(), "alike-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Files of which one, of JSON, is changed. */
const changed = (list, name, change) => list.map((one) => {
  if (one.name !== name) return one;
  const json = JSON.parse(one.buffer);
  change(json);
  return file(name, json);
});

/** The same files in a folder, of which the command line answers. */
function folderOf(t, list) {
  const folder = scratch(t);
  for (const { name, buffer } of list) writeFileSync(join(folder, name), buffer);
  return ["chat", IMAGE, CASE.question, "--model", folder, "--device", "cpu", "--max-new-tokens", String(MOST)];
}

/** Skips where there is no command line to run. */
function able(t) {
  if (existsSync(program)) return true;
  assert.ok(!process.env.REQUIRE_GPU, `${program} is missing: cargo test builds it`);
  t.skip("no command line: run cargo build first");
  return false;
}

/** Runs before the page's scripts: keeps the numbers of a question's tokens and of its answer's. */
function listen() {
  globalThis.said = { asked: null, answered: [] };
  self.Worker = class extends Worker {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data: { answer } }) => {
        if (typeof answer?.[0] === "number") globalThis.said = { asked: answer, answered: [] };
        else if (typeof answer?.id === "number") globalThis.said.answered.push(answer.id);
      });
    }
  };
}

async function talker(t) {
  const page = await visit(site, t, { prepare: (page) => page.addInitScript(listen) });
  await talkTab(page);
  await fold(page);
  await page.getByLabel("Tokens at most").fill(String(MOST));
  return page;
}

/** Both answers, of which the page's is awaited. */
async function alike(t, page, list, tiles) {
  const found = JSON.parse(execFileSync(program, [...folderOf(t, list), "--json"], { encoding: "utf8" }));
  await open(page, list);
  await status(page, "The model is loaded");
  assert.equal(await page.getByLabel("Tiles at most").inputValue(), String(tiles));
  await ask(page, CASE.question);
  await status(page, `Answered in ${found.generated.length} tokens`);
  const { asked, answered } = await page.evaluate(() => globalThis.said);
  assert.deepEqual([asked, answered], [found.input_ids, found.generated]);
  return found;
}

test("settings beside a model are obeyed alike", async (t) => {
  if (!able(t)) return;
  const page = await talker(t);
  const seen = new Set();
  for (const [list, tiles, tokens] of [
    [files(), 12, 4 * 7],
    // Of 28 pixels a tile is one token: two rows of two, and a thumbnail.
    [[...files(), file("preprocessor_config.json", OTHER)], 5, 5],
    // The newer file counts before the older. Of three tiles at least and at most, three rows are the nearest.
    [[...files(), file("processor_config.json", { image_processor: { ...OTHER, size: { height: 112, width: 112 }, max_patches: 3 } }), file("preprocessor_config.json", OTHER)], 3, 16 * 4],
    [port({ ...OTHER, crop_to_patches: true, size: { height: 56, width: 56 }, max_patches: 4 }), 4, 4 * 5],
    [unigram({ crop_to_patches: true, size: { height: 56, width: 56 }, max_patches: 4 }), 4, 4 * 5],
    [gguf(), 12, 4 * 7],
    [sharded(t), 12, 4 * 7],
  ]) {
    const { prompt, answer } = await alike(t, page, list, tiles);
    assert.equal(prompt.split("<IMG_CONTEXT>").length - 1, tokens);
    seen.add(answer);
  }
  assert.equal(seen.size, 6, "each has an answer of its own, but for the same weights in shards");
});

test("each of the two stop tokens ends an answer by itself", async (t) => {
  if (!able(t)) return;
  const page = await talker(t);
  const settings = { crop_to_patches: true, size: { height: 56, width: 56 }, max_patches: 4 };
  const { generated } = await alike(t, page, port(settings), 4);
  // A token of the answer that has no other meaning becomes one of the stops.
  const at = generated.findIndex((id, place) => place > 0 && id > 255 && ![260, 300, 302, 309, 310, 311].includes(id) && generated.indexOf(id) === place);
  assert.ok(at > 0 && at < generated.length - 1, `${generated}`);
  for (const stop of ["<|endoftext|>", "<|im_end|>"]) {
    const list = changed(port(settings), "tokenizer.json", ({ added_tokens: tokens }) => (tokens.find(({ content }) => content === stop).id = generated[at]));
    const found = await alike(t, page, list, 4);
    // Where the template writes the stop the prompt is another, and so is the answer.
    if (stop === "<|endoftext|>") assert.deepEqual(found.generated, generated.slice(0, at + 1));
  }
});

test("a number of tiles that somebody chose outlives another model", async (t) => {
  const page = await talker(t);
  await page.getByLabel("Tiles at most").fill("2");
  await open(page, [...files(), file("preprocessor_config.json", OTHER)]);
  await status(page, "The model is loaded");
  assert.equal(await page.getByLabel("Tiles at most").inputValue(), "2");
});

test("what cannot be is refused alike", async (t) => {
  if (!able(t)) return;
  const page = await talker(t);
  const numbers = (change) => changed(port({}), "tokenizer.json", ({ added_tokens: tokens }) => tokens.forEach((token) => (token.id = change(token) ?? token.id)));
  for (const [list, said, asked] of [
    [weights((bytes) => bytes.subarray(0, bytes.length / 2)), "cut short or too long: the header describes"],
    [sharded(t).filter(({ name }) => !name.includes("-00001-")), "model-00001-of-00002.safetensors: missing shard"],
    [sharded(t).filter(({ name }) => !name.includes("-00002-")), "model-00002-of-00002.safetensors: missing"],
    [weights(spoilt), "the language model's logits hold NaN or infinity", true],
    [[...files(), file("preprocessor_config.json", { image_std: 0 })], "image_std: expected a number from 0.000001"],
    [[...files(), file("preprocessor_config.json", { min_patches: 6, max_patches: 5 })], "min_patches: expected at most 5, found 6"],
    // A number of another token's, and one that the model's embeddings do not have.
    [numbers(({ content }) => (content === "<img>" ? 65 : null)), 'added_tokens: "<img>" has the number 65, which is not its own'],
    [numbers(({ content }) => (content === "<img>" ? 302 : null)), 'added_tokens: "<img>" has the number 302, which is not its own'],
    [changed(unigram({}), "tokenizer.json", (json) => (json.added_tokens[3].id = 9)), 'added_tokens: "<img>" has the number 9, which is not its own'],
    [changed(unigram({}), "tokenizer.json", (json) => (json.added_tokens[3].id = 1e6)), "added_tokens: the number 1000000, behind a vocabulary of"],
    // Files of Qwen's vocabulary, of which one is damaged or was never fetched.
    [instead("merges.txt", "#version: 0.2\nzz qqqq\n"), 'merges.txt: expected two tokens of vocab.json a line, which are one together, found "zz qqqq"'],
    [instead("vocab.json", "[]"), "vocab.json: expected an object"],
    [instead("added_tokens.json", '{"<img>": 70}'), 'added_tokens.json: "<img>" has the number 70, which is not its own'],
    [instead("tokenizer_config.json", '{"added_tokens_decoder": {"300": "<img>"}}'), "tokenizer_config.json: added_tokens_decoder: expected a token's number"],
    ...["config.json", "model.safetensors", "vocab.json", "merges.txt", "added_tokens.json", "tokenizer_config.json"].map((name) => [instead(name, POINTER), `${name}: a Git LFS pointer and not the file itself`]),
    [gguf().map((one) => (one.name.startsWith("tiny") ? file(one.name, Buffer.from(POINTER)) : one)), ".gguf: a Git LFS pointer and not the file itself"],
    [numbers(({ content }) => (content === "<img>" ? 320 : null)), "token 320, which the tokenizer has and the model, of 320, has not", true],
  ]) {
    const { status: code, stderr } = spawnSync(program, folderOf(t, list), { encoding: "utf8" });
    assert.equal(code, 1);
    assert.ok(stderr.includes(said), stderr);
    await open(page, list);
    if (asked) {
      await status(page, "The model is loaded");
      await ask(page, CASE.question);
    }
    await problem(page, said);
  }
});
