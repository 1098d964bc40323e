// Whether the page keeps what it no longer needs: many encodings, loads and losses in one tab, memory before and after.
// `node tests/soak/page.mjs [ENCODINGS] [LOADS] [LOSSES] [gpu|cpu]`, 1000, 100 and 20 on the GPU if left out; 0 leaves
// one out. Growth is from the fiftieth of a kind (or after a tenth of fewer) to the last; above 2 % it exits with 1.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { root } from "../../web/tools/run.mjs";
import { serve } from "../../web/tools/serve.mjs";
import { findChromium } from "../../web/tools/setup.mjs";
import { args } from "../browser/chromium.mjs";
import { before, cause, trouble } from "../browser/trouble.mjs";
import { loaded, shown } from "../browser/visitor.mjs";

const MOST = 0.02;
const [encodings = 1000, loads = 100, losses = 20] = process.argv.slice(2, 5).map(Number);
const device = process.argv[5] ?? "gpu";
if (!existsSync("/proc/self/status")) throw new Error("Processes' memory is read from /proc, which only Linux has.");

const server = await serve({ "/": join(root, "www") });
const browser = await chromium.launchServer({
  executablePath: await findChromium(),
  args: [...args, "--js-flags=--expose-gc", "--enable-blink-features=ForceEagerMeasureMemory"],
});
const client = await chromium.connect(browser.wsEndpoint());
const page = await client.newPage();
page.setDefaultTimeout(120_000);
const alarm = () => page.getByRole("alert").first().textContent();

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

/** Resident bytes of the browser's processes of a type. */
function resident(type) {
  const parents = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      parents.set(pid, /\) . (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
    } catch { /* it has ended meanwhile */ }
  }
  const ours = (pid) => pid !== undefined && (pid === String(browser.process().pid) || ours(parents.get(pid)));
  const is = (pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`--type=${type}`);
    } catch {
      return false;
    }
  };
  const sizes = [...parents.keys()].filter((pid) => ours(pid) && is(pid))
    .map((pid) => 1024 * Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}

const worker = () => page.workers().find((one) => one.url().includes("/worker-"));

async function measure() {
  // What was let go returns to the system a little later.
  for (let time = 0; time < 2; time++) {
    for (const one of [page, worker()]) await one.evaluate(() => globalThis.gc());
    await page.waitForTimeout(2000);
  }
  const module = await worker().evaluate(() => self.memory.buffer.byteLength);
  const { bytes } = await page.evaluate(() => performance.measureUserAgentSpecificMemory());
  return { renderer: resident("renderer"), gpu: resident("gpu-process"), module, page: bytes };
}

const table = [];
let worst = 0;
async function phase(name, count, once) {
  if (!count) return;
  const from = Math.max(1, Math.min(50, Math.floor(count / 10)));
  let before = null;
  let half = null;
  const start = performance.now();
  for (let at = 1; at <= count; at++) {
    await once(at);
    const alarmed = (await alarm()).trim();
    if (alarmed) throw new Error(`${name} ${at}: ${alarmed}`);
    if (at === from) before = await measure();
    if (at === Math.ceil(count / 2)) half = await measure();
  }
  const after = await measure();
  const seconds = (performance.now() - start) / 1000;
  for (const what of Object.keys(after)) {
    const growth = after[what] / before[what] - 1;
    worst = Math.max(worst, growth);
    const mb = (bytes) => (bytes / 1e6).toFixed(1).padStart(8);
    table.push(`${name.padEnd(10)}${what.padEnd(10)}${mb(before[what])}${mb(half[what])}${mb(after[what])}${(100 * growth).toFixed(2).padStart(8)} %`);
  }
  console.log(`${count} ${name} in ${seconds.toFixed(0)} s`);
}

/** Waits until the page says again that a photograph was encoded. */
async function encoded(work) {
  await page.evaluate(() => (document.querySelector("#status").textContent = ""));
  await work();
  await page.waitForFunction(() => / took /.test(document.querySelector("#status").textContent) || document.querySelector("#alert").textContent);
}

await page.goto(`${server.url}?device=${device}`);
await loaded(page);
await page.getByText("Settings").click();
await page.getByLabel("Image size").fill("56");
await page.getByRole("button", { name: "Cat" }).click();
await shown(page);
const again = () => encoded(() => page.getByRole("button", { name: "Encode again" }).click());
await phase("encodings", encodings, again);
await phase("loads", loads, () => encoded(() => page.evaluate(() => document.querySelector("#bundled-model").click())));
await phase("losses", losses, async () => {
  await cause(page, "destroy");
  await cause(page, "lose", 1);
  await again();
  await page.locator("#device .note", { hasText: "opened again" }).waitFor();
});
console.log(`in MB, after          first    half     all  growth\n${table.join("\n")}`);
await client.close();
await browser.close();
server.close();
if (worst > MOST) {
  console.error(`Memory grows by ${(100 * worst).toFixed(1)} %, expected at most ${100 * MOST} %.`);
  process.exit(1);
}
