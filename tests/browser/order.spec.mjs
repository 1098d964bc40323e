// Many things asked for at once: a queue, the last wins where it replaces what came before, two pages beside each other.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { fact, loaded, shown } from "./visitor.mjs";

const site = openSite({ fresh: true });
const bytes = ["chelsea.png", "astronaut.png", "coffee.png", "rocket.jpg", "camera.png"].map((name) => readFileSync(path(`www/samples/${name}`)).toString("base64"));
const notes = Buffer.from("no picture at all").toString("base64");

/** Drops all files at once. */
const drop = (page, files) => page.evaluate((files) => {
  const transfer = new DataTransfer();
  for (const [name, base64] of files) transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
  document.querySelector("main").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}, files);

/** Remembers what the page said of its work. */
const listen = (page) => page.evaluate(() => {
  globalThis.said = [];
  new MutationObserver(() => globalThis.said.push(document.querySelector("#status").textContent)).observe(document.querySelector("#status"), { childList: true, characterData: true, subtree: true });
});
const took = async (page) => (await page.evaluate(() => globalThis.said)).map((text) => /^(\S+) took/.exec(text)?.[1]).filter(Boolean);
const taking = (page, name) => page.locator("#status", { hasText: `${name} took` }).waitFor({ state: "attached" });
const alarm = (page) => page.getByRole("alert").first().textContent();

test("ten photographs dropped at once are encoded in their order, and the last is shown", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await listen(page);
  const files = Array.from({ length: 10 }, (_, at) => [`${at}.png`, bytes[at % bytes.length]]);
  await drop(page, files); // before the model is there
  await taking(page, "9.png");
  await shown(page);
  assert.match(await fact(page, "Photograph"), /^9\.png/);
  assert.deepEqual(await took(page), files.map(([name]) => name));
  assert.equal(await page.locator("#shots li").count(), 10);
});

test("of ten photographs one that cannot be read does not stop the others, and is told at the end", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await loaded(page);
  await drop(page, [["0.png", bytes[0]], ["bad.png", notes], ["1.png", bytes[1]], ["worse.png", notes], ["2.png", bytes[2]]]);
  await page.getByRole("alert").filter({ hasText: /bad\.png: .+; worse\.png: / }).waitFor();
  assert.match(await fact(page, "Photograph"), /^2\.png/);
  assert.equal(await page.locator("#shots li").count(), 3);
  // Cancel ends all that wait.
  await drop(page, Array.from({ length: 10 }, (_, at) => [`later${at}.png`, bytes[at % bytes.length]]));
  // Ten photographs may be done before a click from outside the page arrives.
  await page.evaluate(() => new Promise((done) => {
    const look = setInterval(() => {
      if (!/Encoding [2-9] of 10, later\d\.png/.test(document.querySelector("#progress").textContent)) return;
      clearInterval(look);
      [...document.querySelectorAll("#progress button")].find(({ textContent }) => textContent === "Cancel").click();
      done();
    });
  }));
  await page.locator("#status", { hasText: "Cancelled." }).waitFor({ state: "attached" });
  await page.waitForTimeout(1000);
  // Those that were not reached stay to be opened.
  assert.equal(await page.locator("#shots li").count(), 13);
  assert.ok(await page.locator("#progress").isHidden());
});

test("samples clicked quickly: only the last is encoded to the end", async (t) => {
  const page = await visit(site, t, { query: "?device=gpu" });
  await loaded(page);
  await listen(page);
  const names = ["Cat", "Astronaut", "Coffee", "Rocket", "Photographer"];
  await page.evaluate((names) => {
    const buttons = [...document.querySelectorAll("#samples button")];
    for (let at = 0; at < 10; at++) buttons.find((button) => button.textContent === names[at % names.length]).click();
  }, names);
  await taking(page, "camera.png");
  await shown(page);
  assert.deepEqual(await took(page), ["camera.png"]);
  assert.match(await fact(page, "Photograph"), /^camera\.png/);
  // With pauses in which each has begun.
  for (const name of ["Cat", "Astronaut", "Coffee"]) {
    await page.getByRole("button", { name }).click();
    await page.getByText(/^Encoding /).first().waitFor();
  }
  await taking(page, "coffee.png");
  assert.deepEqual(await took(page), ["camera.png", "coffee.png"]);
  assert.equal((await alarm(page)).trim(), "");
});

