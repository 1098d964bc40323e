// A lesson outlives everything: many photographs, another model, slips, heads from files.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { drawn, fact, hand, loaded, readNpy, saved, shown } from "./visitor.mjs";

const site = openSite();
const SMALL = "?size=112&resize=squash";
const cat = readFileSync(path("www/samples/chelsea.png"));
const coffee = readFileSync(path("www/samples/coffee.png"));

const counts = (page) => page.locator("#teach .count").allTextContents();
const fit = (page, text) => page.locator(".fit", { hasText: text }).waitFor();
const files = (number, bytes = coffee) => Array.from({ length: number }, (_, at) => ({ name: `${at}.png`, mimeType: "image/png", buffer: bytes }));
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

async function pick(page, [x, y]) {
  const canvas = page.locator("#frame canvas");
  await canvas.scrollIntoViewIfNeeded();
  const { width, height } = await canvas.boundingBox();
  await canvas.click({ position: { x: x * width, y: y * height } });
  await drawn(page);
}
const inHand = (page, at) => page.locator("#teach input[name=class]").nth(at).check();
const map = async (page) => [...readNpy((await saved(page, "Save view’s data (.npy)")).bytes).data];

async function teachCat(page) {
  await page.locator("#photo-file").setInputFiles({ name: "cat.png", mimeType: "image/png", buffer: cat });
  await shown(page);
  await page.getByRole("tab", { name: "Teach" }).click();
  await pick(page, [0.5, 0.5]);
  await inHand(page, 1);
  await pick(page, [0.95, 0.1]);
  await fit(page, "Learned from 2 patches");
}

// Twelve stay encoded.
test("of many photographs all stay, and so does the lesson", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await teachCat(page);
  await page.locator("#photo-file").setInputFiles(files(14));
  await page.locator("#status", { hasText: "13.png took" }).waitFor({ state: "attached" });
  await shown(page);
  assert.equal(await page.locator("#shots li").count(), 15);
  // Each has its small picture.
  await page.waitForFunction(() => [...document.querySelectorAll("#shots canvas")].every((canvas) => canvas.getContext("2d").getImageData(48, 36, 1, 1).data[3] === 255));
  await fit(page, "Learned from 2 patches");
  assert.deepEqual(await counts(page), ["1 point", "1 point"]);
  await page.locator("#legend li").first().waitFor();
  // On another layer, when the taught photograph is not encoded any more.
  await page.locator("#layer").fill("8");
  await fit(page, "on layers 6, 8");
  await page.getByRole("button", { name: "cat.png", exact: true }).click();
  await page.locator("#facts", { hasText: "cat.png" }).waitFor({ state: "attached" });
  await shown(page);
  await fit(page, "Learned from 2 patches on layers 6, 8");
  // Another model has other features: the photographs of the lesson are encoded again.
  await page.getByRole("button", { name: "3.png", exact: true }).click();
  await page.locator("#facts", { hasText: /^Photograph3\.png/ }).waitFor({ state: "attached" });
  const folder = path("www/models/internvit-tiny");
  await page.locator("#model-files").setInputFiles([`${folder}/config.json`, `${folder}/model.safetensors`]);
  await page.locator("#model .name", { hasText: "model.safetensors" }).waitFor({ state: "attached" });
  await loaded(page);
  await page.locator("#status", { hasText: "3.png took" }).waitFor({ state: "attached" });
  await fit(page, "Learned from 2 patches on layers 6, 8");
});

test("files that were not reached stay in the strip and open later", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await page.locator("#photo-file").setInputFiles(files(20)); // before the model is there
  await page.waitForFunction(() => document.querySelectorAll("#shots li").length === 20);
  await page.getByRole("button", { name: "17.png", exact: true }).click();
  await page.locator("#facts", { hasText: "17.png" }).waitFor({ state: "attached" });
  assert.equal(await page.locator("#shots li").count(), 20);
  await page.getByRole("button", { name: "9.png", exact: true }).click();
  await page.locator("#facts", { hasText: /^Photograph9\.png/ }).waitFor({ state: "attached" });
});

test("undo and redo take back every change exactly", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await teachCat(page);
  const first = await map(page);
  // A patch of the wrong class is moved, and undo moves it back.
  await pick(page, [0.5, 0.5]);
  assert.deepEqual(await counts(page), ["0 points", "2 points"]);
  await page.keyboard.press("Control+z");
  assert.deepEqual(await counts(page), ["1 point", "1 point"]);
  await fit(page, "Learned from 2 patches");
  await drawn(page);
  assert.deepEqual(await map(page), first);
  await page.keyboard.press("Control+Shift+z");
  assert.deepEqual(await counts(page), ["0 points", "2 points"]);
  await press(page, "Undo");
  // A second click takes a patch away.
  await pick(page, [0.95, 0.1]);
  assert.deepEqual(await counts(page), ["1 point", "0 points"]);
  await press(page, "Undo");
  assert.deepEqual(await counts(page), ["1 point", "1 point"]);
  // A name, a class, and all at once.
  await page.locator("#teach input[type=text]").first().fill("cat");
  await page.locator("#teach input[type=text]").first().blur();
  await press(page, "Add a class");
  await press(page, "Clear all");
  assert.deepEqual(await counts(page), ["0 points", "0 points", "0 points"]);
  await press(page, "Undo");
  assert.deepEqual(await counts(page), ["1 point", "1 point", "0 points"]);
  await press(page, "Undo");
  await press(page, "Undo");
  assert.equal(await page.locator("#teach input[type=text]").first().inputValue(), "object");
  // The history goes back to the beginning, and forth to the end.
  await press(page, "Undo");
  await press(page, "Undo");
  assert.deepEqual(await counts(page), ["0 points", "0 points"]);
  assert.ok(await page.getByRole("button", { name: "Undo" }).isDisabled());
  for (let step = 0; step < 5; step++) await press(page, "Redo");
  assert.deepEqual(await counts(page), ["0 points", "0 points", "0 points"]);
  assert.equal(await page.locator("#teach input[type=text]").first().inputValue(), "cat");
  assert.ok(await page.getByRole("button", { name: "Redo" }).isDisabled());
});

