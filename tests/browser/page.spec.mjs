// What a visitor does, on the bundled model.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";

const site = openSite();
const cat = { name: "my cat.png", mimeType: "image/png", buffer: readFileSync(path("www/samples/chelsea.png")) };
const text = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture at all") };
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

test("one click on a sample gives the picture, the time and the adapter", async (t) => {
  const page = await visit(site, t);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  assert.ok((await spread(page)) > 10, "the picture is nearly uniform");
  assert.match(await fact(page, "Time"), /^[\d.,]+ m?s$/);
  assert.match(await fact(page, "Device"), /\S \(.+\)$/);
  assert.equal(await fact(page, "Patches"), "16 × 16");
  assert.match(await fact(page, "Photograph"), /chelsea\.png, 451 × 300/);
  assert.match(await page.getByRole("status").textContent(), /Its features are shown/);
});

test("the slider fades to the photograph", async (t) => {
  const page = await visit(site, t);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  const features = await middle(page);
  await page.getByRole("slider").fill("0");
  await page.waitForFunction(() => document.querySelector("#fade").value === "0");
  await frame(page);
  assert.notDeepEqual(await middle(page), features);
});

test("a photograph can be chosen, dropped and pasted", async (t) => {
  const page = await visit(site, t);
  await page.locator("#photo-file").setInputFiles(cat);
  await shown(page);
  assert.match(await fact(page, "Photograph"), /my cat\.png/);
  for (const event of ["drop", "paste"]) {
    await hand(page, event, `${event}.png`, cat);
    await page.locator("#facts", { hasText: `${event}.png` }).waitFor();
    await shown(page);
  }
});

test("the picture and the features can be saved", async (t) => {
  const page = await visit(site, t);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  const picture = await saved(page, "Save picture");
  assert.equal(picture.name, "chelsea-features.png");
  assert.deepEqual([picture.bytes.readUInt32BE(16), picture.bytes.readUInt32BE(20)], [451, 300]);
  const features = await saved(page, "Save features (.npy)");
  assert.equal(features.name, "chelsea-features.npy");
  const start = 10 + features.bytes.readUInt16LE(8);
  assert.equal(start % 64, 0);
  const [, shape] = /'shape': \(([\d, ]+)\)/.exec(features.bytes.toString("latin1", 10, start));
  const count = shape.split(",").filter((n) => n.trim()).reduce((product, n) => product * Number(n), 1);
  assert.equal(features.bytes.length, start + 4 * count);
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
  await shown(page);
  assert.match(await fact(page, "Photograph"), /coffee\.png/);
  // The next photograph takes the alert away.
  await page.getByRole("button", { name: "Cat" }).click();
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor();
  assert.equal((await page.getByRole("alert").textContent()).trim(), "");
});

test("encoding can be cancelled", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  await page.getByText("Settings").click();
  await page.getByLabel("Image size").fill("448"); // long enough to be interrupted
  await page.getByRole("button", { name: "Rocket" }).click();
  await page.getByText(/^Encoding rocket\.jpg/).first().waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("status").filter({ hasText: "Cancelled." }).waitFor();
  assert.equal(await state(page), "empty");
  await page.getByLabel("Image size").fill("");
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
});

test("settings change what the network reads", async (t) => {
  const page = await visit(site, t);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  await page.getByText("Settings").click();
  await page.getByLabel("Image size").fill("112");
  await page.getByRole("button", { name: "Encode again" }).click();
  await page.locator("#facts", { hasText: "8 × 8" }).waitFor();
  await shown(page);
});

test("a keyboard is enough", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  await tabTo(page, "Cat");
  await page.keyboard.press("Enter");
  await shown(page);
  await tabTo(page, "Fade from the photograph to the features", "Shift+Tab");
  await page.keyboard.press("Home");
  assert.equal(await page.getByRole("slider").inputValue(), "0");
  await tabTo(page, "Settings");
  await page.keyboard.press("Enter");
  assert.ok(await page.getByLabel("Image size").isVisible());
});

