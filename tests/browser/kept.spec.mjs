// What is kept from visit to visit: heads, pictures that are removed, what other tabs keep.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { drawn, hand, loaded, saved, shown } from "./visitor.mjs";

const site = openSite();
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

async function pick(page, [x, y], index) {
  await page.locator("#teach input[name=class]").nth(index).check();
  const { width, height } = await page.locator("#frame canvas").boundingBox();
  await page.locator("#frame canvas").click({ position: { x: x * width, y: y * height } });
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
