// What a visitor does, on the bundled model.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { advanced, axe, drawn, fact, fade, fits, frame, hand, loaded, middle, phone, readNpy, saved, sheet, shown, spread, state, tabTo } from "./visitor.mjs";

const site = openSite();
const cat = { name: "my cat.png", mimeType: "image/png", buffer: readFileSync(path("www/samples/chelsea.png")) };
const text = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture at all") };

test("one click on a sample gives the picture, the time and the adapter", async (t) => {
  const page = await visit(site, t, { query: "?device=gpu" });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  assert.ok((await spread(page)) > 10, "the picture is nearly uniform");
  assert.match(await fact(page, "Time"), /^[\d.,]+ m?s$/);
  assert.match(await fact(page, "Device"), /\S \(.+\)$/);
  assert.equal(await fact(page, "Patches"), "16 × 16");
  assert.match(await fact(page, "Photograph"), /chelsea\.png, 451 × 300/);
  assert.match(await page.locator("#status").textContent(), /Its features are shown/);
});

test("the slider fades to the photograph", async (t) => {
  const page = await visit(site, t);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  const features = await middle(page);
  await fade(page, "0");
  await page.waitForFunction(() => document.querySelector("#fade").value === "0");
  await frame(page);
  assert.notDeepEqual(await middle(page), features);
});

