// Links that open what they show, and pages that cannot start or cannot copy.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { serve } from "../../web/tools/serve.mjs";
import { openSite, path, visit } from "./site.mjs";
import { advanced, copied, drawn, fact, fade, hand, loaded, otherModels, ownClipboard, pick, saved, shown } from "./visitor.mjs";
import { readFileSync } from "node:fs";

const site = openSite();
const copy = (page) => page.getByRole("button", { name: /^(Link|Copied)/ });

/** A visitor whose browser lets the page copy. */
async function visitCopying(t, query) {
  const page = await visit(site, t, { query, prepare: ownClipboard });
  await loaded(page);
  return page;
}

test("opened from disk, the page says that it needs a server", async (t) => {
  const context = await site.browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(pathToFileURL(path("www/index.html")).href);
  await page.getByText("npm start").waitFor({ state: "visible" });
  assert.ok(!(await page.getByText("Loading …").isVisible()), "a promise that is not kept");
});

test("from a server, that sentence is gone", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  assert.equal(await page.locator("#unstarted").count(), 0);
  assert.ok(await page.locator("main").isVisible());
});

test("a link to a sample opens it in its view, layer and size, and says that it was copied", async (t) => {
  const page = await visitCopying(t, "#view=clusters&layer=9&clusters=4");
  await advanced(page);
  await page.locator("#image-size").fill("112");
  await page.locator("#resize").selectOption("crop");
  await page.getByRole("button", { name: "Coffee" }).click();
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  await shown(page);
  await copy(page).click();
  await page.getByText("Copied ✓").waitFor({ state: "visible" });
  assert.match(await page.locator("#status").textContent(), /opens this view of the sample/);
  const url = await copied(page);

  await page.goto("about:blank");
  await page.goto(url);
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  await shown(page);
  assert.equal(await fact(page, "Patches"), "8 × 8");
  assert.equal(await page.locator("#resize").inputValue(), "crop");
  assert.equal(await page.locator("#layer").inputValue(), "9");
  assert.equal(await page.locator("#clusters").inputValue(), "4");
  assert.equal(await page.getByRole("tab", { selected: true }).textContent(), "Group");

  // Another photograph is not that sample.
  await hand(page, "drop", "mine.png", { mimeType: "image/png", buffer: readFileSync(path("www/samples/chelsea.png")) });
  await page.locator("#facts", { hasText: "mine.png" }).waitFor({ state: "attached" });
  assert.equal(new URL(page.url()).searchParams.get("sample"), null);
  await copy(page).click();
  await page.locator("#status", { hasText: "not the photograph" }).waitFor({ state: "attached" });
  assert.equal(new URL(await copied(page)).searchParams.get("sample"), null);
});

test("a link leaves out what suits this device alone, and says what of the picture it does not hold", async (t) => {
  const page = await visitCopying(t, "?device=cpu&threads=1&size=112&resize=squash&sample=chelsea&shifts=4");
  await shown(page);
  assert.equal(await page.locator("#shifts").inputValue(), "1", "not one of those that can be chosen");
  const said = async (text) => {
    await copy(page).click();
    await page.locator("#status", { hasText: text }).waitFor({ state: "attached" });
    return new URL(await copied(page)).searchParams;
  };
  const asked = await said(/opens this view of the sample\.$/);
  assert.deepEqual(["device", "threads", "probe", "dtype"].filter((name) => asked.has(name)), []);
  assert.deepEqual([asked.get("size"), asked.get("resize"), asked.get("sample")], ["112", "squash", "chelsea"]);

  await page.getByLabel("Same colours for all").check();
  await drawn(page);
  await said("opens this view of the sample, without the colours of other pictures.");
  await page.getByRole("tab", { name: "Teach" }).click();
  await pick(page, [0.5, 0.5], 0);
  await pick(page, [0.05, 0.05], 1);
  await page.locator("#teach-show:enabled").waitFor();
  await said("opens this view of the sample, without what was taught.");
  await page.getByRole("button", { name: "Coffee", exact: true }).click();
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  await page.getByRole("tab", { name: "Find alike" }).click();
  await click(page, 0.5, 0.5);
  await page.locator("#other").selectOption({ label: "chelsea.png" });
  await drawn(page);
  await said("opens this view of the sample, without the other picture.");
  // As a published folder is, with the same weights in PyTorch's form.
  const named = (name) => ({ name, mimeType: "", buffer: readFileSync(path(`tests/golden/encoder_ln_bias_bf16/${name}`)) });
  await page.locator("#model-files").setInputFiles([{ ...named("config.json"), name: "pytorch_model.bin" }, named("config.json"), named("model.safetensors")]);
  await page.locator("#model .summary", { hasText: "parameters" }).waitFor({ state: "attached" });
  await said("opens this view of the sample, without your model’s files.");
  await page.locator("#model-files").setInputFiles([{ ...named("model.safetensors"), name: "pytorch_model.bin" }, named("config.json")]);
  await page.locator("#alert", { hasText: "pytorch_model.bin is a file of PyTorch's" }).waitFor();
});

