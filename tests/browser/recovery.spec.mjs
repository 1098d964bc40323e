// What is lost comes back: the graphics device, the worker, the module in it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { before, cause, causeWhile, trouble } from "./trouble.mjs";
import { advanced, drawn, fact, hand, loaded, saved, sheet, shown } from "./visitor.mjs";

const site = openSite({ fresh: true });
const LOST = "The graphics device was lost and has been opened again.";
const STOPPED = "The model stopped unexpectedly and has been started again.";

/** A visitor whose worker is in for trouble, in the calls of the test alone; `noise` are errors that the console shows of it. */
function visitTrouble(t, query, noise = /as the test wants it|a worker has stopped/) {
  return visit(site, t, { prepare: (page) => before(page, trouble), query: query.replace(/(?=#|$)/, "&probe=off"), refused: noise });
}

const note = (page, text) => page.locator("#device .note", { hasText: text }).waitFor({ state: "attached" });
const alarm = async (page) => (await page.getByRole("alert").first().textContent()).trim();
const picture = async (page) => {
  await drawn(page);
  return page.evaluate(() => document.querySelector("canvas").toDataURL());
};
const features = async (page) => (await saved(page, "Save features (.npy)")).bytes;
const sample = async (page, name, file) => {
  await page.getByRole("button", { name }).click();
  await page.locator("#facts", { hasText: file }).waitFor({ state: "attached" });
  await shown(page);
};

for (const [kind, said] of [["lose", LOST], ["die", STOPPED], ["trap", STOPPED]]) {
  test(`${kind}: the worker is replaced, the call is made again, and everything the visitor had stays`, async (t) => {
    const page = await visitTrouble(t, "?device=cpu#layer=7");
    await sample(page, "Coffee", "coffee.png");
    await sample(page, "Cat", "chelsea.png");
    const expected = await features(page);
    await page.getByRole("tab", { name: "Teach" }).click();
    for (const [at, x] of [[0, 0.45], [1, 0.05]]) {
      await page.locator("#teach input[name=class]").nth(at).check();
      const canvas = page.locator("#frame canvas");
      const { width, height } = await canvas.boundingBox();
      await canvas.click({ position: { x: x * width, y: 0.5 * height } });
      await drawn(page);
    }
    await page.locator("#teach input[type=text]").first().fill("cat");
    await page.locator("#teach input[type=text]").first().blur();
    await page.locator("#legend", { hasText: "cat" }).waitFor();
    const taught = await picture(page);

    await cause(page, kind, 1);
    if (kind === "trap") await sample(page, "Rocket", "rocket.jpg"); // where files are read
    else await page.locator("#layer").fill("8");
    await note(page, said);
    assert.equal(await alarm(page), "");
    if (kind === "trap") await page.getByRole("button", { name: "Cat", exact: true }).click();
    else await page.locator("#layer").fill("7");
    await page.waitForFunction((before) => document.querySelector("#stage").dataset.drawn && document.querySelector("canvas").toDataURL() === before, taught);
    assert.equal(await page.getByRole("tab", { selected: true }).textContent(), "Teach");
    assert.match(await page.locator("#teach li").first().textContent(), /1 point/);
    assert.match(await fact(page, "Photograph"), /chelsea\.png/);
    assert.ok((await features(page)).equals(expected));
    // The other photograph has kept its place, and is encoded again now that it is opened.
    await page.getByRole("button", { name: "Coffee" }).click();
    await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
    await page.locator("#legend", { hasText: "cat" }).waitFor();
    await page.getByRole("tab", { name: "Norms" }).click();
    await drawn(page);
    assert.equal(await alarm(page), "");
  });
}

test("a helper that dies takes the engine with it, and both are started again", async (t) => {
  const page = await visitTrouble(t, "?device=cpu&threads=2");
  await page.locator("#device .name", { hasText: "2 threads" }).waitFor({ state: "attached" });
  await sample(page, "Cat", "chelsea.png");
  await cause(page, "fall");
  await sample(page, "Rocket", "rocket.jpg");
  await note(page, STOPPED);
  await page.locator("#device .name", { hasText: "2 threads" }).waitFor({ state: "attached" });
  assert.equal(await alarm(page), "");
});

test("lost while it encodes, loads, measures", async (t) => {
  const page = await visitTrouble(t, "?device=cpu");
  await loaded(page);
  await cause(page, "lose", 1);
  await sample(page, "Cat", "chelsea.png");
  await note(page, LOST);
  const expected = await features(page);
  const folder = path("www/models/internvit-tiny");
  await cause(page, "lose", 1);
  await page.locator("#model-files").setInputFiles([`${folder}/config.json`, `${folder}/model.safetensors`]);
  await page.locator("#model .name", { hasText: "model.safetensors" }).waitFor({ state: "attached" });
  await loaded(page);
  await note(page, LOST);
  await shown(page);
  // The visitor's own files are what is loaded again.
  await cause(page, "die");
  assert.ok((await features(page)).equals(expected));
  await note(page, STOPPED);
  assert.equal(await page.locator("#model .name").textContent(), "model.safetensors");
  await sheet(page, "device", "benchmark");
  await cause(page, "lose", 1);
  await page.getByRole("button", { name: "Measure" }).click();
  await page.locator("#benchmark .headline").waitFor();
  assert.equal(await alarm(page), "");
});

test("an imported head, kept colours and 8 bits are there again", async (t) => {
  const page = await visitTrouble(t, "?device=gpu&dtype=int8");
  await sample(page, "Cat", "chelsea.png");
  await page.getByLabel("Same colours").check();
  await drawn(page);
  await page.locator("#layer").fill("6");
  const kept = await picture(page);
  await page.locator("#layer").fill("5");
  await drawn(page);
  await cause(page, "lose", 1);
  await page.locator("#layer").fill("6");
  await note(page, LOST);
  await page.waitForFunction((before) => document.querySelector("#stage").dataset.drawn && document.querySelector("canvas").toDataURL() === before, kept);
  assert.equal(await page.getByLabel("Precision").inputValue(), "int8");
});

test("a graphics device that is destroyed: idle, in the middle of encoding, and what was encoded before", async (t) => {
  const page = await visitTrouble(t, "?device=gpu");
  await sample(page, "Cat", "chelsea.png");
  const expected = await features(page);
  await cause(page, "destroy");
  await page.locator("#layer").fill("7");
  await drawn(page);
  assert.equal(await alarm(page), "");
  await note(page, LOST);
  await page.locator("#layer").fill("12");
  await drawn(page);
  assert.ok((await features(page)).equals(expected));

  const destroyed = causeWhile(page, "destroy", "rocket.jpg");
  await page.getByRole("button", { name: "Rocket" }).click();
  await destroyed;
  await page.locator("#facts", { hasText: "rocket.jpg" }).waitFor({ state: "attached" });
  await shown(page);
  assert.equal(await alarm(page), "");
  await note(page, "opened again and the pictures computed again"); // by the engine itself
  await page.getByRole("button", { name: "Cat", exact: true }).click();
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
  await shown(page);
  assert.ok((await features(page)).equals(expected));
  assert.equal(await alarm(page), "");
});

test("the browser's graphics process crashes: another one does the work", async (t) => {
  const page = await visitTrouble(t, "?device=gpu");
  await sample(page, "Cat", "chelsea.png");
  const expected = await features(page);
  const before = await picture(page);
  const session = await page.context().browser().newBrowserCDPSession();
  await session.send("Browser.crashGpuProcess");
  await session.detach();
  // Every canvas was emptied.
  await page.waitForFunction((before) => document.querySelector("#stage canvas").toDataURL() === before, before);
  await advanced(page);
  await page.getByRole("button", { name: "Apply" }).click();
  await note(page, /opened again/);
  await shown(page);
  assert.ok((await features(page)).equals(expected));
  assert.equal(await alarm(page), "");
});

test("lost again and again, it says so, and the next call begins again", async (t) => {
  const page = await visitTrouble(t, "?device=cpu");
  await sample(page, "Cat", "chelsea.png");
  // Each new worker is in for it too.
  await page.unrouteAll({ behavior: "wait" }); // a handler may still be at work
  await before(page, function lose() {
    const post = self.postMessage.bind(self);
    const lost = ({ id }) => ({ id, failure: "the graphics device was lost: always", name: "Lost" });
    self.postMessage = (message, options) => post("answer" in message && message.answer?.tensors ? lost(message) : message, options);
  }, trouble);
  await cause(page, "lose", 1);
  await page.getByRole("button", { name: "Rocket" }).click();
  await page.getByRole("alert").filter({ hasText: "the graphics device was lost: always" }).waitFor();
  await page.unrouteAll({ behavior: "wait" }); // a handler may still be at work
  await sample(page, "Rocket", "rocket.jpg");
  assert.equal(await alarm(page), "");
});
