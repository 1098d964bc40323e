// What is saved is what is shown, and what cannot be saved says why.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { axe, drawn, fade, loaded, readNpy, saved, shown } from "./visitor.mjs";

const site = openSite();
const buttons = ["Save picture", "Save view’s data (.npy)"];

async function expect(page, able, reason) {
  await drawn(page);
  for (const name of buttons) {
    const button = page.getByRole("button", { name, includeHidden: true });
    assert.equal(await button.isEnabled(), able, name);
  }
  assert.ok(await page.getByRole("button", { name: "Save features (.npy)", includeHidden: true }).isEnabled());
  const hint = page.locator("#save-hint");
  assert.equal(await hint.isVisible(), !able);
  if (!able) assert.match(await hint.textContent(), reason);
}

/** The views by the names of their tabs. */
const names = {
  Features: "pca", "Find alike": "similarity", Group: "clusters", Teach: "teach", Attention: "attention", Norms: "norms", Materials: "segmentation",
};

/** A tab whose view has no map, whatever was at hand before. */
async function turn(page, tab) {
  await page.getByRole("tab", { name: tab }).click();
  await page.locator(`#stage[data-drawn=${names[tab]}]`).waitFor();
}

test("where a view is not there yet, its save buttons are disabled and say why", async (t) => {
  const page = await visit(site, t, { query: "?sample=coffee" });
  await shown(page);
  await expect(page, true);
  await turn(page, "Find alike");
  if (await page.locator("#save-hint").isVisible()) {
    await expect(page, false, /Click a patch/);
    assert.deepEqual(await axe(page), []);
    await page.locator("#frame canvas").click({ position: { x: 100, y: 100 } });
    await page.locator("#save-hint").waitFor({ state: "hidden" });
  }
  await page.mouse.move(5, 5);
  await expect(page, true);
  assert.equal((await saved(page, buttons[0])).name, "coffee-similarity.png");
  await turn(page, "Teach");
  await expect(page, false, /two classes/);
  await turn(page, "Materials");
  await expect(page, true);
});

test("every view saves a picture and data of its own, under its name", async (t) => {
  const page = await visit(site, t, { query: "?sample=coffee&size=112#opacity=0" });
  await shown(page);
  const bare = (await saved(page, buttons[0])).bytes;
  const kept = new Map();
  const tabs = await page.getByRole("tab").allTextContents();
  // This model neither names pictures nor reads texts: these two views are in texts.spec.mjs. A conversation saves nothing.
  for (const tab of tabs.filter((tab) => !["Labels", "Words", "Talk"].includes(tab))) {
    await turn(page, tab);
    const canvas = page.locator("#frame canvas");
    const click = async (x, y) => {
      const { width, height } = await canvas.boundingBox();
      await canvas.click({ position: { x: x * width, y: y * height } });
      await drawn(page);
    };
    if (tab === "Find alike") await click(0.5, 0.5);
    if (tab === "Teach") {
      await click(0.5, 0.5);
      await page.locator("#teach input[name=class]").nth(1).check();
      await click(0.95, 0.05);
      await page.locator(".fit", { hasText: "Learned from 2 patches" }).waitFor();
    }
    await fade(page, "100");
    await expect(page, true);
    const [picture, data, features] = [await saved(page, buttons[0]), await saved(page, buttons[1]), await saved(page, "Save features (.npy)")];
    const view = names[tab];
    assert.deepEqual([picture.name, data.name], [`coffee-${view}.png`, `coffee-${view}.npy`]);
    assert.equal(features.name, "coffee-layer-12.npy");
    assert.ok(readNpy(data.bytes).data.every(Number.isFinite), view);
    assert.ok(!picture.bytes.equals(bare), `${view} is the bare photograph`);
    for (const [other, saved] of kept) {
      assert.ok(!saved.picture.bytes.equals(picture.bytes), `the pictures of ${view} and ${other}`);
      assert.ok(!saved.data.bytes.equals(data.bytes), `the data of ${view} and ${other}`);
    }
    kept.set(view, { picture, data });
  }
  assert.equal(kept.size, 7);
});

test("a model without a head says so where its segmentation would be saved", async (t) => {
  const page = await visit(site, t, { query: "?sample=coffee#view=segmentation" });
  await shown(page);
  const folder = path("tests/golden/encoder_rms_qknorm_f16");
  await page.locator("#model-files").setInputFiles([`${folder}/config.json`, `${folder}/model.safetensors`]);
  await loaded(page);
  await page.locator("#save-hint", { hasText: "no head that names materials" }).waitFor();
  await expect(page, false, /no head that names materials/);
});

test("a view that is still being drawn is waited for, and is what is saved", async (t) => {
  const page = await visit(site, t, { query: "?sample=coffee" });
  await shown(page);
  const before = await saved(page, buttons[1]);
  assert.equal(before.name, "coffee-pca.npy");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.evaluate(() => {
      document.querySelector("#tab-norms").click();
      document.querySelector("#save-data").click();
    }),
  ]);
  assert.equal(download.suggestedFilename(), "coffee-norms.npy");
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).equals((await saved(page, buttons[1])).bytes), true);
  assert.notEqual(Buffer.concat(chunks).length, before.bytes.length);
});
