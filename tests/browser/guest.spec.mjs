// Two models of one picture side by side: the page's own, stored ones, files of the visit; begun, cancelled, left.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { axe, drawn, fits, frame, loaded, phone, shown } from "./visitor.mjs";

const site = openSite({ fresh: true });
const SMALL = "?sample=coffee&size=112&resize=native";
const DINO = "DINOv2 ViT-S/14";
const tags = (page) => page.locator(".tag[data-title]").allTextContents();
/** The pixels of a picture, as text. */
const pixels = (page, which) => page.evaluate((which) => document.querySelector(`${which} canvas`).toDataURL(), which);
/** Workers that run an engine. */
const engines = (page) => page.workers().filter((worker) => /\/worker-[^/]*\.js/.test(worker.url()) && !worker.url().includes("download")).length;
const beside = (page) => page.getByLabel("A second view beside");
const model = (page) => page.getByLabel("Its model");
const offered = (page) => model(page).locator("option").allTextContents();
/** Waits until the picture beside has a title. */
const titled = async (page, title) => {
  await page.locator("#other-frame .tag", { hasText: title }).waitFor();
  await drawn(page);
};

/** Waits until a worker and its helpers are ended, which takes the browser a moment. */
async function ended(page, alone) {
  for (let waits = 0; engines(page) > alone && waits < 50; waits++) await page.waitForTimeout(100);
  assert.equal(engines(page), alone, "its worker is ended");
}

/** Points at a place of a picture, and waits until both are lit. */
async function pointed(page, which, x, y) {
  const frames = ["#frame", "#other-frame"];
  const dark = await Promise.all(frames.map((one) => pixels(page, one)));
  const { width, height } = await page.locator(`${which} canvas`).boundingBox();
  await page.locator(`${which} canvas`).hover({ position: { x: x * width, y: y * height } });
  for (const [at, one] of frames.entries()) {
    await page.waitForFunction(([one, dark]) => document.querySelector(`${one} canvas`).toDataURL() !== dark, [one, dark[at]]);
  }
}

for (const device of ["cpu", "gpu"]) {
  test(`another model stands beside, on the ${device}, as long as it is chosen`, async (t) => {
    const page = await visit(site, t, { query: `${SMALL}&device=${device}` });
    await shown(page);
    const alone = engines(page);
    await beside(page).check();
    await page.waitForFunction(() => document.querySelectorAll("#beside-model option").length > 1);
    assert.deepEqual(await offered(page), ["this model", DINO]);
    assert.equal(engines(page), alone, "nothing is started before it is asked for");
    await model(page).selectOption(DINO);
    await page.locator("#progress label", { hasText: /^Loading DINOv2|^Encoding coffee\.png by DINOv2/ }).waitFor();
    await titled(page, "layer 12 of 12");
    assert.deepEqual(await tags(page), ["Features, layer 12 of 12 · InternViT-Tiny", `Features, layer 12 of 12 · ${DINO}`]);
    assert.ok(engines(page) > alone);
    assert.notEqual(await pixels(page, "#frame"), await pixels(page, "#other-frame"));
    await page.waitForFunction(() => location.hash === "#beside=pca,,dinov2-small");
    for (const which of ["#frame", "#other-frame"]) {
      await pointed(page, which, 0.55, 0.55);
      await page.locator("#readout", { hasText: /^Row 5, column 7: / }).waitFor();
      await page.locator("#caption").hover();
      await frame(page);
    }
    assert.deepEqual(await axe(page), []);
    // Another photograph is encoded by both.
    await page.getByRole("button", { name: "Cat" }).click();
    await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
    await titled(page, `layer 12 of 12 · ${DINO}`);
    await model(page).selectOption("this model");
    await titled(page, /^Features, layer 4 of 12$/);
    await ended(page, alone);
    await page.waitForFunction(() => location.hash === "#beside=pca,4");
    assert.equal((await page.getByRole("alert").first().textContent()).trim(), "");
  });
}