test("undo takes back a stroke, a key and a stroke over another class as one step each", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await teachCat(page);
  const box = async () => {
    await page.locator("#frame canvas").scrollIntoViewIfNeeded();
    return page.locator("#frame canvas").boundingBox();
  };
  const stroke = async (...places) => {
    const { x, y, width, height } = await box();
    const to = ([left, top]) => page.mouse.move(x + left * width, y + top * height, { steps: 6 });
    await to(places[0]);
    await page.mouse.down();
    for (const place of places.slice(1)) await to(place);
    await page.mouse.up();
    await drawn(page);
  };
  await stroke([0.06, 0.06], [0.56, 0.06]);
  assert.deepEqual(await counts(page), ["1 point", "1 point, 1 stroke"]);
  await inHand(page, 0);
  // Over half of it and on: what lies below gives way.
  await stroke([0.31, 0.06], [0.81, 0.06]);
  assert.deepEqual(await counts(page), ["1 point, 1 stroke", "1 point, 1 stroke"]);
  await page.locator("#frame canvas").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await drawn(page);
  assert.deepEqual(await counts(page), ["2 points, 1 stroke", "1 point, 1 stroke"]);
  const learned = await page.locator(".fit").textContent();
  const steps = [["1 point, 1 stroke", "1 point, 1 stroke"], ["1 point", "1 point, 1 stroke"], ["1 point", "1 point"]];
  for (const step of steps) {
    await page.keyboard.press("Control+z");
    assert.deepEqual(await counts(page), step);
  }
  await fit(page, "Learned from 2 patches");
  for (const step of [...steps.slice(0, 2).reverse(), ["2 points, 1 stroke", "1 point, 1 stroke"]]) {
    await page.keyboard.press("Control+y");
    assert.deepEqual(await counts(page), step);
  }
  await fit(page, learned.replace(/ in \d+ ms.*/, ""));
});

test("undo of a click on a photograph that is not shown goes to it", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await teachCat(page);
  await page.getByRole("button", { name: "Coffee" }).click();
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  await page.locator("#legend li").first().waitFor();
  await press(page, "Undo");
  await page.locator("#facts", { hasText: "cat.png" }).waitFor({ state: "attached" });
  assert.deepEqual(await counts(page), ["1 point", "0 points"]);
  await press(page, "Redo");
  assert.match(await fact(page, "Photograph"), /cat\.png/);
  assert.deepEqual(await counts(page), ["1 point", "1 point"]);
});

test("an imported head stays until a lesson takes its place, and undo brings it back", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await teachCat(page);
  await page.locator("#teach input[type=text]").first().fill("cat");
  await page.locator("#teach input[type=text]").first().blur();
  await page.locator("#legend", { hasText: "cat" }).waitFor();
  const { bytes } = await saved(page, "Save what it learned");
  await press(page, "Clear all");
  await page.locator("#legend").waitFor({ state: "hidden" });
  await page.getByRole("tab", { name: "Features" }).click();
  // Dropped on the page it is imported, and shown.
  await hand(page, "drop", "mine.safetensors", { mimeType: "", buffer: bytes });
  await fit(page, "mine.safetensors: cat, background, on layers 8, 12");
  await page.locator("#legend", { hasText: "cat" }).waitFor();
  await drawn(page);
  // By itself it knows nothing of the pixels that were named.
  const expected = await map(page);
  await pick(page, [0.2, 0.8]);
  await fit(page, "in use until two classes are painted");
  await page.locator("#legend", { hasText: "cat" }).waitFor();
  assert.deepEqual(await map(page), expected);
  await inHand(page, 1);
  await pick(page, [0.9, 0.9]);
  await fit(page, "Learned from 2 patches");
  assert.notDeepEqual(await map(page), expected);
  await press(page, "Undo");
  await fit(page, "mine.safetensors: cat, background");
  await drawn(page);
  assert.deepEqual(await map(page), expected);
  assert.ok((await saved(page, "Save what it learned")).bytes.equals(bytes));
  // What is no head is named, and changes nothing.
  for (const [name, buffer] of [["coffee.jpg", readFileSync(path("web/samples/coffee.jpg"))], ["empty.safetensors", Buffer.alloc(0)]]) {
    await page.locator("#teach input[type=file]").setInputFiles({ name, mimeType: "", buffer });
    await page.getByRole("alert").filter({ hasText: `${name} is not a taught head` }).waitFor();
  }
  await page.locator("#legend", { hasText: "cat" }).waitFor();
});
