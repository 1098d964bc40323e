// Teaching as a tool: brush and eraser, lists, methods, what is shown, what is saved, what is kept.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { unzipSync } from "fflate";
import { openSite, path, visit } from "./site.mjs";
import { indices } from "./png.mjs";
import { axe, copied, drawn, fits, hand, inside, ownClipboard, phone, readNpy, saved, shown } from "./visitor.mjs";

const site = openSite();
const SMALL = "?size=112&resize=squash";
const cat = readFileSync(path("www/samples/chelsea.png"));

const counts = (page) => page.locator("#teach .count").allTextContents();
const fit = (page, text) => page.locator(".fit", { hasText: text }).waitFor();
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const undoAll = async (page) => {
  while (await page.getByRole("button", { name: "Undo" }).isEnabled()) await press(page, "Undo");
};

/** The cat as a picture of the visitor's own, in Teach. */
async function open(page, name = "cat.png") {
  await page.locator("#photo-file").setInputFiles({ name, mimeType: "image/png", buffer: cat });
  await shown(page);
  await page.getByRole("tab", { name: "Teach" }).click();
  await drawn(page);
}

async function box(page) {
  await page.locator("#frame canvas").scrollIntoViewIfNeeded();
  return page.locator("#frame canvas").boundingBox();
}

async function pick(page, [x, y], index = null) {
  if (index !== null) await page.locator("#teach input[name=class]").nth(index).check();
  const { width, height } = await box(page);
  await page.locator("#frame canvas").click({ position: { x: x * width, y: y * height } });
  await drawn(page);
}

async function stroke(page, ...places) {
  const { x, y, width, height } = await box(page);
  const to = ([left, top]) => page.mouse.move(x + left * width, y + top * height, { steps: 8 });
  await to(places[0]);
  await page.mouse.down();
  for (const place of places.slice(1)) await to(place);
  await page.mouse.up();
  await drawn(page);
}

async function learn(page) {
  await pick(page, [0.5, 0.5], 0);
  await pick(page, [0.95, 0.1], 1);
  await fit(page, "Learned from 2 patches");
}

/** The pixels of the stage. */
const picture = (page) => page.evaluate(() => document.querySelector("#frame canvas").toDataURL());
const map = async (page) => [...readNpy((await saved(page, "Save view’s data (.npy)")).bytes).data];

/** The pixels of COCO's run lengths, by rows. */
function runs({ size: [height, width], counts: text }) {
  const lengths = [];
  for (let at = 0; at < text.length;) {
    let [value, shift, more, code] = [0, 0, true, 0];
    while (more) {
      code = text.charCodeAt(at++) - 48;
      value |= (code & 31) << shift;
      shift += 5;
      more = Boolean(code & 32);
    }
    if (code & 16) value |= -1 << shift;
    lengths.push(lengths.length > 2 ? value + lengths[lengths.length - 2] : value);
  }
  const columns = lengths.flatMap((length, at) => new Array(length).fill(at % 2));
  return Array.from({ length: width * height }, (_, i) => columns[(i % width) * height + Math.floor(i / width)]);
}

