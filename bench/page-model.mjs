// A model from a hub of one's own into the page: how long it takes, and how much memory the module needs.
//
//   cargo run --release -- init --config config.json --dtype f16 --out target/models/random/300m
//   node bench/page-model.mjs target/models random/300m [gpu|cpu] [image size]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";
import { serve } from "../web/tools/serve.mjs";
import { findChromium } from "../web/tools/setup.mjs";
import { args } from "../tests/browser/chromium.mjs";
import { path } from "../tests/browser/site.mjs";
import { startHub } from "../tests/common/hub.mjs";

const [folder = "target/models", name = "random/300m", device = "gpu", side = ""] = process.argv.slice(2);
const hub = await startHub(resolve(folder));
const server = await serve({ "/": path("www") });
// A visitor's store lies on the disk, a test's in memory.
const profile = mkdtempSync(join(tmpdir(), "internvit-profile-"));
const context = await chromium.launchPersistentContext(profile, { executablePath: await findChromium(), args });
context.setDefaultTimeout(1_800_000);
await context.route((url) => url.href.startsWith(server.url) && url.pathname === "/", async (route) => {
  const response = await route.fetch();
  await route.fulfill({ response, body: (await response.text()).replace("https://huggingface.co", hub.address) });
});
// The worker's instance of the module is out of the page's reach; its memory is noted where it is made.
await context.route("**/worker-*.js", async (route) => {
  const response = await route.fetch();
  const note = `for (const name of ["instantiate", "instantiateStreaming"]) {
    const made = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const result = await made.apply(WebAssembly, given);
      const { memory } = (result.instance ?? result).exports;
      new BroadcastChannel("memory").addEventListener("message", ({ data, target }) => data === "?" && target.postMessage(memory.buffer.byteLength));
      return result;
    };
  }\n`;
  await route.fulfill({ response, body: note + (await response.text()) });
});
const page = await context.newPage();
page.on("pageerror", (error) => console.error(error.message));
/** Memory of a module only grows, so what it has is what it needed at most. */
const memory = () => page.evaluate(() => new Promise((done) => {
  const channel = new BroadcastChannel("memory");
  channel.onmessage = ({ data }) => done(data);
  channel.postMessage("?");
}));
const told = async (what, work) => {
  const begin = performance.now();
  await work();
  console.log(`${what.padEnd(40)}${((performance.now() - begin) / 1000).toFixed(1).padStart(8)} s${((await memory()) / 1e6).toFixed(0).padStart(8)} MB of module memory`);
};
const loaded = () => page.locator("#model > .name", { hasText: name }).and(page.locator("#model:has(.summary:text('parameters')) > .name")).waitFor();

await page.goto(`${server.url}?device=${device}&threads=1&start=plain`);
await page.locator("#model .summary", { hasText: "parameters" }).waitFor();
await told("bundled model", async () => undefined);
await page.getByText("More models", { exact: true }).click();
await told("fetched, checked, stored and loaded", async () => {
  await page.getByLabel(/^Another one/).fill(name);
  await page.getByRole("button", { name: "Get this model" }).click();
  await loaded();
});
hub.close();
await page.reload();
await told("loaded again, without the hub", loaded);
await told("a photograph encoded", async () => {
  if (side) {
    await page.getByText("Settings").click();
    await page.getByLabel("Image size").fill(side);
  }
  await page.getByRole("button", { name: "Cat" }).click();
  await page.locator("#stage[data-state=shown][data-drawn]").waitFor();
});
console.log(await page.locator("#facts").innerText());
await context.close();
rmSync(profile, { recursive: true, force: true });
server.close();
