// Where the edges of a map come from, and what is said of its light.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite, visit } from "./site.mjs";
import { drawn, fits, phone, readNpy, saved, shown } from "./visitor.mjs";

const site = openSite();
const SMALL = "?size=112&resize=native&sample=chelsea";

/** What is drawn: the brightness of some pixels of the picture. */
const light = (page) => page.evaluate(() => {
  const canvas = document.querySelector("#frame canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: Math.floor(data.length / 28) }, (_, at) => data[28 * at] + data[28 * at + 1] + data[28 * at + 2]);
});

/** Opens the menu of what can be saved; whether all of each choice is in sight. */
const menuInSight = async (page) => {
  await page.locator(".menu summary").click();
  const whole = await page.evaluate(() => [...document.querySelectorAll(".menu-list button")].filter((button) => button.offsetParent).every((button) => {
    const { left, right, top, bottom } = button.getBoundingClientRect();
    return [left + 2, right - 2].every((x) => button.contains(document.elementFromPoint(x, (top + bottom) / 2)));
  }));
  await page.keyboard.press("Escape");
  return whole;
};

for (const [view, own, share] of [["attention", "smooth", 0.5], ["norms", "patches", 0.3]]) {
  test(`${view} can follow the photograph’s edges, which are said to be a guess, and its legend tells the light`, async (t) => {
    const page = await visit(site, t, { query: `${SMALL}#view=${view}`, ...phone });
    await shown(page);
    await drawn(page);
    assert.ok(await menuInSight(page));
    const guess = page.getByText("Edges are a guess, from the photograph.");
    assert.equal(await page.locator("#edges input:checked").inputValue(), own);
    assert.ok(await guess.isHidden());
    const seen = {};
    for (const edges of ["photograph", "smooth", "patches"]) {
      await page.getByLabel(edges, { exact: true }).check();
      await drawn(page);
      seen[edges] = await light(page);
      assert.equal(await guess.isVisible(), edges === "photograph");
    }
    const apart = (one, other) => one.reduce((sum, value, at) => sum + Math.abs(value - other[at]), 0) / one.length;
    for (const [one, other] of [["photograph", "smooth"], ["smooth", "patches"], ["photograph", "patches"]]) {
      assert.ok(apart(seen[one], seen[other]) > 2, `${one} and ${other} are ${apart(seen[one], seen[other])} apart`);
    }
    const { data, shape } = readNpy((await saved(page, "Save view’s data (.npy)")).bytes);
    const area = shape.at(-1) * shape.at(-2);
    const sorted = data.slice(-area).sort();
    const low = sorted[Math.round(share * (area - 1))];
    const said = view === "attention" ? `≤ ${(100 * low).toPrecision(2)} %` : `≤ ${low.toPrecision(3)}`;
    assert.equal(await page.locator("#legend .scale-line span").first().textContent(), said);
    await fits(page);
  });
}

test("numbers are the patches’ unless those at the pixels are asked for, with the edges that are drawn", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=norms` });
  await shown(page);
  assert.ok(await menuInSight(page));
  const raw = readNpy((await saved(page, "Save view’s data (.npy)")).bytes);
  assert.equal(raw.shape.length, 2);
  const seen = {};
  for (const edges of ["patches", "smooth", "photograph"]) {
    await page.getByLabel(edges, { exact: true }).check();
    await drawn(page);
    const { name, bytes } = await saved(page, "Save data at pixels (.npy)");
    assert.equal(name, "chelsea-norms-pixels.npy");
    const fine = (seen[edges] = readNpy(bytes));
    assert.deepEqual(fine.shape, [300, 451]);
    const [mean, own] = [fine, raw].map(({ data }) => data.reduce((sum, value) => sum + value, 0) / data.length);
    assert.ok(Math.abs(mean - own) < 0.05 * own, `${edges}: ${mean}, the patches’ ${own}`);
  }
  assert.deepEqual([...new Set(seen.patches.data)].sort(), [...new Set(raw.data)].sort());
  for (const edges of ["smooth", "photograph"]) assert.ok(new Set(seen[edges].data).size > 10 * raw.data.length, edges);
  assert.notDeepEqual(seen.smooth.data, seen.photograph.data);
});

test("numbers at the pixels of a comparison are the other picture’s, those of groups whole and those of attention all heads’", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=similarity` });
  await shown(page);
  await page.getByRole("button", { name: "Coffee" }).click();
  await shown(page);
  const pixels = async () => readNpy((await saved(page, "Save data at pixels (.npy)")).bytes);
  const view = async (name) => {
    await page.getByRole("tab", { name }).click();
    await drawn(page);
  };
  await page.locator("#frame canvas").click({ position: { x: 200, y: 150 } });
  await drawn(page);
  assert.deepEqual((await pixels()).shape, [400, 600]);
  await page.locator("#other").selectOption({ label: "chelsea.png" });
  await drawn(page);
  assert.deepEqual((await pixels()).shape, [300, 451]);
  await view("Group");
  const groups = await pixels();
  assert.deepEqual(groups.shape, [400, 600]);
  assert.deepEqual([...new Set(groups.data)].sort(), [0, 1, 2, 3, 4, 5]);
  await view("Attention");
  assert.deepEqual((await pixels()).shape, [4, 400, 600]);
});
