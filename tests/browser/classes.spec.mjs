// The classes of a lesson by keyboard: names that differ, keys that choose, undo wherever the focus is.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { drawn, shown } from "./visitor.mjs";

const site = openSite();
const SMALL = "?size=112&resize=squash";
const cat = readFileSync(path("www/samples/chelsea.png"));

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const field = (page, at) => page.locator("#teach input[type=text]").nth(at);
const names = (page) => page.locator("#teach input[type=text]").evaluateAll((all) => all.map(({ value }) => value));
const counts = (page) => page.locator("#teach .count").allTextContents();
const fit = (page, text) => page.locator(".fit", { hasText: text }).waitFor();

/** The cat in Teach. */
async function open(page) {
  await page.locator("#photo-file").setInputFiles({ name: "cat.png", mimeType: "image/png", buffer: cat });
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

test("no two classes have one name", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  await press(page, "Add a class");
  await press(page, "Add a class");
  await press(page, "Delete class class 3");
  await press(page, "Add a class");
  assert.deepEqual(await names(page), ["object", "background", "class 4", "class 5"]);
  // A name that another has is refused, and why is told.
  await field(page, 2).fill("background");
  await field(page, 2).press("Enter");
  await fit(page, "There is a class background already, so this one stays class 4.");
  assert.deepEqual(await names(page), ["object", "background", "class 4", "class 5"]);
  // Without a name it keeps the one that it had.
  await field(page, 2).fill(" ");
  await field(page, 2).press("Enter");
  assert.deepEqual(await names(page), ["object", "background", "class 4", "class 5"]);
  await field(page, 2).fill("tail");
  await field(page, 2).press("Enter");
  assert.deepEqual(await names(page), ["object", "background", "tail", "class 5"]);
});
