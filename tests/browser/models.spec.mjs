// The visitor's own model: its settings of preprocessing, and what lies in place of its files.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { openSite, path, visit } from "./site.mjs";
import { advanced, drawn, fact, loaded, readNpy, saved, sheet, shown } from "./visitor.mjs";

const site = openSite();
/** Small: its bytes are handed to the page again and again. */
const folder = path("tests/golden/encoder_hf_native");
const config = readFileSync(`${folder}/config.json`);
const weights = readFileSync(`${folder}/model.safetensors`);
const file = (name, content) => ({ name, mimeType: "", buffer: Buffer.from(content) });
const own = (...more) => [file("config.json", config), file("model.safetensors", weights), ...more];
const object = (value) => JSON.stringify(value);

/** Other means and deviations than InternVL's. */
const OTHER = { image_mean: [0.5, 0.4, 0.3], image_std: [0.3, 0.2, 0.25], resample: 2 };
const processor = (value) => file("processor_config.json", object(value));
const preprocessor = (value) => file("preprocessor_config.json", object(value));

/** Drops several files at once, as far as scripts can. */
function drop(page, files) {
  return page.evaluate((files) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of files) {
      transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
    }
    document.querySelector("main").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, files.map(({ name, buffer }) => ({ name, base64: buffer.toString("base64") })));
}

/** Loads a model from files and returns the features of the photograph on the stage. */
async function featuresBy(page, files, give = (files) => page.locator("#model-files").setInputFiles(files)) {
  await page.evaluate(() => (document.querySelector("#status").textContent = ""));
  await give(files);
  await page.locator("#status", { hasText: "took" }).waitFor({ state: "attached" });
  await shown(page);
  return [...readNpy((await saved(page, "Save features (.npy)")).bytes).data];
}

test("a model's processor_config.json is obeyed as its preprocessor_config.json is, and comes first", async (t) => {
  const page = await visit(site, t, { query: "?sample=coffee&size=112" });
  await shown(page);
  const plain = await featuresBy(page, own());
  const expected = await featuresBy(page, own(preprocessor(OTHER)));
  assert.notDeepEqual(expected, plain);
  const nested = { processor_class: "P", image_processor: OTHER };
  for (const [what, files] of [
    ["alone", own(processor(nested))],
    ["before the other", own(preprocessor({ image_mean: [0, 0, 0] }), processor(nested))],
    ["with a byte order mark", own(file("processor_config.json", `\ufeff${object(nested)}`))],
    ["of a tokenizer alone", own(processor({ processor_class: "P" }), preprocessor(OTHER))],
    ["downloaded twice", own(preprocessor({ image_mean: [0, 0, 0] }), file("processor_config (1).json", object(nested)))],
  ]) assert.deepEqual(await featuresBy(page, files), expected, what);
  assert.deepEqual(await featuresBy(page, own(processor(nested)), (files) => drop(page, files)), expected, "dropped");
  // One without settings changes nothing.
  assert.deepEqual(await featuresBy(page, own(processor({ image_processor: null }))), plain);
});

test("what is wrong in a model's settings of preprocessing is named by its file", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  for (const [settings, reason] of [
    [file("processor_config.json", '{"image_processor": 1}'), "processor_config.json: image_processor: expected an object, found 1"],
    [file("processor_config.json", '{"image_processor": {}, "image_processor": {}}'), "image_processor: present twice"],
    [file("processor_config.json", "<!doctype html>"), "processor_config.json: a web page"],
    [file("preprocessor_config.json", '{"size": 0}'), "preprocessor_config.json: size: expected 1 to"],
    [file("preprocessor_config.json", "version https://git-lfs.github.com/spec/v1"), "preprocessor_config.json: a Git LFS pointer"],
  ]) {
    await page.locator("#model-files").setInputFiles(own(settings));
    await page.getByRole("alert").filter({ hasText: reason }).waitFor();
  }
});

/** A file of zeros with bytes at places. */
function bytes(length, ...parts) {
  const all = Buffer.alloc(length);
  for (const [at, text] of parts) all.write(text, at, "latin1");
  return all;
}