/** What is drawn, as one number. */
const picture = (page) => page.evaluate(async () => {
  const canvas = document.querySelector("#frame canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))].join(" ");
});

for (const [sample, view, settings] of [
  ["Cat", "Features", async (page) => page.getByLabel("Foreground only").check()],
  ["Astronaut", "Find alike", async (page) => click(page, 0.3, 0.6)],
  ["Coffee", "Attention", async (page) => {
    await click(page, 0.4, 0.5);
    await page.locator("#head").selectOption("1");
  }],
  ["Rocket", "Group", async (page) => page.locator("#clusters").fill("3")],
  ["Photographer", "Norms", async (page) => page.locator("#layer").fill("7")],
  ["Cat", "Materials", async (page) => fade(page, "40")],
]) {
  test(`a link to ${sample} in ${view} opens the same picture`, async (t) => {
    const page = await visitCopying(t, "?size=112");
    await page.getByRole("button", { name: sample, exact: true }).click();
    await shown(page);
    await page.getByRole("tab", { name: view }).click();
    await drawn(page);
    await settings(page);
    await page.mouse.move(2, 2);
    await drawn(page);
    const expected = await picture(page);
    await copy(page).click();
    await page.getByText("Copied ✓").waitFor({ state: "visible" });
    const url = await copied(page);
    await page.goto("about:blank");
    await page.goto(url);
    await shown(page);
    await page.locator("#status", { hasText: "took" }).waitFor({ state: "attached" });
    await drawn(page);
    await page.evaluate(() => document.querySelector("#frame canvas").focus());
    await page.evaluate(() => document.activeElement.blur());
    await drawn(page);
    assert.equal(await picture(page), expected);
    assert.equal(await page.getByRole("tab", { selected: true }).textContent(), view);
  });
}

async function click(page, x, y) {
  const canvas = page.locator("#frame canvas");
  const { width, height } = await canvas.boundingBox();
  await canvas.click({ position: { x: x * width, y: y * height } });
  await drawn(page);
}

test("a link to a sample that is none says which there are", async (t) => {
  const page = await visit(site, t, { query: "?sample=constructor" });
  await page.getByRole("alert").filter({ hasText: /no sample constructor: the samples are chelsea, / }).waitFor();
});

for (const [how, clipboard] of [["has no clipboard", "undefined"], ["refuses", "{ writeText: () => Promise.reject(new Error('no')) }"]]) {
  test(`where the browser ${how}, the link is shown to be copied by hand`, async (t) => {
    const prepare = (page) => page.addInitScript(`Object.defineProperty(navigator, "clipboard", { value: ${clipboard} })`);
    const page = await visit(site, t, { query: "?sample=chelsea#view=norms", prepare });
    await shown(page);
    for (let times = 0; times < 2; times++) await copy(page).click();
    const field = page.getByLabel(/Copy the link by hand/);
    const link = new URL(await field.inputValue());
    assert.equal(link.searchParams.get("sample"), "chelsea");
    assert.equal(link.hash, "#view=norms");
    assert.equal(await page.evaluate(() => getSelection().toString()), link.href);
  });
}

test("at an http address of the network everything works, or says why it cannot", async (t) => {
  // Chromium trusts 127.0.0.1; this address it treats as another device's.
  const server = await serve({ "/": path("www") }, 0, { host: "0.0.0.0" });
  t.after(() => server.close());
  const elsewhere = { ...site, url: server.url, browser: site.browser };
  const page = await visit(elsewhere, t, { query: "?model=tiny/internvit&sample=chelsea&device=auto", refused: /Cross-Origin-Opener-Policy header has been ignored/ });
  await shown(page);
  assert.equal(await page.evaluate(() => isSecureContext), false);
  await page.locator("#device .note", { hasText: "only pages at https addresses and at localhost use the GPU" }).waitFor({ state: "attached" });
  // The sheet that offers the model lies over the panel until it is closed.
  await page.locator("#model-sheet").waitFor();
  await page.keyboard.press("Escape");
  await copy(page).click();
  assert.equal(new URL(await page.getByLabel(/Copy the link by hand/).inputValue()).searchParams.get("sample"), "chelsea");
  await otherModels(page);
  const row = page.locator("#models li").filter({ hasText: "tiny/internvit" });
  await row.getByRole("button", { name: /^Download/ }).click();
  await row.getByRole("alert").filter({ hasText: "https addresses and at localhost" }).waitFor();
  await row.getByRole("button", { name: /^Dismiss/ }).click();
  await row.waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await page.locator("#model-sheet").waitFor({ state: "hidden" });
  await saved(page, "Save picture");
});