test("brush and eraser by mouse and keys, with a ring as large as they are", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  const ring = page.locator(".ring");
  const { x, y, width, height } = await box(page);
  await page.mouse.move(x + 0.5 * width, y + 0.5 * height);
  const small = await ring.boundingBox();
  assert.ok(Math.abs(small.x + small.width / 2 - (x + 0.5 * width)) < 2 && Math.abs(small.y + small.height / 2 - (y + 0.5 * height)) < 2);
  for (let step = 0; step < 4; step++) await page.keyboard.press("]");
  assert.equal(await page.locator("#brush-name").textContent(), "very wide");
  const large = await ring.boundingBox();
  // Its radius is 0.064 of the longer side.
  assert.ok(Math.abs(large.width - 2 * 0.064 * Math.max(width, height)) < 2, `${large.width} of ${width}`);
  await stroke(page, [0.3, 0.5], [0.6, 0.5]);
  await page.keyboard.press("2");
  assert.ok(await page.locator("#teach input[name=class]").nth(1).isChecked());
  await stroke(page, [0.95, 0.1], [0.95, 0.4]);
  assert.deepEqual(await counts(page), ["1 stroke", "1 stroke"]);
  await fit(page, "Learned from");
  const patches = Number(/from (\d+) patches/.exec(await page.locator(".fit").textContent())[1]);
  assert.ok(patches > 6, `a wide stroke covers ${patches} patches`);
  // The eraser cuts a stroke in two.
  await page.keyboard.press("e");
  for (let step = 0; step < 4; step++) await page.keyboard.press("[");
  assert.ok(await page.getByLabel("Eraser").isChecked());
  await stroke(page, [0.45, 0.3], [0.45, 0.7]);
  assert.deepEqual(await counts(page), ["2 strokes", "1 stroke"]);
  await page.keyboard.press("Control+z");
  assert.deepEqual(await counts(page), ["1 stroke", "1 stroke"]);
  await page.keyboard.press("b");
  assert.ok(await page.getByLabel("Brush").isChecked());
  // In a name these keys are letters.
  await page.locator("#teach input[type=text]").first().fill("");
  await page.locator("#teach input[type=text]").first().pressSequentially("be 2");
  assert.ok(await page.getByLabel("Brush").isChecked());
  await page.mouse.move(5, 5);
  assert.ok(await ring.isHidden());
});

test("on a phone a finger paints and taps", async (t) => {
  const page = await visit(site, t, { query: SMALL, ...phone });
  await open(page);
  const { x, y, width, height } = await box(page);
  const touch = await page.context().newCDPSession(page);
  const at = (left, top) => [{ x: x + left * width, y: y + top * height }];
  await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: at(0.3, 0.5) });
  for (const left of [0.36, 0.42, 0.48]) await touch.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: at(left, 0.5) });
  await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await drawn(page);
  assert.deepEqual(await counts(page), ["1 stroke", "0 points"]);
  await page.locator("#teach input[name=class]").nth(1).check();
  await page.touchscreen.tap(...Object.values(at(0.95, 0.1)[0]));
  await fit(page, "Learned from");
  assert.deepEqual(await counts(page), ["1 stroke", "1 point"]);
  await fits(page);
  for (const summary of await page.locator("#teach summary").all()) await summary.click();
  await page.locator("#teach .count").first().click();
  assert.deepEqual(await axe(page), []);
  await fits(page);
});

test("on a phone what was saved is told where its button is", async (t) => {
  const page = await visit(site, t, { query: SMALL, ...phone });
  await open(page);
  await pick(page, [0.5, 0.5], 0);
  await pick(page, [0.95, 0.1], 1);
  await fit(page, "Learned from 2 patches");
  await page.locator("#teach summary", { hasText: "Use it again" }).click();
  for (const [button, name] of [["Save what it learned", "taught.safetensors"], ["Save all masks", "masks.zip"]]) {
    await saved(page, button);
    const said = page.locator(".said", { hasText: `Saved ${name} ✓` });
    await said.waitFor();
    const { y, height } = await said.boundingBox();
    assert.ok(y >= 0 && y + height <= 844, `${name} is told ${y} px below the window’s upper edge`);
  }
});

test("points are taken back one by one, and shown where they are", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  await learn(page);
  await pick(page, [0.3, 0.3], 0);
  await page.getByRole("button", { name: "2 points" }).click();
  const items = page.locator("#marks-0 li");
  assert.equal(await items.count(), 2);
  const before = await picture(page);
  await items.first().hover();
  await page.waitForFunction((known) => document.querySelector("#frame canvas").toDataURL() !== known, before);
  await page.mouse.move(5, 5);
  await page.waitForFunction((known) => document.querySelector("#frame canvas").toDataURL() === known, before);
  await page.getByRole("button", { name: "Take away Point 1 on cat.png" }).first().click();
  assert.deepEqual(await counts(page), ["1 point", "1 point"]);
  assert.equal(await items.count(), 1);
  await press(page, "Undo");
  assert.equal(await items.count(), 2);
});

