// Back and Forward: through views, pins and pictures, by what is on the stage and not by the address alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { drawn, hand, readNpy, saved, shown } from "./visitor.mjs";

const site = openSite();
const SMALL = "?size=112&resize=squash";

/** A click on the picture; in parts of its width and height. */
async function click(page, x, y) {
  const { width, height } = await page.locator("#frame canvas").boundingBox();
  await page.locator("#frame canvas").click({ position: { x: x * width, y: y * height } });
  await page.mouse.move(2, 2);
  await drawn(page);
}

async function data(page) {
  await drawn(page);
  return [...readNpy((await saved(page, "Save view’s data (.npy)")).bytes).data];
}

async function onStage(page, name) {
  await page.locator("#facts", { hasText: name }).waitFor({ state: "attached" });
  await shown(page);
}

/** A picture of the visitor's own, which a sample stands in for. */
const drop = async (page, name, sample) => {
  await hand(page, "drop", name, { mimeType: "image/png", buffer: readFileSync(path(`www/samples/${sample}.png`)) });
  await onStage(page, name);
};

/** Pins a patch, one more that is alike and one that is not, and gives what is drawn. */
async function pins(page) {
  await click(page, 0.5, 0.5);
  await page.getByText("+ alike").click();
  await click(page, 0.3, 0.3);
  await page.getByText("− unlike").click();
  await click(page, 0.9, 0.1);
  return data(page);
}

test("pins for and against are drawn again after Back, and from a link that is pasted into the open page", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}&sample=chelsea#view=similarity` });
  await shown(page);
  const pinned = await pins(page);
  const link = await page.evaluate(() => location.hash);
  await page.getByRole("tab", { name: "Features" }).click();
  await drawn(page);
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("#tab-similarity").ariaSelected === "true");
  assert.deepEqual(await data(page), pinned);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !location.hash.includes("at="));
  await page.evaluate((link) => (location.hash = link), link);
  await page.waitForFunction(() => location.hash.includes("not="));
  assert.deepEqual(await data(page), pinned);
});

test("Back leads from one’s own pictures to the one before, with its view, and Forward again", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}&sample=chelsea#view=similarity` });
  await onStage(page, "chelsea.png");
  const pinned = await pins(page);
  const length = await page.evaluate(() => history.length);
  await drop(page, "first.png", "coffee");
  await page.keyboard.press("Escape");
  await page.getByRole("tab", { name: "Norms" }).click();
  await drop(page, "second.png", "astronaut");
  assert.equal(await page.evaluate(() => history.length), length + 3);
  await page.goBack();
  await onStage(page, "first.png");
  await page.waitForFunction(() => document.querySelector("#stage").dataset.drawn === "norms");
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("#stage").dataset.drawn === "similarity");
  await page.goBack();
  await onStage(page, "chelsea.png");
  assert.equal(new URL(page.url()).searchParams.get("sample"), "chelsea");
  assert.deepEqual(await data(page), pinned);
  for (const name of ["first.png", "first.png", "second.png"]) {
    await page.goForward();
    await onStage(page, name);
  }
  assert.equal(new URL(page.url()).searchParams.get("sample"), null);
  // After a reload the visit knows no picture of the earlier entries: samples are opened by their names.
  await page.reload();
  await page.locator("#model .summary", { hasText: "parameters" }).waitFor({ state: "attached" });
  for (let times = 0; times < 3; times++) await page.goBack();
  await onStage(page, "chelsea.png");
});

test("pictures that are opened together are one entry, and what the page brings back by itself is none", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}&start=sample` });
  await onStage(page, "coffee.png");
  const length = await page.evaluate(() => history.length);
  await page.locator("#photo-file").setInputFiles(["chelsea", "astronaut"].map((name) => ({
    name: `own-${name}.png`, mimeType: "image/png", buffer: readFileSync(path(`www/samples/${name}.png`)),
  })));
  await onStage(page, "own-astronaut.png");
  assert.equal(await page.evaluate(() => history.length), length + 1);
  await page.locator('#kept [data-kept][aria-busy="false"]', { hasText: "2 pictures" }).waitFor({ state: "attached" });
  await page.reload();
  await onStage(page, "own-astronaut.png");
  assert.equal(await page.evaluate(() => history.length), length + 1);
  await page.goBack();
  await page.waitForFunction(() => !location.search.includes("sample="));
  await drawn(page);
  assert.match(await page.locator("#facts").textContent(), /own-astronaut/);
});

test("edges stand in the address where the visitor chose them, and a link and Back bring them back", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}&sample=chelsea` });
  await shown(page);
  const edges = () => page.locator("#edges input:checked").inputValue();
  const own = await page.evaluate(hash);
  await page.getByLabel("patches", { exact: true }).check();
  await page.waitForFunction(() => location.hash === "#edges=patches");
  await drawn(page);
  const squares = await page.evaluate(hash);
  assert.notEqual(squares, own);
  await page.getByRole("tab", { name: "Group" }).click();
  await page.waitForFunction(() => location.hash === "#view=clusters&edges=patches");
  await page.getByLabel("photograph", { exact: true }).check();
  await page.waitForFunction(() => location.hash === "#view=clusters");
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("#stage").dataset.drawn === "pca");
  assert.equal(await edges(), "patches");
  assert.equal(await page.evaluate(hash), squares);
  await page.reload();
  await shown(page);
  assert.equal(await edges(), "patches");
  await drawn(page);
  assert.equal(await page.evaluate(hash), squares);
});

test("a link of a picture has no pins of another", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}&sample=chelsea#view=similarity` });
  await shown(page);
  await pins(page);
  await page.getByRole("button", { name: "Coffee" }).click();
  await onStage(page, "coffee.png");
  await page.waitForFunction(() => location.hash === "#view=similarity");
  // They still light the picture up.
  await page.locator("#readout", { hasText: /cosine/ }).waitFor();
  await page.getByText("+ alike").click();
  await click(page, 0.5, 0.5);
  await page.waitForFunction(() => /^#view=similarity&more=[^&]*$/.test(location.hash));
});

/** What is drawn, as one text. */
async function hash() {
  const canvas = document.querySelector("#frame canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))].join(" ");
}