test("a link opens both, every view stands beside, and a lesson ends the second", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=similarity&at=0.542,0.563&more=0.2,0.7&not=0.9,0.1&beside=similarity,9,dinov2-small` });
  await titled(page, `Find alike, layer 9 of 12 · ${DINO}`);
  const alone = 1;
  assert.ok(engines(page) > alone);
  assert.equal(await page.locator("#beside-layer").inputValue(), "9");
  assert.notEqual(await pixels(page, "#frame"), await pixels(page, "#other-frame"));
  for (const view of ["pca", "clusters", "attention", "norms"]) {
    await page.locator("#beside-view").selectOption(view);
    await page.waitForFunction((view) => location.hash.includes(`beside=${view},9,dinov2-small`), view);
    await drawn(page);
    assert.equal((await page.getByRole("alert").first().textContent()).trim(), "");
  }
  await page.getByRole("tab", { name: "Teach" }).click();
  await drawn(page);
  assert.ok(await page.locator("#other-frame").isHidden());
  await ended(page, alone);
  await page.goBack();
  await titled(page, `layer 9 of 12 · ${DINO}`);
});

test("files of this visit stand beside, on another grid, and the same place lights up", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await shown(page);
  const folder = path("tests/golden/vit_classification");
  await page.locator("#model-files").setInputFiles(["config.json", "model.safetensors", "preprocessor_config.json"].map((name) => `${folder}/${name}`));
  await page.locator("#model .name", { hasText: "model.safetensors" }).waitFor({ state: "attached" });
  await loaded(page);
  await page.evaluate(() => document.querySelector("#bundled-model").click());
  await page.locator("#model .name", { hasText: "InternViT-Tiny" }).waitFor({ state: "attached" });
  await loaded(page);
  await shown(page);
  assert.equal(new URL(page.url()).searchParams.get("model"), "internvit-tiny");
  await beside(page).check();
  await page.waitForFunction(() => document.querySelectorAll("#beside-model option").length === 3);
  assert.deepEqual(await offered(page), ["this model", DINO, "model.safetensors"]);
  await model(page).selectOption("model.safetensors");
  await titled(page, /· model\.safetensors$/);
  await pointed(page, "#other-frame", 0.55, 0.55);
  await page.locator("#readout", { hasText: /^Row 5, column 7: / }).waitFor();
  // The page says what a link cannot hold; in this visit Back leads to it.
  await page.getByText("a link holds its view, not the model").waitFor();
  assert.match(page.url(), /beside=pca,,own:0$/);
  await page.getByRole("tab", { name: "Norms" }).click();
  await titled(page, /^Features, .* · model\.safetensors$/);
  await page.reload();
  await page.getByRole("alert").filter({ hasText: "one of your own files, which a link cannot hold" }).waitFor();
  await titled(page, "Features, layer 4 of 12");
});

test("cancelled, missing or broken, the view is of the model in front again", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#beside=pca,2,nobody/nothing`, refused: /404/ });
  await page.getByRole("alert").filter({ hasText: "nobody/nothing is not stored in this browser. Download it under “Other models”" }).waitFor();
  await titled(page, "Features, layer 4 of 12");
  await page.getByRole("button", { name: "Dismiss" }).click();
  let answer;
  const held = new Promise((done) => (answer = done));
  await page.route("**/dinov2-small/model.safetensors", async (route) => {
    await held;
    await route.fulfill({ status: 404 });
  });
  await page.waitForFunction(() => document.querySelectorAll("#beside-model option").length > 1);
  await model(page).selectOption(DINO);
  await page.locator("#progress", { hasText: `Loading ${DINO}` }).getByRole("button", { name: "Cancel" }).click();
  await page.waitForFunction(() => location.hash === "#beside=pca,4");
  assert.equal(await model(page).inputValue(), "");
  assert.equal((await page.getByRole("alert").first().textContent()).trim(), "");
  await page.locator("#status", { hasText: "Cancelled." }).waitFor({ state: "attached" });
  await model(page).selectOption(DINO);
  answer();
  await page.getByRole("alert").filter({ hasText: `The file model.safetensors of ${DINO} could not be fetched from the server.` }).waitFor();
  assert.equal(await model(page).inputValue(), "");
  await titled(page, "Features, layer 4 of 12");
});

test("a large model's memory is told before it is chosen", async (t) => {
  const prepare = (page) => page.addInitScript(() => {
    globalThis.stored = (async () => {
      const models = await (await navigator.storage.getDirectory()).getDirectoryHandle("models", { create: true });
      const folder = await models.getDirectoryHandle(encodeURIComponent("large/model"), { create: true });
      const write = async (name, fill) => {
        const stream = await (await folder.getFileHandle(name, { create: true })).createWritable();
        await fill(stream);
        await stream.close();
      };
      const size = 300e6;
      const file = { name: "model.safetensors", url: "", size, header: "", ranges: [], remote: size, sha256: null, etag: null, done: true };
      await write("model.safetensors", (stream) => stream.truncate(size));
      await write("record.json", (stream) => stream.write(JSON.stringify({ name: "large/model", config: "{}", files: [file] })));
    })();
  });
  const page = await visit(site, t, { query: SMALL, prepare });
  await shown(page);
  await page.evaluate(() => globalThis.stored);
  await beside(page).check();
  await page.waitForFunction(() => document.querySelectorAll("#beside-model option").length === 3);
  assert.deepEqual(await offered(page), ["this model", DINO, "model, takes about 300 MB of memory"]);
});

test("on a phone one stands below the other, and a tap lights up both", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#beside=pca,,dinov2-small`, ...phone });
  await titled(page, `layer 12 of 12 · ${DINO}`);
  const [one, other] = await Promise.all(["#frame", "#other-frame"].map((which) => page.locator(which).boundingBox()));
  assert.ok(other.y >= one.y + one.height && one.width > 330);
  await fits(page);
  const dark = await pixels(page, "#other-frame");
  await page.locator("#frame canvas").tap({ position: { x: 150, y: 100 } });
  await page.waitForFunction((dark) => document.querySelector("#other-frame canvas").toDataURL() !== dark, dark);
});