test("undo takes back classes, names, colours and methods too", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  await learn(page);
  const first = await map(page);
  const colours = () => page.locator("#teach input[type=color]").evaluateAll((all) => all.map(({ value }) => value));
  const names = () => page.locator("#teach input[type=text]").evaluateAll((all) => all.map(({ value }) => value));
  assert.deepEqual(await colours(), ["#e69f00", "#0072b2"]);
  await page.locator("#teach input[type=color]").first().fill("#ff0000");
  await page.locator("#legend .swatch").first().waitFor();
  await drawn(page);
  assert.deepEqual(await page.locator("#legend .swatch").evaluateAll((all) => all.map(({ style }) => style.background).sort()), ["rgb(0, 114, 178)", "rgb(255, 0, 0)"]);
  await press(page, "Add a class");
  await pick(page, [0.1, 0.9], 2);
  await fit(page, "Learned from 3 patches");
  await page.getByRole("button", { name: "Delete class background" }).click();
  assert.deepEqual(await names(), ["object", "class 3"]);
  assert.deepEqual(await counts(page), ["1 point", "1 point"]);
  await press(page, "Undo");
  assert.deepEqual(await names(), ["object", "background", "class 3"]);
  assert.deepEqual(await counts(page), ["1 point", "1 point", "1 point"]);
  for (let step = 0; step < 3; step++) await press(page, "Undo");
  assert.deepEqual(await colours(), ["#e69f00", "#0072b2"]);
  await fit(page, "Learned from 2 patches");
  await drawn(page);
  assert.deepEqual(await map(page), first);
  // Methods.
  await page.locator("#teach summary", { hasText: "Method" }).click();
  await page.locator("#method").selectOption("linear");
  await drawn(page);
  assert.notDeepEqual(await map(page), first);
  const linear = await map(page);
  await page.locator("#method").selectOption("mlp");
  await drawn(page);
  assert.notDeepEqual(await map(page), linear);
  await page.locator("#depth").selectOption("three");
  await fit(page, "on layers 4, 8, 12");
  await page.locator("#depth").selectOption("last");
  await fit(page, "on layer 12");
  await page.locator("#least").fill("4000");
  await page.locator("#least").blur();
  await drawn(page);
  for (let step = 0; step < 5; step++) await press(page, "Undo");
  assert.equal(await page.locator("#method").inputValue(), "walk");
  assert.equal(await page.locator("#least").inputValue(), "0");
  await fit(page, "on layers 8, 12");
  await drawn(page);
  assert.deepEqual(await map(page), first);
  await undoAll(page);
  assert.deepEqual(await counts(page), ["0 points", "0 points"]);
});

test("probabilities and where it is unsure are shown, and a class is cut out", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  await learn(page);
  const options = await page.locator("#teach-show option").allTextContents();
  assert.deepEqual(options, ["classes", "probability of object", "probability of background", "where it is unsure"]);
  const seen = new Set([await picture(page)]);
  for (const label of options.slice(1)) {
    await page.locator("#teach-show").selectOption({ label });
    await drawn(page);
    await page.waitForTimeout(100);
    assert.match(await page.locator("#legend").textContent(), /0 %.*100 %/);
    const { x, y, width, height } = await box(page);
    await page.mouse.move(x + 0.5 * width, y + 0.5 * height);
    await page.locator("#readout", { hasText: label === "where it is unsure" ? "unsure" : `% ${label.split(" ").at(-1)}` }).waitFor();
    seen.add(await picture(page));
  }
  assert.equal(seen.size, 4);
  await page.locator("#teach-show").selectOption("classes");
  await drawn(page);
  await page.locator("#teach input[name=class]").first().check();
  const { name, bytes } = await saved(page, "Save cut-out");
  assert.equal(name, "cat-object.png");
  await page.locator(".said", { hasText: "Saved cat-object.png" }).waitFor();
  const alpha = await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const at = (x, y) => context.getImageData(Math.floor(x * bitmap.width), Math.floor(y * bitmap.height), 1, 1).data[3];
    return { size: [bitmap.width, bitmap.height], inside: at(0.5, 0.5), outside: at(0.95, 0.1) };
  }, bytes.toString("base64"));
  assert.deepEqual(alpha, { size: [451, 300], inside: 255, outside: 0 });
});

