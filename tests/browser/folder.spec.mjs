// A folder of photographs: read, cancelled, gone on with, searched by likeness, mapped, and written as a table.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { unzipSync } from "fflate";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { openSite, path, visit } from "./site.mjs";
import { axe, fits, loaded, phone, readNpy, saved, shown } from "./visitor.mjs";

const site = openSite();
const scratch = mkdtempSync(join(tmpdir(), "internvit-folder-"));
const [photos, many, clip] = ["photos", "many", "clip"].map((name) => join(scratch, name));
const program = join(process.env.CARGO_TARGET_DIR ?? path("target"), "debug/internvit");
/** Photographs of the folder; the last is none. */
const NAMES = ["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "more/chelsea copy.png", "more/rocket.jpg", "z.jpg"];
const MANY = 10;

before(() => {
  mkdirSync(join(photos, "more"), { recursive: true });
  mkdirSync(join(photos, ".hidden"));
  mkdirSync(many);
  const sample = (name, to) => copyFileSync(path(`www/samples/${name}`), to);
  for (const name of ["astronaut.png", "camera.png", "chelsea.png", "coffee.png"]) sample(name, join(photos, name));
  sample("rocket.jpg", join(photos, "more/rocket.jpg"));
  sample("chelsea.png", join(photos, "more/chelsea copy.png"));
  sample("coffee.png", join(photos, ".hidden/coffee.png"));
  writeFileSync(join(photos, "z.jpg"), "no picture");
  writeFileSync(join(photos, "notes.txt"), "no picture, and not called one");
  // A model that reads texts, of a few words.
  mkdirSync(clip);
  for (const file of ["config.json", "model.safetensors", "preprocessor_config.json"]) copyFileSync(path(`tests/golden/clip_quick_gelu/${file}`), join(clip, file));
  writeFileSync(join(clip, "tokenizer.json"), JSON.stringify({
    version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: { type: "Whitespace" },
    post_processor: null, decoder: null, model: { type: "WordLevel", vocab: { "[UNK]": 0, a: 3, photo: 4, of: 5, cat: 6, dog: 7, red: 8, car: 9 }, unk_token: "[UNK]" },
  }));
  for (let at = 0; at < MANY; at++) sample("camera.png", join(many, `${String(at).padStart(2, "0")}.png`));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

const folder = (page) => page.getByRole("region", { name: "Folder", exact: true });
const told = (page, text) => folder(page).getByRole("status").filter({ hasText: text }).waitFor();
const tiles = (page) => page.getByRole("list", { name: "Photographs of the folder" });
const titles = (page) => tiles(page).locator("button").evaluateAll((all) => all.map(({ ariaLabel }) => ariaLabel));
const turn = (page, mode) => folder(page).getByText(mode, { exact: true }).click();
const open = (page, from) => page.locator("#folder-files").setInputFiles(from);
/** Counts what is asked of the model. */
const counting = (page) => page.addInitScript(() => {
  globalThis.embedded = 0;
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...more) {
    if (message?.call === "embed") globalThis.embedded++;
    return postMessage.call(this, message, ...more);
  };
});
/** The part of a canvas's pixels that differ by more than a rounding from when it was asked before. */
const differing = (canvas) => canvas.evaluate(async (canvas) => {
  for (let frames = 0; frames < 2; frames++) await new Promise(requestAnimationFrame);
  const [before, now] = [canvas.before, canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
  canvas.before = now;
  return now.filter((value, at) => Math.abs(value - before?.[at]) > 3).length / now.length;
});
const embedded = (page) => page.evaluate(() => globalThis.embedded);

test("a folder is read, searched by likeness, mapped, encircled, and written as a table", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  await open(page, photos);
  await told(page, /^6 of 7 read, 1 cannot be read\.$/);
  assert.deepEqual(await titles(page), NAMES.map((name) => `photos/${name}`));
  await page.waitForFunction(() => [...document.querySelectorAll(".sheet-of-photos img")].filter(({ naturalWidth }) => naturalWidth > 0).length === 6);
  await tiles(page).getByRole("button", { name: "photos/z.jpg" }).click();
  assert.match(await folder(page).locator(".note").textContent(), /^z\.jpg: /);
  assert.deepEqual(await axe(page), []);

  await tiles(page).getByRole("button", { name: "photos/chelsea.png" }).click();
  await folder(page).getByRole("button", { name: "Find alike" }).click();
  await page.locator(".note-of-photo", { hasText: "1.00" }).nth(1).waitFor();
  assert.deepEqual((await titles(page)).slice(0, 2), ["photos/chelsea.png", "photos/more/chelsea copy.png"]);
  assert.equal((await titles(page)).length, 6);
  await turn(page, "Twins");
  await page.locator(".note-of-photo", { hasText: /^group 1 · 1\.000$/ }).nth(1).waitFor();
  assert.deepEqual((await titles(page)).sort(), ["photos/chelsea.png", "photos/more/chelsea copy.png"]);

  await turn(page, "Map");
  const map = page.getByRole("application", { name: /^Map of/ });
  await page.waitForFunction(() => {
    const canvas = document.querySelector(".map canvas");
    return canvas.width > 0 && new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size > 50;
  });
  const { x, y, width, height } = await map.boundingBox();
  await page.keyboard.down("Shift");
  await page.mouse.move(x + 3, y + 3);
  await page.mouse.down();
  for (const [right, down] of [[1, 0], [1, 1], [0, 1]]) await page.mouse.move(x + 3 + right * (width - 6), y + 3 + down * (height - 6));
  await page.mouse.up();
  await page.keyboard.up("Shift");
  await folder(page).getByText("6 encircled").waitFor();
  await page.getByLabel("Colour by group").check();
  assert.deepEqual(await axe(page), []);
  await differing(map);
  await map.press("ArrowLeft");
  assert.ok(await differing(map) > 0.01, "the map did not move");
  // What is moved is what would be drawn there.
  await map.press("+");
  await map.press("-");
  assert.ok(await differing(map) < 0.001);
  await map.press("0");
  await folder(page).getByRole("button", { name: "Show them" }).click();
  assert.equal((await titles(page)).length, 6);
  await folder(page).getByRole("button", { name: "Let go" }).click();
  assert.equal((await titles(page)).length, 7);

  const { name, bytes } = await saved(page, "Save table");
  assert.equal(name, "photos.parquet");
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const rows = await parquetReadObjects({ file });
  assert.deepEqual(Object.keys(rows[0]), ["path", "width", "height", "grid_h", "grid_w", "cls_embedding", "pooled_embedding", "error"]);
  assert.deepEqual(rows.map((row) => row.path), NAMES.map((one) => `photos/${one}`));
  assert.match(rows[6].error, /z\.jpg/);
  assert.deepEqual([rows[6].cls_embedding ?? null, rows[2].error ?? null], [null, null]);
  assert.deepEqual([rows[2].width, rows[2].height, rows[2].grid_h, rows[2].grid_w], [451, 300, 16, 16]);
  assert.equal(JSON.parse(parquetMetadata(file).key_value_metadata.find(({ key }) => key === "internvit-page").value).failed, 1);

  // The stage has the same features.
  await tiles(page).getByRole("button", { name: "photos/chelsea.png" }).click();
  await folder(page).getByRole("button", { name: "Open" }).click();
  await shown(page);
  await folder(page).waitFor({ state: "hidden" });
  const { shape: [, tokens, channels], data } = readNpy((await saved(page, "Save features (.npy)")).bytes);
  assert.deepEqual([...rows[2].cls_embedding], [...data.subarray(0, channels)]);
  const mean = (channel) => Math.fround(Array.from({ length: tokens - 1 }, (_, at) => data[(at + 1) * channels + channel]).reduce((sum, value) => sum + value, 0) / (tokens - 1));
  assert.deepEqual([...rows[2].pooled_embedding], Array.from({ length: channels }, (_, channel) => mean(channel)));

  await page.getByRole("button", { name: /^Folder/ }).click();
  await folder(page).waitFor();
  await page.setViewportSize(phone.viewport);
  await fits(page);
  await folder(page).getByRole("button", { name: "Close" }).click();
  await shown(page);
});

test("words find photographs, and the table is the command line's", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  await page.locator("#model-files").setInputFiles(["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"].map((name) => join(clip, name)));
  await page.locator("#model .name", { hasText: "model.safetensors" }).or(page.locator("#model .name", { hasText: "clip" })).first().waitFor({ state: "attached" });
  await loaded(page);
  await open(page, photos);
  await told(page, /^6 of 7 read, 1 cannot be read\.$/);
  await turn(page, "Words");
  await folder(page).getByLabel("Look for").fill("a cat");
  await page.locator(".note-of-photo", { hasText: /^-?\d\.\d{3}$/ }).nth(5).waitFor();
  const found = await tiles(page).locator("li").evaluateAll((all) => all.map((one) => [one.querySelector("button").ariaLabel, Number(one.querySelector(".note-of-photo").textContent)]));
  const { bytes } = await saved(page, "Save table");
  const rows = await parquetReadObjects({ file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) });
  if (!existsSync(program)) return void (process.env.REQUIRE_GPU ? assert.fail(`${program} is missing: cargo builds it`) : t.diagnostic("no command line: run cargo build first"));
  const run = (...args) => execFileSync(program, [...args, "--model", clip, "--device", "cpu"], { cwd: scratch, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  run("encode", "photos", "--out", "features.parquet");
  const written = readFileSync(join(scratch, "features.parquet"));
  const theirs = await parquetReadObjects({ file: written.buffer.slice(written.byteOffset, written.byteOffset + written.length) });
  assert.deepEqual(Object.keys(rows[0]), Object.keys(theirs[0]));
  assert.deepEqual(rows.map((row) => row.path), theirs.map((row) => row.path));
  for (const [at, row] of rows.slice(0, 6).entries()) {
    for (const name of ["width", "height", "grid_h", "grid_w"]) assert.equal(row[name], theirs[at][name], name);
    for (const name of ["cls_embedding", "pooled_embedding", "image_embeds"]) {
      const length = Math.hypot(...theirs[at][name]);
      const apart = Math.hypot(...theirs[at][name].map((value, channel) => value - row[name][channel]));
      assert.ok(apart <= 1e-5 * length, `${row.path} ${name}: ${apart / length}`);
    }
  }
  const { found: scores } = JSON.parse(run("search", "a cat", "photos", "--json", "--features", "features.parquet"));
  const expected = new Map(scores.map(({ image, score }) => [image, score]));
  for (const [name, score] of found) assert.ok(Math.abs(expected.get(name) - score) < 1e-3, `${name}: ${score} here, ${expected.get(name)} there`);
});

test("a folder that was cancelled goes on, and after the page was left nothing is read again", async (t) => {
  const page = await visit(site, t, { prepare: counting });
  await loaded(page);
  await open(page, many);
  await told(page, /^[2-6] of 10 read/);
  await folder(page).getByRole("button", { name: "Cancel" }).click();
  const go = folder(page).getByRole("button", { name: "Go on" });
  await go.waitFor();
  const before = await embedded(page);
  assert.ok(before < MANY, `${before} were read`);
  // The page is free for other work.
  await page.getByRole("button", { name: "Coffee" }).click();
  await shown(page);
  await page.getByRole("button", { name: /^Folder/ }).click();
  await go.click();
  await told(page, /^10 of 10 read\.$/);
  // What was cancelled while it ran is read once more.
  assert.ok((await embedded(page)) <= MANY + 1, `${await embedded(page)} calls`);
  await page.reload();
  await loaded(page);
  await open(page, many);
  await told(page, /^10 of 10 read\.$/);
  assert.equal(await embedded(page), 0);
  await folder(page).getByRole("button", { name: "Forget them" }).click();
  await folder(page).getByRole("button", { name: "Close" }).click();
  await open(page, many);
  await told(page, /^10 of 10 read\.$/);
  assert.equal(await embedded(page), MANY);
});

test("what was taught gives masks of all photographs of a folder, and a table of areas", async (t) => {
  const page = await visit(site, t, { query: "?size=112&resize=squash&sample=coffee#view=teach" });
  await shown(page);
  const { width, height } = await page.locator("#frame canvas").boundingBox();
  for (const [index, x, y] of [[0, 0.5, 0.5], [1, 0.05, 0.95]]) {
    await page.locator("#teach input[name=class]").nth(index).check();
    await page.locator("#frame canvas").click({ position: { x: x * width, y: y * height } });
  }
  await page.locator("#teach .fit", { hasText: "Learned from 2 patches" }).waitFor();
  await open(page, photos);
  await told(page, /^6 of 7 read, 1 cannot be read\.$/);
  const { name, bytes } = await saved(page, "Save masks");
  assert.equal(name, "photos-masks.zip");
  const files = unzipSync(bytes);
  assert.equal(Object.keys(files).filter((file) => file.startsWith("masks/")).length, 6);
  const areas = Buffer.from(files["areas.csv"]).toString().trim().split("\n");
  assert.equal(areas.length, 1 + 6 * 2);
  assert.match(areas[1], /^photos\/astronaut\.png,object,\d+,\d+\.\d{3},masks\/photos_astronaut\.png$/);
  const { images } = JSON.parse(Buffer.from(files["annotations.json"]).toString());
  assert.deepEqual(images.map((image) => image.mask_file).sort(), Object.keys(files).filter((file) => file.startsWith("masks/")).sort());
  // Photographs of one name are told apart.
  const masked = new Map(images.map((image) => [image.file_name, image.mask_file]));
  assert.notEqual(masked.get("photos/chelsea.png"), masked.get("photos/more/chelsea copy.png"));
  assert.equal(masked.size, 6);
  await folder(page).getByText("Saved photos-masks.zip ✓").waitFor();
});

test("masks that are too many for one zip go on in another", async (t) => {
  // A zip is full after each photograph.
  let changed = 0;
  const prepare = (page) => page.route(/\/js\/main\.js$/, async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replaceAll("512000001", () => (changed++, "1"));
    await route.fulfill({ response, body });
  });
  const page = await visit(site, t, { query: "?size=112&resize=squash&sample=coffee#view=teach", prepare });
  await shown(page);
  assert.ok(changed > 0);
  const { width, height } = await page.locator("#frame canvas").boundingBox();
  for (const [index, x, y] of [[0, 0.5, 0.5], [1, 0.05, 0.95]]) {
    await page.locator("#teach input[name=class]").nth(index).check();
    await page.locator("#frame canvas").click({ position: { x: x * width, y: y * height } });
  }
  await page.locator("#teach .fit", { hasText: "Learned from 2 patches" }).waitFor();
  await open(page, photos);
  await told(page, /^6 of 7 read, 1 cannot be read\.$/);
  const downloads = [];
  page.on("download", (download) => downloads.push(download));
  await page.getByRole("button", { name: "Save masks" }).click();
  await folder(page).getByText(/^Saved photos-masks-1\.zip, .*photos-masks-6\.zip ✓$/).waitFor();
  const masks = [];
  for (const download of downloads) {
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    const files = unzipSync(Buffer.concat(chunks));
    assert.ok(files["annotations.json"] && files["areas.csv"] && files["taught.safetensors"]);
    masks.push(...Object.keys(files).filter((file) => file.startsWith("masks/")));
  }
  assert.deepEqual([downloads.length, masks.length, new Set(masks).size], [6, 6, 6]);
});

test("another model of the same shape and name has features of its own", async (t) => {
  const page = await visit(site, t, { prepare: counting });
  await loaded(page);
  const other = join(scratch, "other");
  mkdirSync(other);
  const names = ["config.json", "model.safetensors"];
  for (const name of names) copyFileSync(join(clip, name), join(other, name));
  const weights = readFileSync(join(clip, "model.safetensors"));
  weights[weights.length - 2] ^= 1;
  writeFileSync(join(other, "model.safetensors"), weights);
  const take = (from) => page.locator("#model-files").setInputFiles(names.map((name) => join(from, name)));
  await take(clip);
  await page.locator("#model .name", { hasText: "model.safetensors" }).first().waitFor({ state: "attached" });
  await loaded(page);
  await open(page, photos);
  await told(page, /^6 of 7 read, 1 cannot be read\.$/);
  // The one that is no picture is tried again, too.
  const once = NAMES.length;
  assert.equal(await embedded(page), once);
  await take(other);
  await page.waitForFunction((count) => globalThis.embedded === count, 2 * once);
  await told(page, /^6 of 7 read, 1 cannot be read\.$/);
  await take(clip);
  await page.waitForFunction((count) => globalThis.embedded === count, 2 * once + 1);
  await told(page, /^6 of 7 read, 1 cannot be read\.$/);
  assert.equal(await embedded(page), 2 * once + 1);
});

/** A folder in the page's own file system, in place of one that the browser's window would give. */
const picked = (page) => page.addInitScript(() => {
  window.showDirectoryPicker = async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("holiday", { create: true });
    const put = async (folder, name) => {
      const file = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await file.write(await (await fetch("samples/chelsea.png")).blob());
      await file.close();
    };
    const inside = await root.getDirectoryHandle("sea", { create: true });
    const hidden = await root.getDirectoryHandle(".thumbs", { create: true });
    for (const [folder, name] of [[root, "cat.png"], [inside, "cat.png"], [hidden, "cat.png"], [root, "notes.txt"]]) await put(folder, name);
    return root;
  };
});

