// What is kept from visit to visit: heads, pictures that are removed, what other tabs keep.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { drawn, hand, loaded, pick, saved, shown } from "./visitor.mjs";

const site = openSite({ fresh: true });
const SMALL = "?size=112&resize=squash";
const [cat, coffee] = ["chelsea", "coffee"].map((name) => readFileSync(path(`www/samples/${name}.png`)));

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const counts = (page) => page.locator("#teach .count").allTextContents();
const fit = (page, text) => page.locator(".fit", { hasText: text }).waitFor();
/** Waits until all that is to be kept is. */
const kept = (page, text) => page.locator("[data-kept][aria-busy=false]", { hasText: text }).waitFor();
const add = (page, ...names) => page.locator("#photo-file").setInputFiles(names.map((name) => ({ name, mimeType: "image/png", buffer: name.startsWith("cat") ? cat : coffee })));
const strip = (page) => page.locator("#shots button[title]").evaluateAll((all) => all.map(({ title }) => title));

/** The cat as a picture of the visitor's own, in Teach. */
async function open(page, name = "cat.png") {
  await add(page, name);
  await page.locator("#facts", { hasText: name }).waitFor({ state: "attached" });
  await shown(page);
  await page.getByRole("tab", { name: "Teach" }).click();
  await drawn(page);
}

async function learn(page) {
  await pick(page, [0.5, 0.5], 0);
  await pick(page, [0.95, 0.1], 1);
  await fit(page, "Learned from 2 patches");
}

/** What a lesson of the small model learned, as a file. */
async function head(t) {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  await learn(page);
  return (await saved(page, "Save what it learned")).bytes;
}

test("a head that was loaded is there after a reload, until all is forgotten", async (t) => {
  const buffer = await head(t);
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  await hand(page, "drop", "mine.safetensors", { mimeType: "", buffer });
  await fit(page, "mine.safetensors: object, background");
  await page.locator("#legend", { hasText: "object" }).waitFor();
  await kept(page, "your lesson and 1 picture");
  await page.reload();
  await page.locator("#facts", { hasText: "cat.png" }).waitFor({ state: "attached" });
  await fit(page, "mine.safetensors: object, background");
  await page.locator("#legend", { hasText: "object" }).waitFor();
  assert.ok((await saved(page, "Save what it learned")).bytes.equals(buffer));
  await press(page, "Forget all");
  await page.locator("#kept").waitFor({ state: "hidden" });
  await page.reload();
  await page.getByRole("tab", { name: "Teach" }).waitFor();
  await page.waitForTimeout(500);
  assert.ok(await page.getByRole("button", { name: "Clear all", includeHidden: true }).isDisabled());
});

for (const what of ["head", "lesson"]) {
  test(`the model stays while a ${what} of it is in use, and how to change is told`, async (t) => {
    const buffer = what === "head" ? await head(t) : null;
    let send = () => undefined;
    const arrived = new Promise((done) => (send = done));
    const page = await visit(site, t, {
      query: "?start=sample&size=112&model=&threads=2",
      prepare: (page) => page.route("**/models/dinov2-small/model.safetensors", async (route) => (await arrived, route.continue())),
    });
    await loaded(page);
    await shown(page);
    await page.getByRole("tab", { name: "Teach" }).click();
    await drawn(page);
    if (buffer) {
      await hand(page, "drop", "mine.safetensors", { mimeType: "", buffer });
      await fit(page, "mine.safetensors: object, background");
    } else await learn(page);
    send();
    const waiting = page.locator("#teach [data-waiting]");
    await waiting.waitFor();
    assert.match(await page.locator("#model-chip").textContent(), /Tiny/);
    await page.locator("#legend", { hasText: "object" }).waitFor();
    // The visitor may change it all the same.
    await waiting.getByRole("button").click();
    await page.locator("#default-model").click();
    await page.locator("#model-chip", { hasText: "DINOv2" }).waitFor();
    await waiting.waitFor({ state: "hidden" });
    await page.keyboard.press("Escape");
    if (buffer) await fit(page, /mine\.safetensors is not in use: .*384/);
    else await fit(page, "Learned from 2 patches");
  });
}

test("a lesson of the last visit goes on with the better model", async (t) => {
  const page = await visit(site, t, { query: "?start=sample&size=112&model=&threads=2" });
  await page.locator("#model-chip", { hasText: "DINOv2" }).waitFor();
  await open(page);
  await learn(page);
  await kept(page, "your lesson and 1 picture");
  await page.reload();
  await page.locator("#model-chip", { hasText: "DINOv2" }).waitFor();
  await fit(page, "Learned from 2 patches");
  assert.equal(await page.getByRole("alert").textContent(), "");
  assert.ok(await page.locator("#teach [data-waiting]").isHidden());
});