test("what lies in place of a model's weights or configuration is named, with what to do", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 608\n";
  for (const [what, reason] of [
    [pointer, /Git LFS pointer and not the file itself: run `git lfs pull`/],
    ["<!DOCTYPE html><html><title>Sign in</title></html>", /a web page and not weights: download the file again/],
    ['<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', /XML, perhaps a server/],
    ['{"error": "Repository not found"}', /JSON, perhaps a server/],
    [gzipSync("weights"), /gzip/],
    [bytes(1024, [0, "model.bin"], [257, "ustar"]), /tar archive/],
    [bytes(1024, [0, "\x89HDF\r\n\x1a\n"]), /HDF5/],
    [bytes(1024, [0, "GGUF"]), /GGUF/],
    [bytes(1024, [0, "PK\x03\x04"]), /ZIP/],
    ["", /model\.safetensors: /],
    [weights.subarray(0, weights.length / 2), /model\.safetensors: /],
  ]) {
    await page.locator("#model-files").setInputFiles([file("config.json", config), file("model.safetensors", what)]);
    await page.getByRole("alert").filter({ hasText: reason }).waitFor();
  }
  for (const [what, reason] of [
    [pointer, /config\.json: .*Git LFS pointer/],
    ["<html>", /config\.json: .*web page/],
    ['{"architecture": "resnet50"}', /config\.json: .*/],
    ['{"hidden_size": 8, "hidden_size": 9}', /config\.json: .*hidden_size: present twice/],
  ]) {
    await page.locator("#model-files").setInputFiles([file("config.json", what), file("model.safetensors", weights)]);
    await page.getByRole("alert").filter({ hasText: reason }).waitFor();
  }
  await sheet(page, "model");
  await page.getByRole("button", { name: "Use InternViT-Tiny" }).click();
  await loaded(page);
});

for (const name of ["dinov2_registers", "dinov2_swiglu_interpolated"]) {
  test(`${name} is loaded from files, and seen in every view`, async (t) => {
    const page = await visit(site, t, { query: "?sample=coffee" });
    await shown(page);
    const given = ["config.json", "model.safetensors", "preprocessor_config.json"];
    await page.evaluate(() => (document.querySelector("#status").textContent = ""));
    await page.locator("#model-files").setInputFiles(given.map((one) => path(`tests/golden/${name}/${one}`)));
    await page.locator("#status", { hasText: "coffee.png took" }).waitFor({ state: "attached" });
    await shown(page);
    const [cols, rows] = (await fact(page, "Patches")).split(" × ").map(Number);
    for (const view of ["Features", "Find alike", "Attention", "Group", "Norms"]) {
      await page.getByRole("tab", { name: view }).click();
      const drawnAs = { Features: "pca", "Find alike": "similarity", Group: "clusters" }[view] ?? view.toLowerCase();
      await page.locator(`#stage[data-drawn=${drawnAs}]`).waitFor();
      if (view === "Find alike") await page.locator("#frame canvas").click({ position: { x: 80, y: 60 } });
      await drawn(page);
      const { shape, data } = readNpy((await saved(page, "Save view’s data (.npy)")).bytes);
      const [r, c] = view === "Attention" ? shape.slice(1) : shape;
      assert.deepEqual([r, c], [rows, cols], view);
      assert.ok(data.every(Number.isFinite) && new Set(data).size > 1, view);
    }
    await page.getByRole("tab", { name: "Materials" }).click();
    await page.locator("#save-hint", { hasText: "no head that names materials" }).waitFor();
    assert.equal((await page.getByRole("alert").first().textContent()).trim(), "");
  });
}