test("masks of all pictures are one zip that COCO’s tools read", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await page.getByRole("button", { name: "Coffee" }).click();
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  await open(page);
  await learn(page);
  await page.locator("#teach input[type=text]").first().fill("a cat");
  await page.locator("#teach input[type=text]").first().blur();
  await drawn(page);
  await page.locator("#teach summary", { hasText: "Use it again" }).click();
  await page.locator("[data-soft]").check();
  const { name, bytes } = await saved(page, "Save all masks");
  assert.equal(name, "masks.zip");
  await page.locator(".said", { hasText: "Saved masks.zip" }).waitFor();
  const files = unzipSync(bytes);
  assert.deepEqual(Object.keys(files).sort(), ["annotations.json", "areas.csv", "masks/cat.png", "masks/coffee.png", "probabilities/cat.npy", "probabilities/coffee.npy", "taught.safetensors"]);
  const coco = JSON.parse(Buffer.from(files["annotations.json"]).toString());
  assert.deepEqual(coco.categories.map(({ name: of }) => of), ["a cat", "background"]);
  assert.deepEqual(coco.images.map(({ id, file_name, width, height }) => [id, file_name, width, height]), [[1, "coffee.png", 600, 400], [2, "cat.png", 451, 300]]);
  for (const { id, file_name } of coco.images) {
    const mask = indices(files[`masks/${file_name}`]);
    assert.deepEqual(mask.palette, [230, 159, 0, 0, 114, 178]);
    const { shape, data } = readNpy(Buffer.from(files[`probabilities/${file_name.replace("png", "npy")}`]));
    assert.deepEqual(shape, [2, mask.height, mask.width]);
    const area = mask.width * mask.height;
    assert.ok(mask.pixels.every((label, i) => data[label * area + i] >= data[(1 - label) * area + i]));
    for (const one of coco.annotations.filter(({ image_id }) => image_id === id)) {
      assert.deepEqual(runs(one.segmentation).map(Boolean), mask.pixels.map((label) => label === one.category_id - 1));
    }
  }
  assert.deepEqual(coco.annotations.map(({ id }) => id), coco.annotations.map((_, at) => at + 1));
  const [head, ...areas] = Buffer.from(files["areas.csv"]).toString().trim().split("\n").map((line) => line.split(","));
  assert.deepEqual(head, ["file", "class", "pixels", "percent", "mask"]);
  assert.deepEqual(areas.map(([, , , , mask]) => mask), ["masks/coffee.png", "masks/coffee.png", "masks/cat.png", "masks/cat.png"]);
  assert.deepEqual(areas.map(([file, of]) => `${file} ${of}`), ["coffee.png a cat", "coffee.png background", "cat.png a cat", "cat.png background"]);
  const counted = indices(files["masks/cat.png"]).pixels.filter((label) => label === 0).length;
  assert.deepEqual([Number(areas[2][2]), areas[2][3]], [counted, ((100 * counted) / (451 * 300)).toFixed(3)]);
  // What was learned loads again, dropped on the page.
  await press(page, "Clear all");
  await hand(page, "drop", "again.safetensors", { mimeType: "", buffer: Buffer.from(files["taught.safetensors"]) });
  await fit(page, "again.safetensors: a cat, background, on layers 8, 12");
});

test("the zip of masks has no sample that nobody chose, unless something is painted on it", async (t) => {
  const page = await visit(site, t, { query: "?start=sample&size=112" });
  await shown(page);
  await open(page);
  await learn(page);
  const masks = async () => Object.keys(unzipSync((await saved(page, "Save all masks")).bytes)).filter((name) => name.startsWith("masks/"));
  assert.deepEqual(await masks(), ["masks/cat.png"]);
  // The page began with the coffee; now it is chosen.
  await page.getByRole("button", { name: "Coffee" }).click();
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  assert.deepEqual(await masks(), ["masks/coffee.png", "masks/cat.png"]);
});

test("the zip of masks has a painted sample that the page began with", async (t) => {
  const page = await visit(site, t, { query: "?start=sample&size=112" });
  await shown(page);
  await page.getByRole("tab", { name: "Teach" }).click();
  await drawn(page);
  await learn(page);
  await open(page);
  assert.deepEqual(Object.keys(unzipSync((await saved(page, "Save all masks")).bytes)).filter((name) => name.startsWith("masks/")), ["masks/coffee.png", "masks/cat.png"]);
});