test("a model that is changed in the middle cancels what is encoded, and the photograph that was asked for meanwhile is shown", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  await listen(page);
  const folder = path("tests/golden/encoder_rms_qknorm_f16");
  await page.getByRole("button", { name: "Rocket" }).click();
  await page.locator("#model-files").setInputFiles([`${folder}/config.json`, `${folder}/model.safetensors`]);
  await page.locator("#model .name", { hasText: "model.safetensors" }).waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Coffee" }).click();
  await taking(page, "coffee.png");
  await shown(page);
  assert.match(await fact(page, "Photograph"), /^coffee\.png/);
  // The model is changed twice while a photograph waits for it.
  await page.evaluate(() => document.querySelector("#bundled-model").click());
  await page.evaluate(() => {
    [...document.querySelectorAll("#samples button")].find(({ textContent }) => textContent === "Astronaut").click();
    document.querySelector("#bundled-model").click();
  });
  await page.locator("#model .name", { hasText: "InternViT-Tiny" }).waitFor({ state: "attached" });
  await loaded(page);
  await page.waitForFunction(() => document.querySelector("#stage").dataset.state === "shown" && document.querySelector("#progress").hidden);
  assert.equal((await alarm(page)).trim(), "");
});

test("ten encodes asked of the engine at once are answered in order; those that are aborted are not", async (t) => {
  const page = await visit(site, t, { query: "blank/" });
  const { photos, answers, reasons } = await page.evaluate(async () => {
    const { Engine } = await import("/js/engine.js");
    const engine = new Engine();
    await engine.call("open", { device: "cpu", threads: 1 });
    await engine.call("load", { folder: new URL("/models/internvit-tiny/", location.href).href });
    const photo = new File([await (await fetch("/samples/chelsea.png")).blob()], "chelsea.png");
    const answers = [];
    const aborts = Array.from({ length: 10 }, () => new AbortController());
    const calls = aborts.map(({ signal }, at) => engine.call("encode", { photo, settings: { image_size: 56 } }, { signal }).then((encoded) => {
      answers.push(at);
      return encoded.photo;
    }));
    for (const at of [3, 4, 5]) aborts[at].abort();
    const settled = await Promise.allSettled(calls);
    return { photos: settled.flatMap(({ value }) => value ?? []), answers, reasons: settled.flatMap(({ reason }) => reason?.name ?? []) };
  });
  assert.deepEqual(answers, [0, 1, 2, 6, 7, 8, 9]);
  assert.deepEqual(reasons, Array(3).fill("AbortError"));
  assert.equal(new Set(photos).size, 7);
});

for (const device of ["cpu", "gpu"]) {
  test(`two pages of one visitor at once, on the ${device}`, async (t) => {
    const page = await visit(site, t, { query: `?device=${device}` });
    const second = await page.context().newPage();
    second.setDefaultTimeout(90_000);
    await second.goto(page.url());
    await Promise.all([page.getByRole("button", { name: "Cat" }).click(), second.getByRole("button", { name: "Coffee" }).click()]);
    await Promise.all([shown(page), shown(second)]);
    assert.match(await fact(page, "Photograph"), /^chelsea/);
    assert.match(await fact(second, "Photograph"), /^coffee/);
    await Promise.all([page.getByRole("button", { name: "Coffee" }).click(), second.getByRole("button", { name: "Cat" }).click()]);
    await Promise.all([taking(page, "coffee.png"), taking(second, "chelsea.png")]);
  });
}