test("of a drop of several kinds each does its part, and what fails is still told at the end", async (t) => {
  const page = await visit(site, t, { query: "?size=112&resize=squash" });
  await loaded(page);
  const photo = (name) => file(name, readFileSync(path("www/samples/chelsea.png")));
  await drop(page, [photo("one.png"), file("config.json", config), photo("two.png"), file("notes.txt", "no picture")]);
  await page.getByRole("alert").filter({ hasText: /Choose the model's \.safetensors files.*notes\.txt: not a picture/ }).waitFor();
  assert.equal(await page.locator("#shots li").count(), 2);
  await page.locator("#facts", { hasText: "two.png" }).waitFor({ state: "attached" });
  // A model and a photograph: the photograph by the new model.
  const other = path("tests/golden/encoder_rms_qknorm_f16");
  await drop(page, [photo("three.png"), ...["config.json", "model.safetensors"].map((name) => file(name, readFileSync(`${other}/${name}`)))]);
  await page.locator("#model > .name", { hasText: "model.safetensors" }).waitFor({ state: "attached" });
  await page.locator("#facts", { hasText: /three\.png.*× 128/ }).waitFor({ state: "attached" });
  for (const name of ["epoch.pth", "epoch.pt", "pytorch_model.bin", "last.ckpt"]) {
    await drop(page, [file(name, "PK")]);
    await page.getByRole("alert").filter({ hasText: `internvit convert ${name} --out DIR` }).waitFor();
  }
});

test("a folder that is dropped opens, and a file that has gone is named, with what to do", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "internvit-drop-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["a.png", "b.png"]) copyFileSync(path("www/samples/chelsea.png"), join(folder, name));
  const page = await visit(site, t, { query: "?size=112&resize=squash" });
  await loaded(page);
  const devtools = await page.context().newCDPSession(page);
  // As from a file manager: the files themselves, and no copies of them.
  const fromDisk = async (...files) => {
    const data = { items: [], files, dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) await devtools.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  };
  await fromDisk(join(folder, "a.png"), join(folder, "b.png"));
  await page.locator("#status", { hasText: "b.png took" }).waitFor({ state: "attached" });
  await shown(page);
  await fromDisk(folder);
  const opened = page.getByRole("region", { name: "Folder", exact: true });
  await opened.getByRole("status").filter({ hasText: /^2 of 2 read/ }).waitFor();
  await opened.getByRole("button", { name: "Close" }).click();
  rmSync(join(folder, "b.png"));
  await advanced(page);
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("alert").filter({ hasText: /b\.png cannot be read: .* deleted/ }).waitFor();
  await page.locator("#facts", { hasText: "b.png" }).waitFor({ state: "attached" });
});

/** A head's file with another header. */
function withHeader(head, change) {
  const start = 8 + Number(head.readBigUInt64LE(0));
  const text = Buffer.from(change(head.toString("utf8", 8, start)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, head.subarray(start)]);
}

test("heads are read by one parser: a key that is there twice, and what is cut off, is refused by name", async (t) => {
  const page = await visit(site, t, { query: "?sample=coffee&size=112&resize=squash#view=teach" });
  await shown(page);
  const click = async (x, y) => {
    const { width, height } = await page.locator("#frame canvas").boundingBox();
    await page.locator("#frame canvas").click({ position: { x: x * width, y: y * height } });
  };
  await click(0.5, 0.5);
  await page.locator("#teach input[name=class]").nth(1).check();
  await click(0.05, 0.05);
  await page.locator(".fit", { hasText: "Learned from 2 patches" }).waitFor();
  const head = (await saved(page, "Save what it learned")).bytes;
  const twice = (text) => text.replace(/^\{/, '{"__metadata__":{},');
  const bias = (text) => text.replace(/("decode_head[^"]*":)(\{[^}]*\})/, "$1$2,$1$2");
  for (const [name, bytes, reason] of [
    ["twice.safetensors", withHeader(head, twice), /twice\.safetensors: .*__metadata__.*twice/],
    ["tensor.safetensors", withHeader(head, bias), /tensor\.safetensors: .*decode_head.*twice/],
    ["broken.safetensors", withHeader(head, (text) => text.trimEnd().slice(0, -1)), /broken\.safetensors: /],
    ["cut.safetensors", head.subarray(0, head.length - 100), /cut\.safetensors: /],
  ]) {
    for (const give of [
      (files) => page.locator("#teach input[type=file]").setInputFiles(files[0]),
      (files) => page.locator("#model-files").setInputFiles(files),
      (files) => drop(page, files),
    ]) {
      await give([file(name, bytes)]);
      await page.getByRole("alert").filter({ hasText: reason }).waitFor();
      assert.match(await page.locator(".fit").textContent(), /^Learned from 2 patches/, name);
      await page.getByRole("button", { name: "Dismiss" }).click();
    }
  }
  for (const name of ["garbage.safetensors", "LOUD.SAFETENSORS"]) {
    await drop(page, [file(name, "garbage")]);
    await page.getByRole("alert").filter({ hasText: `${name} is not a taught head. Of a model, choose` }).waitFor();
  }
  // A head that is chosen as a model is a head all the same.
  await page.locator("#model-files").setInputFiles([file("mine.safetensors", head)]);
  await page.locator(".fit", { hasText: "mine.safetensors: object, background" }).waitFor();
  // The lesson whose place it took comes back.
  await page.getByRole("button", { name: "Undo" }).click();
  await page.locator(".fit", { hasText: "Learned from 2 patches" }).waitFor();
});