test("the benchmark measures, and its table is kept as JSON", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu", permissions: ["clipboard-read", "clipboard-write"] });
  await loaded(page);
  await sheet(page, "device", "benchmark");
  await page.getByRole("button", { name: "Measure" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.locator("#status", { hasText: "Cancelled." }).waitFor({ state: "attached" });
  await sheet(page, "device", "benchmark");
  await page.getByRole("button", { name: "Measure" }).click();
  await page.getByText("Kernel by kernel").click({ timeout: 60_000 });
  await page.locator("#benchmark tbody tr").first().waitFor({ timeout: 60_000 });
  assert.match(await page.locator("#benchmark .headline").textContent(), /^[\d.,]+ pictures a second, ([\d.,]+% of this device’s measured peak\.|faster than the peak was measured: something else was running\. Measure again\.)$/);
  const bar = await page.locator("#benchmark .bar-of").evaluate((bar) => Number(bar.style.getPropertyValue("--part")));
  assert.ok(bar > 0 && bar <= 1);
  const line = await page.locator("#benchmark [data-line]").textContent();
  assert.match(line, /^InternViT-Tiny, as stored, 1 × 224 px: [\d.,]+ m?s; [\d.,]+ of [\d.,]+ GFLOP\/s; CPU.*, \d+ threads?; .*Chrom/);
  await page.getByRole("button", { name: "Copy as a line" }).click();
  await page.getByRole("button", { name: "Copied ✓" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), line);
  const { bytes } = await saved(page, "Save as JSON");
  // The answer stands where the button is.
  await page.locator("#benchmark .said", { hasText: "Saved benchmark.json ✓" }).waitFor();
  const report = JSON.parse(bytes.toString());
  assert.equal(report.tokens, 257);
  assert.ok(report.encode.min_ms > 0 && report.encode.min_ms <= report.encode.median_ms);
  assert.ok(report.memory.host_peak_bytes > report.memory.weight_bytes);
  assert.ok(report.first_result.load_weights_ms > 0);
  const sum = report.profile.kernels.reduce((sum, { ms }) => sum + ms, 0);
  assert.ok(Math.abs(sum / report.profile.kernels_ms - 1) < 1e-9);
  assert.equal(await page.locator("#benchmark tbody tr").count(), report.profile.kernels.length);
  assert.match(await page.locator("#benchmark dd").first().textContent(), /^[\d.,]+ m?s, median of \d+/);
  assert.deepEqual(await axe(page), []);
  await page.setViewportSize(phone.viewport);
  await fits(page);
  assert.ok(await page.locator("#benchmark dd").first().isVisible());
});

test("a photograph can be chosen, dropped and pasted", async (t) => {
  const page = await visit(site, t);
  await page.locator("#photo-file").setInputFiles(cat);
  await shown(page);
  assert.match(await fact(page, "Photograph"), /my cat\.png/);
  for (const event of ["drop", "paste"]) {
    await hand(page, event, `${event}.png`, cat);
    await page.locator("#facts", { hasText: `${event}.png` }).waitFor({ state: "attached" });
    await shown(page);
  }
});

test("the picture and the features can be saved", async (t) => {
  const page = await visit(site, t);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  const picture = await saved(page, "Save picture");
  assert.equal(picture.name, "chelsea-pca.png");
  assert.deepEqual([picture.bytes.readUInt32BE(16), picture.bytes.readUInt32BE(20)], [451, 300]);
  const features = await saved(page, "Save features (.npy)");
  assert.equal(features.name, "chelsea-layer-12.npy");
  assert.deepEqual(readNpy(features.bytes).shape, [1, 257, 192]);
});

test("on a phone all tabs are in sight, and nothing is empty between the picture and its controls", async (t) => {
  const page = await visit(site, t, { ...phone, query: "?sample=coffee&size=112" });
  await shown(page);
  for (const tab of await page.getByRole("tab").all()) {
    const { x, width } = await tab.boundingBox();
    assert.ok(x >= 0 && x + width <= phone.viewport.width, `${await tab.textContent()} ends at ${x + width}`);
  }
  const end = async (selector) => page.locator(selector).evaluate((one) => one.getBoundingClientRect().bottom);
  const gap = (await page.locator("#controls").evaluate((one) => one.getBoundingClientRect().top)) - (await end("#frame"));
  // Between them lies the strip of pictures.
  const strip = await page.locator(".strip").evaluate((one) => one.getBoundingClientRect().height);
  assert.ok(gap - strip < 60, `${gap} pixels`);
});

test("what is no picture gives an alert, and the page goes on", async (t) => {
  const page = await visit(site, t);
  await page.locator("#photo-file").setInputFiles(text);
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  assert.equal(await state(page), "empty");
  await page.getByRole("button", { name: "Dismiss" }).click();
  assert.equal((await page.getByRole("alert").textContent()).trim(), "");
  await page.getByRole("button", { name: "Coffee" }).click();
  await shown(page);
  // With a picture on the stage, that picture stays.
  await page.locator("#photo-file").setInputFiles(text);
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await page.locator("#stage[data-state=shown][data-drawn]").waitFor();
  assert.match(await fact(page, "Photograph"), /coffee\.png/);
  // The next photograph takes the alert away.
  await page.getByRole("button", { name: "Cat" }).click();
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
  assert.equal((await page.getByRole("alert").textContent()).trim(), "");
});

test("encoding can be cancelled", async (t) => {
  const page = await visit(site, t, { query: "?device=gpu" });
  await loaded(page);
  await advanced(page);
  await page.getByLabel("Input size").fill("448"); // long enough to be interrupted
  await page.getByRole("button", { name: "Rocket" }).click();
  await page.getByText(/^Encoding rocket\.jpg/).first().waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("status").filter({ hasText: "Cancelled." }).waitFor();
  assert.equal(await state(page), "empty");
  await page.getByLabel("Input size").fill("");
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
});

test("settings change what the network reads", async (t) => {
  const page = await visit(site, t);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  await advanced(page);
  await page.getByLabel("Input size").fill("112");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.locator("#facts", { hasText: "8 × 8" }).waitFor({ state: "attached" });
  await shown(page);
});

test("a keyboard is enough", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  await tabTo(page, "Cat");
  await page.keyboard.press("Enter");
  await shown(page);
  await tabTo(page, "Advanced", "Shift+Tab");
  await page.keyboard.press("Enter");
  await tabTo(page, "Overlay opacity");
  await page.keyboard.press("Home");
  assert.equal(await page.getByLabel("Overlay opacity").inputValue(), "0");
  assert.ok(await page.getByLabel("Input size").isVisible());
});

