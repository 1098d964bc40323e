// Whether the page keeps what it no longer needs when its graphics device is lost: `node tests/soak/losses.mjs [LOSSES]
// [gpu|cpu]`, 50 on the GPU if left out, in one tab, memory before and after.
import { join } from "node:path";
import { chromium } from "playwright-core";
import { root } from "../../web/tools/run.mjs";
import { serve } from "../../web/tools/serve.mjs";
import { findChromium } from "../../web/tools/setup.mjs";
import { args } from "../browser/chromium.mjs";
import { before, cause, trouble } from "../browser/trouble.mjs";
import { loaded, shown } from "../browser/visitor.mjs";
import { conclude, phase, resident } from "./growth.mjs";

const [losses = "50", device = "gpu"] = process.argv.slice(2);

const server = await serve({ "/": join(root, "www") });
const browser = await chromium.launchServer({
  executablePath: await findChromium(),
  args: [...args, "--js-flags=--expose-gc", "--enable-blink-features=ForceEagerMeasureMemory"],
});
const client = await chromium.connect(browser.wsEndpoint());
const page = await client.newPage();
page.setDefaultTimeout(120_000);

/** Runs at the beginning of the worker's script: keeps hold of the module's memory. */
function hold() {
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const start = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const made = await start(...given);
      self.memory = (made.instance ?? made).exports.memory;
      return made;
    };
  }
}
await before(page, hold, trouble);

const worker = () => page.workers().find((one) => one.url().includes("/worker-"));

async function measure() {
  // What was let go returns to the system a little later.
  for (let time = 0; time < 2; time++) {
    for (const one of [page, worker()]) await one.evaluate(() => globalThis.gc());
    await page.waitForTimeout(2000);
  }
  const module = await worker().evaluate(() => self.memory.buffer.byteLength);
  const { bytes } = await page.evaluate(() => performance.measureUserAgentSpecificMemory());
  const [renderer, gpu] = ["renderer", "gpu-process"].map((type) => resident(browser.process().pid, type));
  return { renderer, gpu, module, page: bytes };
}

await page.goto(`${server.url}?device=${device}&start=plain`);
await loaded(page);
await page.getByText("Settings").click();
await page.getByLabel("Image size").fill("56");
await page.getByRole("button", { name: "Cat" }).click();
await shown(page);
await phase("losses", Number(losses), measure, async () => {
  await cause(page, "destroy");
  await cause(page, "lose", 1);
  await page.evaluate(() => (document.querySelector("#status").textContent = ""));
  await page.getByRole("button", { name: "Encode again" }).click();
  await page.locator("#status", { hasText: / took / }).waitFor();
  await page.locator("#device .note", { hasText: "opened again" }).waitFor();
  const alarm = (await page.getByRole("alert").first().textContent()).trim();
  if (alarm) throw new Error(alarm);
});
conclude();
await client.close();
await browser.close();
server.close();
