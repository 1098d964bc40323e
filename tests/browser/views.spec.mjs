// Every view, as a visitor uses it: desktop and phone, on the bundled model.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { axe, drawn, fits, inside, phone, readNpy, saved, sheet, shown, spread } from "./visitor.mjs";

const site = openSite();
const [ROWS, COLS, C] = [16, 16, 192];

for (const [device, options] of [["desktop", { query: "?device=gpu" }], ["phone", phone]]) {
  test(`the views on the ${device}`, async (t) => {
    const page = await visit(site, t, options);
    await page.getByRole("button", { name: "Cat" }).click();
    await shown(page);
    const features = patches(readNpy((await saved(page, "Save features (.npy)")).bytes));

    await t.test("PCA, its foreground, and colours kept from layer to layer", async () => {
      await turn(page, "Features");
      const { shape, data } = await viewData(page);
      assert.deepEqual(shape, [ROWS, COLS, 3]);
      // The scores are centred, and the first direction has the largest variance.
      const variance = [0, 1, 2].map((k) => moments(data.filter((_, i) => i % 3 === k)));
      for (const { mean, square } of variance) assert.ok(Math.abs(mean) < 1e-3 * Math.sqrt(square));
      assert.ok(variance[0].square >= variance[1].square && variance[1].square >= variance[2].square);
      assert.ok((await spread(page)) > 10, "the picture is nearly uniform");
      const all = await pixels(page);
      await page.getByLabel("Foreground only").check();
      await changed(page, all);
      await page.getByLabel("Foreground only").uncheck();
      await same(page, all);
      await page.getByLabel("Same colours").check();
      await layer(page, 6);
      const kept = await viewData(page);
      await page.getByLabel("Same colours").uncheck();
      await drawn(page);
      const own = await viewData(page);
      assert.notDeepEqual(kept.data, own.data, "layer 6 in its own colours and in those of layer 12");
      await layer(page, 12);
    });

    await t.test("similarity is the cosine of the features less their mean", async () => {
      await turn(page, "Find alike");
      await pick(page, [0.53, 0.53]);
      await readout(page, /Row 9, column 9: cosine 1\.000/);
      const { shape, data } = await viewData(page);
      assert.deepEqual(shape, [ROWS, COLS]);
      const token = 8 * COLS + 8;
      const mean = features[0].map((_, k) => features.reduce((sum, one) => sum + one[k], 0) / features.length);
      const centred = features.map((one) => one.map((v, k) => v - mean[k]));
      centred.forEach((other, i) => assert.ok(Math.abs(data[i] - cosine(centred[token], other)) < 1e-4));
      assert.match(await page.locator("#legend").textContent(), /1\.00/);
    });

    await t.test("attention: heads, their mean, a patch, rollout", async () => {
      await turn(page, "Attention");
      await page.getByRole("button", { name: "Back to the whole picture" }).click();
      const { shape, data } = await viewData(page);
      assert.deepEqual(shape, [4, ROWS, COLS]);
      const area = ROWS * COLS;
      for (let i = 0; i < area; i++) {
        const mean = (data[i] + data[area + i] + data[2 * area + i]) / 3;
        assert.ok(Math.abs(mean - data[3 * area + i]) < 1e-6);
      }
      for (let head = 0; head < 4; head++) {
        const sum = data.slice(head * area, (head + 1) * area).reduce((a, b) => a + b, 0);
        assert.ok(sum > 0 && sum < 1, `${sum} of the attention is on patches`);
      }
      const picture = await pixels(page);
      await page.locator("#head").selectOption("2");
      await changed(page, picture);
      await pick(page, [0.2, 0.8]);
      await readout(page, /of the attention/);
      const patch = await viewData(page);
      assert.notDeepEqual(patch.data, data);
      await page.getByLabel(/Rollout/).check();
      await page.waitForFunction(() => document.querySelector("#head").disabled);
      await drawn(page);
      assert.deepEqual((await viewData(page)).shape, [ROWS, COLS]);
      await page.getByLabel(/Rollout/).uncheck();
    });

    await t.test("clusters", async () => {
      await turn(page, "Group");
      await page.locator("#clusters").fill("4");
      await page.locator("#legend li", { hasText: "Group 4" }).waitFor();
      await page.locator("#legend li").nth(3).waitFor();
      await drawn(page);
      const { shape, data } = await viewData(page);
      assert.deepEqual(shape, [ROWS, COLS]);
      assert.deepEqual([...new Set(data)].sort(), [0, 1, 2, 3]);
      const shares = await legendShares(page);
      assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 100) < 0.3);
      const counts = [0, 1, 2, 3].map((label) => (100 * data.filter((v) => v === label).length) / data.length);
      counts.forEach((count, i) => assert.ok(Math.abs(count - shares[i]) < 0.06, "the largest first"));
    });

    await t.test("norms are the lengths of the features", async () => {
      await turn(page, "Norms");
      const { shape, data } = await viewData(page);
      assert.deepEqual(shape, [ROWS, COLS]);
      features.forEach((token, i) => assert.ok(Math.abs(data[i] / Math.hypot(...token) - 1) < 1e-4));
    });

    await t.test("segmentation by the model's own head", async () => {
      await turn(page, "Materials");
      await page.locator("#legend li").first().waitFor();
      // Words are asked, not claimed, each with how sure the head is; none is surer than that.
      const words = await page.locator("#legend li").allTextContents();
      assert.ok(words.length > 0 && words.every((word) => /^[a-z ]+\?\d{1,2} % sure$/.test(word)), words.join());
      await hover(page, [0.53, 0.53]);
      // A guess, and how sure it is.
      await readout(page, /Row 9, column 9: perhaps [a-z]+, \d+ % sure$/);
      assert.match(await page.locator("#legend .hint").textContent(), /^A guess, \d+ % sure on average:$/);
    });

    await t.test("teaching, undo, export and import", async () => {
      await turn(page, "Teach");
      await pick(page, [0.4, 0.6]);
      await pick(page, [0.3, 0.3]);
      await page.getByLabel("Paint background").check();
      await pick(page, [0.95, 0.1]);
      await page.locator(".fit", { hasText: /Learned from 3 patches/ }).waitFor();
      const milliseconds = Number(/in (\d+) ms/.exec(await page.locator(".fit").textContent())[1]);
      assert.ok(milliseconds < 200, `the fit took ${milliseconds} ms`);
      const before = await pixels(page);
      await pick(page, [0.02, 0.1]);
      await page.locator(".fit", { hasText: /Learned from 4 patches/ }).waitFor();
      await changed(page, before);
      await page.getByRole("button", { name: "Undo" }).click();
      await page.locator(".fit", { hasText: /Learned from 3 patches/ }).waitFor();
      await page.locator("#teach input[type=text]").first().fill("cat");
      await page.locator("#teach input[type=text]").first().blur();
      await page.locator("#legend", { hasText: "cat" }).waitFor();
      const head = await saved(page, "Save what it learned");
      assert.equal(head.name, "taught.safetensors");
      await page.getByRole("button", { name: "Clear all" }).click();
      await page.waitForFunction(() => document.querySelector("#legend").hidden);
      await page.locator("#teach input[type=file]").setInputFiles({ name: "mine.safetensors", mimeType: "", buffer: head.bytes });
      await page.locator(".fit", { hasText: "mine.safetensors: cat, background, on layers 8, 12" }).waitFor();
      await page.locator("#legend", { hasText: "cat" }).waitFor();
      assert.deepEqual(await axe(page), []);
      await fits(page);
    });

    await t.test("a second photograph: the same classes, and correspondence", async () => {
      await page.getByRole("button", { name: "Coffee" }).click();
      await page.getByRole("status").filter({ hasText: /coffee\.png took/ }).waitFor();
      await page.locator("#legend", { hasText: "cat" }).waitFor();
      await turn(page, "Find alike");
      await page.getByLabel("Compare with").selectOption({ label: "chelsea.png" });
      await page.locator("#other-frame").waitFor(); // the picture becomes smaller
      await pick(page, [0.53, 0.53]);
      await readout(page, /cosine/);
      assert.deepEqual((await viewData(page)).shape, [ROWS, COLS]);
      await page.getByRole("button", { name: "Cat", exact: true }).click();
      await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
    });

    await t.test("how it works, with the live data", async () => {
      await sheet(page, "about", "how");
      await page.waitForFunction(() => {
        const canvas = document.querySelector('[data-figure="features"] canvas');
        return canvas.width === 240 && canvas.getContext("2d").getImageData(120, 90, 1, 1).data[3] === 255;
      });
      await fits(page);
      assert.deepEqual(await axe(page), []);
    });
  });
}