test("a model from the visitor's own files, and back", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  const folder = "tests/golden/encoder_rms_qknorm_f16";
  const files = (...names) => names.map((name) => path(`${folder}/${name}`));
  const alert = page.getByRole("alert");

  await page.locator("#model-files").setInputFiles(files("config.json"));
  await alert.filter({ hasText: ".safetensors" }).waitFor();

  await page.locator("#photo-file").setInputFiles([{ name: "head.pth", mimeType: "", buffer: Buffer.from("PK") }]);
  await alert.filter({ hasText: "internvit convert head.pth --out DIR" }).waitFor();

  const before = await page.locator("#model .summary").textContent();
  await page.locator("#model-files").setInputFiles(files("config.json", "model.safetensors"));
  await page.locator("#model .name", { hasText: "model.safetensors" }).waitFor({ state: "attached" });
  await loaded(page);
  assert.notEqual(await page.locator("#model .summary").textContent(), before);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);

  const broken = { name: "model.safetensors", mimeType: "", buffer: Buffer.from("not weights") };
  const config = { name: "config.json", mimeType: "", buffer: readFileSync(path(`${folder}/config.json`)) };
  await page.locator("#model-files").setInputFiles([config, broken]);
  await alert.filter({ hasText: /\w/ }).waitFor();
  await sheet(page, "model");
  await page.getByRole("button", { name: "Use InternViT-Tiny" }).click();
  await page.waitForFunction((text) => document.querySelector("#model .summary").textContent === text, before);
  await shown(page);
});

test("fewer bits on the GPU change the features a little, and stay in the address", async (t) => {
  const page = await visit(site, t, { query: "?device=gpu&dtype=int4" });
  await loaded(page);
  const choice = page.getByLabel("Precision");
  assert.equal(await choice.inputValue(), "int4");
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  const picture = () => page.evaluate(() => document.querySelector("canvas").toDataURL());
  const four = await picture();
  await sheet(page, "model");
  await choice.selectOption("f32");
  await page.waitForFunction((before) => document.querySelector("#stage").dataset.drawn && document.querySelector("canvas").toDataURL() !== before, four);
  assert.equal(new URL(page.url()).searchParams.get("dtype"), null);
  assert.notEqual(await picture(), four);
});

test("without WebGPU the page says so and the CPU does the work", async (t) => {
  // Only the worker asks for WebGPU, so it is there that it must be missing.
  const prepare = (page) => page.route("**/worker-*.js", async (route) => {
    const response = await route.fetch();
    const missing = 'Object.defineProperty(WorkerNavigator.prototype, "gpu", { value: undefined });';
    await route.fulfill({ response, body: missing + (await response.text()) });
  });
  const page = await visit(site, t, { prepare, query: "?device=auto" });
  await page.locator("#device .note", { hasText: "CPU" }).waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  assert.match(await fact(page, "Device"), /CPU/);
  assert.ok((await spread(page)) > 10);
});

test("the address can ask for the CPU", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await page.locator("#device .name", { hasText: "CPU" }).waitFor({ state: "attached" });
});

test("left alone, the page prefers the processor to a software adapter", async (t) => {
  const page = await visit(site, t, { query: "?device=auto" });
  await page.locator("#device .note", { hasText: /swiftshader|software/i }).waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  assert.match(await fact(page, "Device"), /CPU/);
});

test("everything shows before the module has arrived", async (t) => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const prepare = (page) => page.route("**/*.wasm", async (route) => {
    await held;
    await route.continue();
  });
  const page = await visit(site, t, { prepare });
  for (const name of ["Choose a picture", "Cat", "Astronaut", "Coffee", "Rocket", "Photographer"]) {
    await page.getByRole("button", { name }).waitFor();
  }
  await sheet(page, "model");
  await page.getByRole("button", { name: "Open model files" }).waitFor();
  await page.getByRole("button", { name: "Cat" }).click(); // what is asked too early is done in its time
  release();
  await shown(page);
});

for (const colorScheme of ["light", "dark"]) {
  for (const [device, options] of [["desktop", {}], ["phone", phone]]) {
    test(`accessible and within the window: ${device}, ${colorScheme}`, async (t) => {
      const page = await visit(site, t, { ...options, colorScheme });
      await loaded(page);
      await fits(page);
      assert.deepEqual(await axe(page), []);
      await page.getByRole("button", { name: "Cat" }).click();
      await shown(page);
      await advanced(page);
      await fits(page);
      assert.deepEqual(await axe(page), []);
      for (const tab of await page.getByRole("tab").all()) {
        await tab.click();
        await drawn(page);
        await fits(page);
        assert.deepEqual(await axe(page), [], await tab.textContent());
      }
    });
  }
}