test("the command that does the same is shown and copied", async (t) => {
  const page = await visit(site, t, { query: SMALL, prepare: ownClipboard });
  await open(page, "my cat's.png");
  await learn(page);
  await page.getByRole("button", { name: "Code", exact: true }).click();
  await page.locator("#code-sheet textarea").waitFor();
  await page.locator("#code-sheet").getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied ✓" }).waitFor();
  const [teach, segment] = (await copied(page)).split("\n");
  assert.match(teach, /^internvit teach 'my cat'\\''s\.png' --point object:22[56],1[45]\d --point background:42\d,\d+ --model internvit-tiny --method walk --layer 8,12 --image-size 112 --edges photograph --out taught\.safetensors/);
  assert.match(segment, /^internvit segment PICTURES --model internvit-tiny --head taught\.safetensors --window 112 --edges photograph --masks-zip masks\.zip$/);

  // What is painted on a second picture names it.
  await page.keyboard.press("Escape");
  await open(page, "other.png");
  await pick(page, [0.5, 0.6], 0);
  await fit(page, "Learned from 3 patches");
  await page.getByRole("button", { name: "Code", exact: true }).click();
  const both = page.locator("#code-sheet textarea");
  await page.waitForFunction(() => document.querySelector("#code-sheet textarea").value.includes("other.png"));
  assert.match(await both.inputValue(), /^internvit teach 'my cat'\\''s\.png' other\.png --point object:\d+,\d+ --point object:\d+,\d+@2 --point background:\d+,\d+ --model /);
});

test("pictures are kept without a lesson too, and what was forgotten is not kept again", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page, "one.png");
  const kept = (text) => page.locator("[data-kept]", { hasText: text }).waitFor();
  await kept(/^Kept in this browser alone: 1 picture \(\d+ kB\)\.$/);
  await open(page, "two.png");
  await kept("2 pictures");
  await page.reload();
  await page.locator("#facts", { hasText: "two.png" }).waitFor({ state: "attached" });
  await shown(page);
  assert.deepEqual(await page.locator("#shots button[title]").evaluateAll((all) => all.map(({ title }) => title)), ["one.png", "two.png"]);
  // A picture that was not opened in this visit stays too.
  await kept("2 pictures");
  await page.getByRole("button", { name: "Forget all" }).click();
  await page.locator("#kept").waitFor({ state: "hidden" });
  await open(page, "three.png");
  await kept("1 picture");
  await page.reload();
  await page.locator("#facts", { hasText: "three.png" }).waitFor({ state: "attached" });
  assert.equal(await page.locator("#shots li").count(), 1);
});

test("the panel is legible to all, light and dark", async (t) => {
  for (const colorScheme of ["light", "dark"]) {
    const page = await visit(site, t, { query: SMALL, colorScheme });
    await open(page);
    await learn(page);
    for (const summary of await page.locator("#teach summary").all()) await summary.click();
    await page.locator("#teach .count").first().click();
    assert.deepEqual(await axe(page), []);
  }
});

test("on the GPU it learns the same", async (t) => {
  const maps = [];
  for (const device of ["cpu", "gpu"]) {
    const page = await visit(site, t, { query: `${SMALL}&device=${device}` });
    await open(page);
    await learn(page);
    maps.push(await map(page));
  }
  assert.equal(maps[0].length, maps[1].length);
  assert.ok(maps[0].every((p, at) => Math.abs(p - maps[1][at]) < 0.02));
});

/** Ten clicks of a simulated user, in the photograph's pixels. */
const CLICKS = [
  [0, 281, 214], [0, 430, 118], [0, 476, 214], [0, 223, 378], [0, 423, 111], [0, 154, 263],
  [1, 515, 84], [1, 174, 381], [1, 421, 102], [1, 140, 90],
];

