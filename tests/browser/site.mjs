// A served page and a visitor who minds what must never happen.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before } from "node:test";
import { serve } from "../../web/tools/serve.mjs";
import { browser } from "./chromium.mjs";

export const path = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** A software adapter is slow, and so is the first run of each shader. */
export const PATIENCE = 90_000;

/** Call at the top of a spec; `site` is filled before its first test. */
export function openSite() {
  const site = { url: "", browser: null };
  let server;
  before(async () => {
    server = await serve({
      "/pkg/": path("web/pkg"), "/golden/": path("tests/golden"), "/blank/": path("tests/browser/blank"), "/": path("www"),
    });
    site.url = server.url;
    site.browser = await browser();
  });
  after(async () => {
    await site.browser?.close();
    server?.close();
  });
  return site;
}

/**
 * What most specs need: the processor, as a software adapter takes ten times as long, and an empty page that encodes
 * small and once (`start=plain`). A spec that is about these says so in its query.
 */
function usual(query) {
  if (query.startsWith("blank/")) return query;
  const [search, hash] = query.split("#");
  const added = [["device", "cpu"], ["start", "plain"]].filter(([name]) => !search.includes(`${name}=`));
  // The page would go on with a larger model.
  if (search.includes("start=sample") && !search.includes("model=")) added.push(["model", "internvit-tiny"]);
  const asked = [search.replace(/^\?/, ""), ...added.map((pair) => pair.join("="))].filter(Boolean).join("&");
  return `?${asked}${hash === undefined ? "" : `#${hash}`}`;
}

/**
 * A fresh page. When the test ends, it fails if anything was asked of another
 * origin, except those in `allow`, or an error reached the console, except those that are like `refused`.
 */
export async function visit(site, t, { query = "", prepare = async () => {}, allow = [], refused = null, ...options } = {}) {
  const context = await site.browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", serviceWorkers: "block", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const trouble = [];
  const allowed = (url) => allow.some((origin) => url.startsWith(origin));
  context.on("request", (request) => {
    const own = request.url().startsWith(site.url) || /^(blob|data):/.test(request.url());
    if (!own && !allowed(request.url())) trouble.push(`asked another origin for ${request.url()}`);
  });
  // What an allowed server refuses, the browser reports by itself.
  page.on("console", (message) => message.type() === "error" && !allowed(message.location().url) && !refused?.test(message.text()) && trouble.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => trouble.push(`uncaught: ${error.message}`));
  t.after(async () => {
    await context.close();
    assert.deepEqual(trouble, []);
  });
  await prepare(page);
  await page.goto(site.url + usual(query));
  return page;
}