test("a folder by the browser's own window is walked by its handle", async (t) => {
  const page = await visit(site, t, { prepare: picked });
  await loaded(page);
  await page.getByRole("button", { name: /^Folder/ }).click();
  await told(page, /^2 of 2 read\.$/);
  assert.deepEqual(await titles(page), ["holiday/cat.png", "holiday/sea/cat.png"]);
});

for (const [how, prepare] of [
  ["by their handles", async () => {}],
  ["by their entries, where a browser has no handles", (page) => page.addInitScript(() => delete DataTransferItem.prototype.getAsFileSystemHandle)],
]) {
  test(`folders and a photograph that are dropped together are all read, ${how}`, async (t) => {
    const page = await visit(site, t, { prepare });
    await loaded(page);
    const more = join(scratch, "sea");
    mkdirSync(more, { recursive: true });
    copyFileSync(path("www/samples/rocket.jpg"), join(more, "rocket.jpg"));
    const files = [photos, more, join(photos, "coffee.png")];
    const client = await page.context().newCDPSession(page);
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await client.send("Input.dispatchDragEvent", { type, x: 400, y: 400, data: { items: [], files, dragOperationsMask: 1 } });
    }
    await told(page, /^8 of 9 read, 1 cannot be read\.$/);
    assert.deepEqual(await titles(page), ["coffee.png", ...NAMES.map((name) => `photos/${name}`), "sea/rocket.jpg"]);
    assert.equal((await saved(page, "Save table")).name, "photos and 1 more.parquet");
  });
}