/** Presses the cross of a picture in the strip, by mouse. */
async function remove(page, name) {
  const thumb = page.locator("#shots").getByRole("button", { name, exact: true });
  await thumb.hover();
  await press(page, `Remove ${name}`);
  await thumb.waitFor({ state: "detached" });
}

test("a picture is removed with its points, and both come back", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page, "coffee.png");
  await open(page);
  await learn(page);
  await kept(page, "your lesson and 2 pictures");
  await remove(page, "cat.png");
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  assert.match(await page.locator("#removed").textContent(), /Removed cat\.png, and its 2 points\./);
  assert.deepEqual(await counts(page), ["0 points", "0 points"]);
  await kept(page, /: 1 picture /);
  await page.locator("#removed").getByRole("button", { name: "Undo" }).click();
  await page.locator("#facts", { hasText: "cat.png" }).waitFor({ state: "attached" });
  assert.deepEqual(await strip(page), ["coffee.png", "cat.png"]);
  await fit(page, "Learned from 2 patches");
  await kept(page, "your lesson and 2 pictures");
  // By keyboard, without points, from where it is not shown; then for good.
  await page.locator("#shots").getByRole("button", { name: "coffee.png", exact: true }).focus();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), "Remove coffee.png");
  await page.keyboard.press("Enter");
  assert.deepEqual(await strip(page), ["cat.png"]);
  // Undo has the focus.
  await page.keyboard.press("Enter");
  assert.deepEqual(await strip(page), ["coffee.png", "cat.png"]);
  await remove(page, "coffee.png");
  await kept(page, "your lesson and 1 picture");
  await page.reload();
  await page.locator("#facts", { hasText: "cat.png" }).waitFor({ state: "attached" });
  await fit(page, "Learned from 2 patches");
  assert.deepEqual(await strip(page), ["cat.png"]);
  // After the last one the page is as at its beginning.
  await remove(page, "cat.png");
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  assert.ok(await page.locator("#shots").isHidden());
  await page.locator("#kept").waitFor({ state: "hidden" });
});

test("two tabs keep their pictures side by side, and one leaves the other’s lesson", async (t) => {
  const one = await visit(site, t, { query: SMALL });
  const other = await one.context().newPage();
  await other.goto(one.url());
  await loaded(other);
  await open(one);
  await learn(one);
  await add(one, "coffee 1.png", "coffee 2.png");
  await kept(one, "your lesson and 3 pictures");
  await add(other, ...[1, 2, 3, 4].map((at) => `coffee cup ${at}.png`));
  await kept(other, "4 pictures");
  await other.reload();
  await kept(other, "your lesson and 7 pictures");
  assert.deepEqual((await strip(other)).sort(), ["cat.png", "coffee 1.png", "coffee 2.png", ...[1, 2, 3, 4].map((at) => `coffee cup ${at}.png`)]);
  await other.getByRole("tab", { name: "Teach" }).click();
  await fit(other, "Learned from 2 patches");
  // What one removes, the other does not keep again.
  await remove(one, "coffee 1.png");
  await kept(one, "your lesson and 2 pictures");
  await remove(other, "coffee cup 1.png");
  await kept(other, "6 pictures");
  await one.reload();
  await kept(one, "your lesson and 5 pictures");
});

test("a lesson that is begun before the last one is back is added to it", async (t) => {
  let send = () => undefined;
  const page = await visit(site, t, { query: SMALL });
  await page.getByRole("button", { name: "Cat", exact: true }).click();
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
  await page.getByRole("tab", { name: "Teach" }).click();
  await drawn(page);
  await learn(page);
  await page.locator("#teach input[type=text]").first().fill("cat");
  await page.keyboard.press("Enter");
  await kept(page, "your lesson");
  // The sample of the kept lesson is long on its way.
  const arrived = new Promise((done) => (send = done));
  await page.route("**/samples/chelsea.png", async (route) => (await arrived, route.continue()));
  await page.goto(page.url().replace(/[?&]sample=\w+/, ""));
  await page.reload();
  await open(page, "coffee.png");
  await pick(page, [0.5, 0.5], 0);
  await pick(page, [0.05, 0.05], 1);
  await fit(page, "Learned from 2 patches");
  send();
  await fit(page, "Learned from 4 patches");
  assert.deepEqual(await counts(page), ["1 point", "2 points", "1 point"]);
  assert.deepEqual(await page.locator("#teach input[type=text]").evaluateAll((all) => all.map(({ value }) => value)), ["cat", "background", "object"]);
  assert.equal(await page.locator("#facts dd").first().textContent().then((text) => text.includes("coffee.png")), true);
  await press(page, "Undo");
  assert.deepEqual(await counts(page), ["1 point", "1 point"]);
});