test("a link leads to the view, and holds no photograph", async (t) => {
  const page = await visit(site, t, { query: "#view=clusters&layer=3&clusters=9" });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  await page.locator("#legend li").nth(8).waitFor();
  assert.equal(await page.getByRole("tab", { selected: true }).textContent(), "Group");
  assert.equal(await page.locator("#layer-name").textContent(), "3 of 12");
  await turn(page, "Norms");
  await page.waitForFunction(() => location.hash === "#view=norms&layer=3");
  await page.evaluate(() => (location.hash = "#view=pca"));
  await page.waitForFunction(() => document.querySelector("#tab-pca").ariaSelected === "true");
});

test("the views with a keyboard alone", async (t) => {
  const page = await visit(site, t, { query: "#view=similarity" });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  await page.locator("#frame canvas").focus();
  await page.keyboard.press("ArrowRight");
  await readout(page, /Row 9, column 10: cosine 1\.000/);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash.includes("at="));
  await page.locator("#tab-similarity").focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.getByRole("tab", { selected: true }).textContent(), "Group");
});

test("ten clicks separate the cat; the command line applies the head to another photograph", async (t) => {
  const page = await visit(site, t, { query: "#view=teach" });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  const clicks = {
    cat: [[0.5, 0.5], [0.3, 0.12], [0.15, 0.75], [0.62, 0.9], [0.7, 0.08]],
    background: [[0.93, 0.3], [0.02, 0.2], [0.95, 0.75], [0.88, 0.05], [0.85, 0.93]],
  };
  for (const [index, [name, places]] of Object.entries(clicks).entries()) {
    const text = page.locator("#teach input[type=text]").nth(index);
    await text.fill(name);
    await text.blur();
    await page.locator("#teach input[name=class]").nth(index).check();
    for (const at of places) await pick(page, at);
  }
  await page.locator(".fit", { hasText: "Learned from 10 patches" }).waitFor();
  const { data, shape: [, , rows, cols] } = await viewData(page);
  // Cells are half a patch wide.
  assert.deepEqual([rows, cols], [2 * ROWS, 2 * COLS]);
  const area = rows * cols;
  const found = Array.from({ length: area }, (_, i) => data[i] > data[area + i]);
  const { size, outline } = JSON.parse(readFileSync(path("training/quality/masks.json"), "utf8"))["chelsea.png"];
  const cat = found.map((_, i) => inside(outline[0], ((i % cols) + 0.5) / cols * size[0], (Math.floor(i / cols) + 0.5) / rows * size[1]));
  const both = cat.filter((is, i) => is && found[i]).length;
  const either = cat.filter((is, i) => is || found[i]).length;
  t.diagnostic(`IoU of the cat ${(both / either).toFixed(3)}`);
  assert.ok(both / either >= 0.75, `IoU ${both / either}`);

  const folder = mkdtempSync(join(tmpdir(), "taught-"));
  const [head, labels] = [join(folder, "taught.safetensors"), join(folder, "labels.png")];
  writeFileSync(head, (await saved(page, "Save what it learned")).bytes);
  const program = join(process.env.CARGO_TARGET_DIR ?? path("target"), "debug/internvit");
  if (!existsSync(program)) {
    assert.ok(!process.env.REQUIRE_GPU, `${program} is missing: cargo test builds it`);
    return t.diagnostic("no command line to apply it with: run cargo build first");
  }
  const said = execFileSync(program, ["segment", path("www/samples/astronaut.png"), "--model", "internvit-tiny", "--head", head, "--labels", labels, "--json"], { encoding: "utf8" });
  const { classes } = JSON.parse(said).images[0];
  assert.deepEqual(classes.map(({ name }) => name).sort(), ["background", "cat"]);
  assert.ok(Math.abs(classes.reduce((sum, { percent }) => sum + percent, 0) - 100) < 1e-6);
  assert.equal(readFileSync(labels).toString("latin1", 1, 4), "PNG");
  rmSync(folder, { recursive: true });
});

