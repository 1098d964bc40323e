// Photographs in tiles as one grid, and weights in fewer bits, against what they stand for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite, visit } from "./site.mjs";
import { advanced, drawn, fact, fits, phone, readNpy, saved, sheet, shown, spread } from "./visitor.mjs";

const site = openSite();
const SIDE = 16; // patches of a tile
const SHARED = 4; // of which a neighbour has as many too
const [ROWS, COLS] = [2, 3].map((tiles) => tiles * SIDE - (tiles - 1) * SHARED);

const features = async (page) => readNpy((await saved(page, "Save features (.npy)")).bytes);
const viewData = async (page) => readNpy((await saved(page, "Save view’s data (.npy)")).bytes);

for (const [device, options] of [["desktop", {}], ["phone", phone]]) {
  test(`tiles are one grid, on the ${device}`, async (t) => {
    const page = await visit(site, t, { ...options, query: "?device=cpu#view=norms" });
    await page.getByRole("button", { name: "Cat" }).click();
    await shown(page);
    await advanced(page);
    await page.getByLabel("Max. tiles").fill("6");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.locator("#facts", { hasText: `${COLS} × ${ROWS}` }).waitFor({ state: "attached" });
    await shown(page);
    assert.equal(await fact(page, "Pictures encoded"), "6");
    assert.equal(await fact(page, "Tokens"), "6 × 257 × 192");
    const { shape, data } = await features(page);
    assert.deepEqual(shape, [6, 1 + SIDE * SIDE, 192]);
    const norms = await viewData(page);
    assert.deepEqual(norms.shape, [ROWS, COLS]);
    norms.data.forEach((norm, at) => {
      const own = Math.hypot(...blended(data, Math.floor(at / COLS), at % COLS));
      assert.ok(Math.abs(norm - own) <= 1e-4 * own, `row ${Math.floor(at / COLS)}, column ${at % COLS}: ${norm}, of its tiles ${own}`);
    });
    for (const [view, shape] of [["Features", [ROWS, COLS, 3]], ["Group", [ROWS, COLS]], ["Attention", [4, ROWS, COLS]], ["Find alike", [ROWS, COLS]]]) {
      await page.getByRole("tab", { name: view }).click();
      await drawn(page);
      if (view === "Find alike") {
        const canvas = page.locator("#frame canvas");
        await canvas.scrollIntoViewIfNeeded();
        const { width, height } = await canvas.boundingBox();
        // A patch of the last tile, compared with those of all.
        await canvas.click({ position: { x: 0.7 * width, y: 0.6 * height } });
        await page.locator("#readout", { hasText: "Row 17, column 29: cosine 1.000" }).waitFor();
        await drawn(page);
      }
      assert.deepEqual((await viewData(page)).shape, shape, view);
      assert.ok((await spread(page)) > 10, `${view} is nearly uniform`);
      assert.equal((await page.getByRole("alert").first().textContent()).trim(), "");
      await page.evaluate(() => scrollTo(0, 0));
      if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/tiles-${device}-${view}.png` });
    }
    await fits(page);
  });
}

/** The mean of a patch's tokens in all tiles that show it: the nearer its middle, the more a tile counts. */
function blended(data, row, col) {
  const inside = (at) => Array.from({ length: 3 }, (_, tile) => ({ tile, own: at - tile * (SIDE - SHARED) })).filter(({ own }) => own >= 0 && own < SIDE);
  const weight = ({ own }) => Math.min(own + 1, SIDE - own, SHARED + 1);
  const sum = new Float64Array(192);
  let all = 0;
  for (const down of inside(row).filter(({ tile }) => tile < 2)) for (const across of inside(col)) {
    const from = ((down.tile * 3 + across.tile) * (1 + SIDE * SIDE) + 1 + down.own * SIDE + across.own) * 192;
    const part = weight(down) * weight(across);
    all += part;
    sum.forEach((_, at) => (sum[at] += part * data[from + at]));
  }
  return sum.map((value) => value / all);
}

test("a denser grid has the patches of shifted pictures", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu&model=internvit-tiny&detail=quick#view=pca" });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  const [cols, rows] = (await fact(page, "Patches")).split(" × ").map(Number);
  await advanced(page);
  await page.getByLabel("Denser grid").selectOption("2");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.locator("#facts", { hasText: `${2 * cols} × ${2 * rows}` }).waitFor({ state: "attached" });
  await shown(page);
  assert.equal(await fact(page, "Pictures encoded"), "4");
  assert.deepEqual((await viewData(page)).shape, [2 * rows, 2 * cols, 3]);
  assert.ok((await spread(page)) > 10);
});

test("weights in 8 and 4 bits give features near those of all bits", async (t) => {
  const page = await visit(site, t, { query: "?device=gpu" });
  await page.getByRole("button", { name: "Coffee" }).click();
  await shown(page);
  const { shape: [, tokens, c], data: exact } = await features(page);
  for (const [dtype, most] of [["int8", 0.999], ["w8a8", 0.999], ["int4", 0.99]]) {
    await sheet(page, "model");
    await page.getByLabel("Precision").selectOption(dtype);
    await page.getByText(/^Encoding coffee\.png/).first().waitFor();
    await page.locator("#progress").waitFor({ state: "hidden" });
    await shown(page);
    // The sheet lies over what saves.
    await page.keyboard.press("Escape");
    const { data } = await features(page);
    const cosines = Array.from({ length: tokens - 1 }, (_, at) => {
      const [a, b] = [exact, data].map((all) => all.slice((at + 1) * c, (at + 2) * c));
      return a.reduce((sum, v, i) => sum + v * b[i], 0) / (Math.hypot(...a) * Math.hypot(...b));
    });
    const least = Math.min(...cosines);
    const mean = cosines.reduce((sum, v) => sum + v, 0) / cosines.length;
    t.diagnostic(`${dtype}: cosine of patches at least ${least.toFixed(5)}, ${mean.toFixed(5)} in the mean`);
    assert.ok(least < 1 - 1e-7, `${dtype} is the same as all bits`);
    assert.ok(least >= most, `${dtype}: ${least}`);
    assert.equal(new URL(page.url()).searchParams.get("dtype"), dtype);
  }
});
