// The service worker: the page without a network, and the change from one version to the next.
import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeWorker } from "../../web/tools/offline.mjs";
import { serve } from "../../web/tools/serve.mjs";
import { browser, profiled } from "./chromium.mjs";
import { PATIENCE, path, visit } from "./site.mjs";
import { fact, loaded, sheet, shown } from "./visitor.mjs";

const site = { url: "", browser: null };
const folder = mkdtempSync(join(tmpdir(), "internvit-offline-"));
let server;
const start = async () => {
  server = await serve({ "/": folder }, site.url ? Number(new URL(site.url).port) : 0);
  site.url = server.url;
};

before(async () => {
  // Without the larger model's weights the page stays with the small one.
  cpSync(path("www"), folder, { recursive: true, filter: (name) => !/dinov2-small.model/.test(name) });
  writeWorker(folder);
  await start();
  site.browser = await browser();
});
after(async () => {
  await site.browser?.close();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const kept = (page) => page.locator("#offline", { hasText: "opens offline" }).waitFor({ state: "attached" });
const names = (page) => page.evaluate(() => caches.keys());
/** Waits until an asynchronous condition holds in the page. */
async function until(page, condition, given) {
  for (const end = Date.now() + 30_000; Date.now() < end; await page.waitForTimeout(100)) if (await page.evaluate(condition, given)) return;
  assert.fail(`Not within 30 s: ${condition}`);
}
/** Opens the page until the version is there that marks itself so. */
async function opened(page, mark) {
  const there = () => page.waitForFunction((mark) => document.documentElement.dataset[mark] === mark, mark, { timeout: 6000 }).then(() => true, () => false);
  let openings = 0;
  // A tab that was closed, and the page before, count for a moment longer, on a busy machine beyond an opening.
  do await page.reload();
  while (!(await there()) && ++openings < 5);
  assert.ok(openings < 5, "the later version did not take over");
  await loaded(page);
}
const allowed = { serviceWorkers: "allow", refused: /ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED|404/ };

test("once loaded, the page opens and encodes a sample without its server", async (t) => {
  const page = await visit(site, t, { query: "?size=112", ...allowed });
  await loaded(page);
  await kept(page);
  server.close();
  t.after(start);
  await page.reload();
  await loaded(page);
  assert.equal(await page.evaluate(() => navigator.serviceWorker.controller !== null), true);
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  await page.getByRole("button", { name: "Rocket" }).click();
  await shown(page);
  assert.match(await fact(page, "Photograph"), /^rocket\.jpg/);
  await sheet(page, "about");
  assert.match(await page.locator("#offline").textContent(), /^This page is kept on this device: it opens offline\.$/);
});

test("a later version replaces the earlier one whole, at the next opening that no other tab hinders", async (t) => {
  const page = await visit(site, t, allowed);
  await loaded(page);
  await kept(page);
  const before = await names(page);
  assert.equal(before.length, 1);
  appendFileSync(join(folder, "js/main.js"), "\ndocument.documentElement.dataset.later = \"later\";\n");
  writeWorker(folder);
  const later = /VERSION = "(\w+)"/.exec(readFileSync(join(folder, "sw.js"), "utf8"))[1];
  await page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()));
  await until(page, async () => Boolean((await navigator.serviceWorker.ready).waiting));
  // The page that is open goes on with what it has.
  assert.equal(await page.evaluate(async () => (await (await fetch("js/main.js")).text()).includes("dataset.later")), false);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await loaded(other);
  assert.equal(await other.evaluate(() => document.documentElement.dataset.later), undefined);
  await other.close();
  await opened(page, "later");
  await until(page, async (name) => (await caches.keys()).every((one) => one.endsWith(name)), later);
});

test("on this device, a page that was built again is there at the next opening", async (t) => {
  const page = await visit(site, t, allowed);
  await loaded(page);
  await kept(page);
  // The worker has the page only from its second opening on.
  await page.reload();
  await loaded(page);
  appendFileSync(join(folder, "js/main.js"), "\ndocument.documentElement.dataset.built = \"built\";\n");
  writeWorker(folder);
  await opened(page, "built");
});

test("a file that is not of the version keeps the whole version out", async (t) => {
  const whole = readFileSync(join(folder, "styles.css"));
  appendFileSync(join(folder, "styles.css"), "\n/* another */\n");
  t.after(() => cpSync(path("www/styles.css"), join(folder, "styles.css")));
  assert.ok(whole.length > 0);
  const page = await visit(site, t, allowed);
  await loaded(page);
  const state = await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.register("sw.js").catch(() => null);
    const worker = registration?.installing;
    if (!worker) return "none";
    return new Promise((done) => worker.addEventListener("statechange", () => done(worker.state)));
  });
  assert.ok(["redundant", "none"].includes(state), state);
  assert.deepEqual(await names(page), []);
  assert.equal(await page.locator("#offline").isHidden(), true);
});

test("the default model is kept too, and the page can be installed", async (t) => {
  const whole = await serve({ "/": path("www") });
  // Weights of 25 MB stay in the cache of a browser that keeps its profile, and in no other's.
  const profile = mkdtempSync(join(tmpdir(), "internvit-profile-"));
  const context = await profiled(profile);
  t.after(async () => {
    await context.close();
    whole.close();
    rmSync(profile, { recursive: true, force: true });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const model = () => page.locator("#model-chip", { hasText: "DINOv2" }).waitFor();
  await page.goto(`${whole.url}?device=cpu`);
  await model();
  await kept(page);
  const session = await context.newCDPSession(page);
  assert.deepEqual((await session.send("Page.getInstallabilityErrors")).installabilityErrors, []);
  whole.close();
  await page.reload();
  await model();
  await page.getByRole("button", { name: "Rocket" }).click();
  await shown(page);
  assert.match(await fact(page, "Photograph"), /^rocket\.jpg/);
  assert.match(await fact(page, "Tokens"), /× 384$/);
});
