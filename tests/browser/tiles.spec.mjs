// Photographs in tiles as one grid, and weights in fewer bits, against what they stand for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite, visit } from "./site.mjs";
import { advanced, drawn, fact, fits, phone, readNpy, saved, shown, spread } from "./visitor.mjs";

const site = openSite();
const SIDE = 16; // patches of a tile

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
    await page.locator("#facts", { hasText: "48 × 32" }).waitFor({ state: "attached" });
    await shown(page);
    assert.equal(await fact(page, "Tiles"), "6, and the whole photograph small");
    assert.equal(await fact(page, "Tokens"), "7 × 257 × 192");
    const { shape, data } = await features(page);
    assert.deepEqual(shape, [7, 1 + SIDE * SIDE, 192]);
    const norms = await viewData(page);
    assert.deepEqual(norms.shape, [2 * SIDE, 3 * SIDE]);
    norms.data.forEach((norm, at) => {
      const [row, col] = [Math.floor(at / (3 * SIDE)), at % (3 * SIDE)];
      const tile = Math.floor(row / SIDE) * 3 + Math.floor(col / SIDE);
      const token = 1 + (row % SIDE) * SIDE + (col % SIDE);
      const from = (tile * (1 + SIDE * SIDE) + token) * 192;
      const own = Math.hypot(...data.slice(from, from + 192));
      assert.ok(Math.abs(norm - own) <= 1e-4 * own, `row ${row}, column ${col}: ${norm}, of its tile ${own}`);
    });
    for (const [view, shape] of [["Features", [32, 48, 3]], ["Group", [32, 48]], ["Attention", [4, 32, 48]], ["Find alike", [32, 48]]]) {
      await page.getByRole("tab", { name: view }).click();
      await drawn(page);
      if (view === "Find alike") {
        const canvas = page.locator("#frame canvas");
        await canvas.scrollIntoViewIfNeeded();
        const { width, height } = await canvas.boundingBox();
        // A patch of the last tile, compared with those of all.
        await canvas.click({ position: { x: 0.7 * width, y: 0.6 * height } });
        await page.locator("#readout", { hasText: "Row 20, column 34: cosine 1.000" }).waitFor();
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

test("weights in 8 and 4 bits give features near those of all bits", async (t) => {
  const page = await visit(site, t, { query: "?device=gpu" });
  await page.getByRole("button", { name: "Coffee" }).click();
  await shown(page);
  const { shape: [, tokens, c], data: exact } = await features(page);
  for (const [dtype, most] of [["int8", 0.999], ["w8a8", 0.999], ["int4", 0.99]]) {
    await page.getByLabel("Precision").selectOption(dtype);
    await page.getByText(/^Encoding coffee\.png/).first().waitFor();
    await page.locator("#progress").waitFor({ state: "hidden" });
    await shown(page);
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
