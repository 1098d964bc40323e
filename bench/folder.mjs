// How a folder of many photographs behaves in the page: the time to read it, to arrange it, frames while it is
// moved and scrolled, and memory.
//
//   node bench/folder.mjs [photographs] [model, as the page's address calls it]
//
// The photographs are parts of the samples, 800 × 600, as JPEG; Chromium, on the processor.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "../web/tools/serve.mjs";
import { browser } from "../tests/browser/chromium.mjs";
import { path } from "../tests/browser/site.mjs";

const [count = 2000, model = "internvit-tiny"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "internvit-photographs-"));
const server = await serve({ "/": path("www") });
const chromium = await browser();
const page = await chromium.newPage({ viewport: { width: 1440, height: 900 } });
page.setDefaultTimeout(3_600_000);
try {
  await page.goto(`${server.url}?device=cpu&start=plain&model=${model}`);
  await make(Number(count));
  await page.locator("#model .summary", { hasText: "parameters" }).waitFor({ state: "attached" });
  const before = await memory();
  const told = (text) => page.locator(".folder [role=status]", { hasText: text }).first().waitFor({ state: "attached" });
  const reading = await timed(async () => {
    await page.locator("#folder-files").setInputFiles(folder);
    await told(new RegExp(`^${count} of ${count} read`));
  });
  report("read", `${(reading / 1000).toFixed(0)} s, ${(count / (reading / 1000)).toFixed(1)} photographs a second`);
  report("sheet, scrolled", await frames(() => page.evaluate(() => {
    const sheet = document.querySelector(".sheet-of-photos");
    const step = () => (sheet.scrollTop += 40, requestAnimationFrame(step));
    step();
  })));
  await page.reload();
  await page.locator("#model .summary", { hasText: "parameters" }).waitFor({ state: "attached" });
  const again = await timed(async () => {
    await page.locator("#folder-files").setInputFiles(folder);
    await told(new RegExp(`^${count} of ${count} read`));
  });
  report("opened again", `${(again / 1000).toFixed(1)} s`);
  const arranging = await timed(async () => {
    await page.locator(".folder").getByText("Map", { exact: true }).click();
    await page.locator(".map-state").waitFor({ state: "visible" });
    await page.locator(".map-state").waitFor({ state: "hidden" });
  });
  report("arranged", `${(arranging / 1000).toFixed(1)} s`);
  await page.getByLabel("Colour by group").check();
  await page.waitForTimeout(3000);
  report("map, whole, moved", await frames(() => move(1)));
  report("map, enlarged, moved", await frames(() => move(6)));
  report("memory of the page's process", `${before} MB before, ${await memory()} MB with the folder`);
} finally {
  await chromium.close();
  server.close();
  rmSync(folder, { recursive: true, force: true });
}

/** Parts of the samples at other places and sizes, and some in another light. */
async function make(count) {
  for (let from = 0; from < count; from += 50) {
    const made = await page.evaluate(async ([from, to]) => {
      const names = ["chelsea.png", "astronaut.png", "coffee.png", "rocket.jpg", "camera.png"];
      globalThis.samplePictures ??= await Promise.all(names.map(async (name) => createImageBitmap(await (await fetch(`samples/${name}`)).blob())));
      const files = [];
      for (let at = from; at < to; at++) {
        const sample = globalThis.samplePictures[at % 5];
        const part = 0.4 + 0.6 * ((at * 0.618) % 1);
        const [width, height] = [sample.width * part, sample.height * part];
        const canvas = new OffscreenCanvas(800, 600);
        const context = canvas.getContext("2d");
        context.filter = `hue-rotate(${(at % 7) * 20}deg) brightness(${0.7 + 0.1 * (at % 6)})`;
        context.drawImage(sample, (sample.width - width) * ((at * 0.37) % 1), (sample.height - height) * ((at * 0.73) % 1), width, height, 0, 0, 800, 600);
        const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 })).arrayBuffer());
        files.push(btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")));
      }
      return files;
    }, [from, Math.min(count, from + 50)]);
    made.forEach((base64, at) => writeFileSync(join(folder, `${String(from + at).padStart(5, "0")}.jpg`), Buffer.from(base64, "base64")));
  }
}

/** Moves the map for the time of the measurement, enlarged so many times. */
async function move(zoom) {
  await page.evaluate((zoom) => {
    const canvas = document.querySelector(".map canvas");
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const at = (x, y) => ({ clientX: left + x * width, clientY: top + y * height, bubbles: true, pointerId: 1 });
    canvas.setPointerCapture = () => undefined;
    for (let times = 0; times < 8 && zoom > 1; times++) canvas.dispatchEvent(new WheelEvent("wheel", { ...at(0.5, 0.5), deltaY: -100, cancelable: true }));
    canvas.dispatchEvent(new PointerEvent("pointerdown", at(0.5, 0.5)));
    const step = (now) => {
      canvas.dispatchEvent(new PointerEvent("pointermove", at(0.5 + 0.1 * Math.sin(now / 500), 0.5 + 0.1 * Math.cos(now / 700))));
      globalThis.moving = requestAnimationFrame(step);
    };
    cancelAnimationFrame(globalThis.moving);
    step(0);
  }, zoom);
}

/** Frames a second, and the longest of them, in five seconds of some movement. */
async function frames(begin) {
  await begin();
  const gaps = await page.evaluate(() => new Promise((done) => {
    const gaps = [];
    let [first, last] = [0, 0];
    const step = (now) => {
      if (last) gaps.push(now - last);
      first ||= now;
      last = now;
      if (now - first < 5000) requestAnimationFrame(step);
      else done(gaps);
    };
    requestAnimationFrame(step);
  }));
  gaps.sort((a, b) => a - b);
  const all = gaps.reduce((sum, gap) => sum + gap, 0) / 1000;
  return `${(gaps.length / all).toFixed(1)} frames a second, 99 % within ${gaps[Math.floor(0.99 * gaps.length)].toFixed(0)} ms, the longest ${gaps.at(-1).toFixed(0)} ms`;
}

/** Megabytes of the largest renderer process, which holds the page and its workers. Linux only. */
async function memory() {
  const session = await chromium.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const now = ({ id }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0) / 1000;
  return Math.round(Math.max(...processInfo.filter(({ type }) => type === "renderer").map(now)));
}

async function timed(work) {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

function report(what, how) {
  console.log(`${what}: ${how}`);
}