test("ten clicks with the usual model give the object, to its edge", async (t) => {
  const page = await visit(site, t, { query: "?start=sample&model=&sample=coffee#view=teach" });
  await page.locator("#model-chip", { hasText: "DINOv2" }).waitFor();
  await page.locator("#detail .value", { hasText: /48 × 32|39 × 26/ }).waitFor({ state: "attached" });
  await shown(page);
  await drawn(page);
  const { size: [width, height], outline: [outline] } = JSON.parse(readFileSync(path("training/quality/masks.json"), "utf8"))["coffee.png"];
  for (const [index, x, y] of CLICKS) await pick(page, [(x + 0.5) / width, (y + 0.5) / height], index);
  // On a coarser grid two of them may fall on one patch.
  await fit(page, /Learned from (9|10) patches on layers 8, 12/);
  const files = unzipSync((await saved(page, "Save all masks")).bytes);
  const mask = indices(files["masks/coffee.png"]);
  assert.deepEqual([mask.width, mask.height], [width, height]);
  const truth = mask.pixels.map((_, i) => inside(outline, (i % width) + 0.5, Math.floor(i / width) + 0.5));
  const both = truth.filter((is, i) => is && mask.pixels[i] === 0).length;
  const either = truth.filter((is, i) => is || mask.pixels[i] === 0).length;
  t.diagnostic(`IoU ${(both / either).toFixed(3)}`);
  assert.ok(both / either >= 0.95, `IoU ${both / either}`);
});

test("masks of more pictures than stay encoded, and Cancel in the middle of them", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  await learn(page);
  const files = Array.from({ length: 13 }, (_, at) => ({ name: `${at}.png`, mimeType: "image/png", buffer: cat }));
  await page.locator("#photo-file").setInputFiles(files);
  await page.locator("#status", { hasText: "12.png took" }).waitFor({ state: "attached" });
  await shown(page);
  await fit(page, "Learned from 2 patches");
  await page.evaluate(() => {
    // At the third picture.
    new MutationObserver((_, observer) => {
      if (!document.querySelector("#progress label").textContent.includes("picture 3 of 14")) return;
      observer.disconnect();
      document.querySelector("#progress button").click();
    }).observe(document.querySelector("#progress"), { subtree: true, childList: true, characterData: true });
  });
  await page.locator(".menu > summary").click();
  await press(page, "Save all masks");
  await page.locator("#status", { hasText: "Cancelled. Nothing was saved." }).waitFor({ state: "attached" });
  const { bytes } = await saved(page, "Save all masks");
  const names = Object.keys(unzipSync(bytes)).filter((name) => name.startsWith("masks/"));
  assert.equal(names.length, 14);
  assert.equal(JSON.parse(Buffer.from(unzipSync(bytes)["annotations.json"]).toString()).images.length, 14);
});

test("files of one name keep their masks apart", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page, "one.png");
  await learn(page);
  await page.locator("#photo-file").setInputFiles({ name: "one.png", mimeType: "image/png", buffer: readFileSync(path("www/samples/coffee.png")) });
  await page.locator("#facts", { hasText: "600 × 400" }).waitFor({ state: "attached" });
  await drawn(page);
  const files = unzipSync((await saved(page, "Save all masks")).bytes);
  assert.deepEqual(Object.keys(files).filter((name) => name.startsWith("masks/")).sort(), ["masks/one.png (2).png", "masks/one.png.png"]);
  assert.equal(indices(files["masks/one.png.png"]).width, 451);
  assert.equal(indices(files["masks/one.png (2).png"]).width, 600);
});

test("after a reload the page begins with the lesson’s picture, in place of its own", async (t) => {
  const page = await visit(site, t, { query: "?start=sample&size=112" });
  await shown(page);
  await open(page);
  await learn(page);
  // All of it, and not only the first point.
  await page.locator("[data-kept][aria-busy=false]", { hasText: "and 1 picture" }).waitFor();
  await page.reload();
  await page.locator("#facts", { hasText: "cat.png" }).waitFor({ state: "attached" });
  await fit(page, "Learned from 2 patches");
  await shown(page);
  assert.equal(await page.locator("#wipe").getAttribute("aria-valuenow"), "0");
  assert.equal(await page.getByRole("alert").textContent(), "");
  assert.equal(await page.locator("#shots li").count(), 1);
});