test("a model from the visitor's own files, and back", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  const folder = "tests/golden/encoder_rms_qknorm_f16";
  const files = (...names) => names.map((name) => path(`${folder}/${name}`));
  const alert = page.getByRole("alert");

  await page.locator("#model-files").setInputFiles(files("config.json"));
  await alert.filter({ hasText: ".safetensors" }).waitFor();

  const before = await page.locator("#model .summary").textContent();
  await page.locator("#model-files").setInputFiles(files("config.json", "model.safetensors"));
  await page.locator("#model .name", { hasText: "model.safetensors" }).waitFor();
  await loaded(page);
  assert.notEqual(await page.locator("#model .summary").textContent(), before);
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);

  const broken = { name: "model.safetensors", mimeType: "", buffer: Buffer.from("not weights") };
  const config = { name: "config.json", mimeType: "", buffer: readFileSync(path(`${folder}/config.json`)) };
  await page.locator("#model-files").setInputFiles([config, broken]);
  await alert.filter({ hasText: /\w/ }).waitFor();
  await page.getByRole("button", { name: "Use the bundled one" }).click();
  await page.waitForFunction((text) => document.querySelector("#model .summary").textContent === text, before);
  await shown(page);
});

test("without WebGPU the page says so and the CPU does the work", async (t) => {
  // Only the worker asks for WebGPU, so it is there that it must be missing.
  const prepare = (page) => page.route("**/worker-*.js", async (route) => {
    const response = await route.fetch();
    const missing = 'Object.defineProperty(WorkerNavigator.prototype, "gpu", { value: undefined });';
    await route.fulfill({ response, body: missing + (await response.text()) });
  });
  const page = await visit(site, t, { prepare });
  await page.locator("#device .note", { hasText: "processor" }).waitFor();
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  assert.match(await fact(page, "Device"), /CPU/);
  assert.ok((await spread(page)) > 10);
});

test("the address can ask for the CPU", async (t) => {
  const page = await visit(site, t, { query: "?device=cpu" });
  await page.locator("#device .name", { hasText: "CPU" }).waitFor();
});

test("everything shows before the module has arrived", async (t) => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const prepare = (page) => page.route("**/*.wasm", async (route) => {
    await held;
    await route.continue();
  });
  const page = await visit(site, t, { prepare });
  for (const name of ["Choose a photograph", "Cat", "Astronaut", "Coffee", "Rocket", "Photographer", "Load your own"]) {
    await page.getByRole("button", { name }).waitFor();
  }
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
      await page.getByText("Settings").click();
      await fits(page);
      assert.deepEqual(await axe(page), []);
    });
  }
}

const state = (page) => page.locator("#stage").getAttribute("data-state");
const loaded = (page) => page.locator("#model .summary", { hasText: "parameters" }).waitFor();
const frame = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** Waits for a picture on the stage; an alert in its place is the failure, at once. */
async function shown(page) {
  const outcome = await page.waitForFunction(() => {
    const alarm = document.querySelector("#alert").textContent;
    return document.querySelector("#stage").dataset.state === "shown" ? "shown" : alarm;
  });
  assert.equal(await outcome.jsonValue(), "shown");
}

async function fact(page, term) {
  return page.locator("#facts div", { has: page.locator("dt", { hasText: term }) }).locator("dd").textContent();
}

/** The largest standard deviation among the canvas's colour channels. */
function spread(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return Math.max(...[0, 1, 2].map((channel) => {
      const values = [...data].filter((_, i) => i % 4 === channel);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    }));
  });
}

function middle(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector("canvas");
    return [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 4, 4).data];
  });
}

/** Drops or pastes a file, as far as scripts can. */
function hand(page, event, name, { mimeType, buffer }) {
  return page.evaluate(([event, name, type, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    const happening = event === "paste"
      ? new ClipboardEvent(event, { clipboardData: transfer, bubbles: true })
      : new DragEvent(event, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector("main").dispatchEvent(happening);
  }, [event, name, mimeType, buffer.toString("base64")]);
}

async function saved(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return { name: download.suggestedFilename(), bytes: Buffer.concat(chunks) };
}

/** Presses Tab until the element of this name has the focus. */
async function tabTo(page, name, key = "Tab") {
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press(key);
    const focused = await page.evaluate(() => {
      const { ariaLabel, textContent } = document.activeElement;
      return ariaLabel ?? textContent.trim();
    });
    if (focused === name) return;
  }
  assert.fail(`Tab does not reach ${name}`);
}

async function fits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} pixels wide in a window of ${window}`);
}

/** What axe finds, serious or worse. */
async function axe(page) {
  await page.evaluate(readFileSync(path("node_modules/axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(", ")}`);
}
