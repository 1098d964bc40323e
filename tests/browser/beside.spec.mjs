// Two views of one picture side by side: each by its own layer, the pointer in both, in links, on a phone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite, visit } from "./site.mjs";
import { axe, drawn, fits, frame, phone, shown } from "./visitor.mjs";

const site = openSite();
const SMALL = "?sample=coffee&size=112&resize=native";
const tags = (page) => page.locator(".tag[data-title]").allTextContents();
/** The pixels of a picture, as text. */
const pixels = (page, which) => page.evaluate((which) => document.querySelector(`${which} canvas`).toDataURL(), which);

async function beside(page) {
  await page.getByLabel("A second view beside").check();
  await page.locator("#other-frame").waitFor();
  await drawn(page);
}

test("two layers stand side by side, each named; both follow the pointer", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  page.setDefaultTimeout(15000);
  await shown(page);
  await beside(page);
  assert.deepEqual(await tags(page), ["Features, layer 12 of 12", "Features, layer 4 of 12"]);
  await page.locator("#beside-layer").fill("0");
  await page.locator(".tag", { hasText: "Features, embedding" }).waitFor();
  await drawn(page);
  const before = await Promise.all(["#frame", "#other-frame"].map((which) => pixels(page, which)));
  assert.notEqual(before[0], before[1]);
  // The same layer twice is the same picture.
  await page.locator("#layer").fill("0");
  await page.locator(".tag", { hasText: "Features, embedding" }).nth(1).waitFor();
  await drawn(page);
  assert.equal(await pixels(page, "#frame"), await pixels(page, "#other-frame"));
  await page.locator("#layer").fill("12");
  await drawn(page);
  for (const which of ["#frame", "#other-frame"]) {
    const dark = await Promise.all(["#frame", "#other-frame"].map((one) => pixels(page, one)));
    const { width, height } = await page.locator(`${which} canvas`).boundingBox();
    await page.locator(`${which} canvas`).hover({ position: { x: 0.55 * width, y: 0.55 * height } });
    for (const [at, one] of ["#frame", "#other-frame"].entries()) {
      await page.waitForFunction(([one, dark]) => document.querySelector(`${one} canvas`).toDataURL() !== dark, [one, dark[at]]);
    }
    await page.locator("#readout", { hasText: /^Row 5, column 7: / }).waitFor();
    await page.locator("#caption").hover();
    await frame(page);
  }
});

test("a link opens both; Find alike stands beside itself, and a click beside pins", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=similarity&beside=similarity,3` });
  await shown(page);
  await page.locator("#other-frame").waitFor();
  const { width, height } = await page.locator("#other-frame canvas").boundingBox();
  await page.locator("#other-frame canvas").click({ position: { x: 0.55 * width, y: 0.55 * height } });
  await page.waitForFunction(() => location.hash.includes("at=0.542,0.563") && location.hash.includes("beside=similarity,3"));
  await drawn(page);
  assert.deepEqual(await tags(page), ["Find alike, layer 12 of 12", "Find alike, layer 3 of 12"]);
  await page.getByRole("tab", { name: "Group" }).click();
  await drawn(page);
  assert.equal((await tags(page))[1], "Features, layer 3 of 12");
  await page.locator("#beside-view").selectOption("attention");
  await page.waitForFunction(() => location.hash.includes("beside=attention,3"));
  await drawn(page);
  assert.deepEqual(await axe(page), []);
  // Nothing stands beside a lesson.
  await page.getByRole("tab", { name: "Teach" }).click();
  await drawn(page);
  assert.ok(await page.locator("#other-frame").isHidden());
  await page.goBack();
  await page.locator("#other-frame").waitFor();
  await page.getByLabel("A second view beside").uncheck();
  await page.locator("#other-frame").waitFor({ state: "hidden" });
  await page.waitForFunction(() => !location.hash.includes("beside"));
});

test("on a phone one stands below the other", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#beside=pca,3`, ...phone });
  await shown(page);
  await page.locator("#other-frame").waitFor();
  const [one, other] = await Promise.all(["#frame", "#other-frame"].map((which) => page.locator(which).boundingBox()));
  assert.ok(other.y >= one.y + one.height && Math.abs(other.x - one.x) < 1);
  assert.ok(one.width > 330);
  await fits(page);
});