async function turn(page, name) {
  await page.getByRole("tab", { name }).click();
  await drawn(page);
}

async function layer(page, number) {
  await page.locator("#layer").fill(String(number));
  await drawn(page);
}

async function place(page, [x, y]) {
  const canvas = page.locator("#frame canvas");
  await canvas.scrollIntoViewIfNeeded();
  const { width, height } = await canvas.boundingBox();
  return { position: { x: x * width, y: y * height } };
}

async function pick(page, at) {
  await page.locator("#frame canvas").click(await place(page, at));
  await drawn(page);
}

async function hover(page, at) {
  await page.locator("#frame canvas").hover(await place(page, at));
}

const readout = (page, text) => page.locator("#readout").filter({ hasText: text }).waitFor();

async function viewData(page) {
  return readNpy((await saved(page, "Save view’s data (.npy)")).bytes);
}

async function legendShares(page) {
  const texts = await page.locator("#legend .count").allTextContents();
  return texts.map((text) => Number(/[\d.]+/.exec(text)[0]));
}

function pixels(page) {
  return page.evaluate(() => document.querySelector("canvas").toDataURL());
}

const changed = (page, before) =>
  page.waitForFunction((before) => document.querySelector("canvas").toDataURL() !== before, before);
const same = (page, before) =>
  page.waitForFunction((before) => document.querySelector("canvas").toDataURL() === before, before);

/** Patch tokens of [1, 1 + patches, C], as arrays. */
function patches({ shape, data }) {
  assert.deepEqual(shape, [1, 1 + ROWS * COLS, C]);
  return Array.from({ length: ROWS * COLS }, (_, i) => data.slice((i + 1) * C, (i + 2) * C));
}

function cosine(a, b) {
  const dot = a.reduce((sum, v, i) => sum + v * b[i], 0);
  return dot / (Math.hypot(...a) * Math.hypot(...b));
}

function moments(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, square: values.reduce((a, b) => a + b * b, 0) / values.length - mean * mean };
}
