// A served page and a visitor who minds what must never happen.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before } from "node:test";
import { serve } from "../../web/tools/serve.mjs";
import { browser } from "./chromium.mjs";

export const path = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** A software adapter is slow, and so is the first run of each shader. */
export const PATIENCE = 90_000;

/**
 * Call at the top of a spec; `site` is filled before its first test. Its visitors follow each other in one profile, which is
 * emptied after each, as a new one takes a second of the processor; with `fresh` each has a profile of his own.
 */
export function openSite({ fresh = false } = {}) {
  const site = { url: "", browser: null, profiles: fresh ? null : [] };
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

/** A profile for a visitor with these options, and what is to be done when he has left. */
async function profile(site, options) {
  const kind = JSON.stringify(options);
  const idle = site.profiles?.find((one) => one.kind === kind && !one.taken);
  const found = idle ?? { kind, context: await site.browser.newContext(options), keeper: null };
  found.taken = true;
  if (!idle) site.profiles?.push(found);
  if (!site.profiles) return { context: found.context, leave: () => found.context.close() };
  if (!found.keeper) {
    // A page that stays keeps the process that the others start in.
    const page = await found.context.newPage();
    await page.goto(`${site.url}blank/`);
    found.keeper = { page, session: await found.context.newCDPSession(page) };
  }
  const { context, keeper } = found;
  const leave = async () => {
    await Promise.all(context.pages().filter((page) => page !== keeper.page).map((page) => page.close()));
    await keeper.session.send("Storage.clearDataForOrigin", { origin: new URL(site.url).origin, storageTypes: "all" });
    found.taken = false;
  };
  return { context, leave };
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
 * A page of a new visitor's. When the test ends, it fails if anything was asked of another
 * origin, except those in `allow`, or an error reached the console, except those that are like `refused`.
 */
export async function visit(site, t, { query = "", prepare = async () => {}, allow = [], refused = null, ...options } = {}) {
  const { context, leave } = await profile(site, { viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", serviceWorkers: "block", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const trouble = [];
  const allowed = (url) => allow.some((origin) => url.startsWith(origin));
  const mind = (request) => {
    const own = request.url().startsWith(site.url) || /^(blob|data):/.test(request.url());
    if (!own && !allowed(request.url())) trouble.push(`asked another origin for ${request.url()}`);
  };
  context.on("request", mind);
  // What an allowed server refuses, the browser reports by itself.
  page.on("console", (message) => message.type() === "error" && !allowed(message.location().url) && !refused?.test(message.text()) && trouble.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => trouble.push(`uncaught: ${error.message}`));
  t.after(async () => {
    await leave();
    context.off("request", mind);
    assert.deepEqual(trouble, []);
  });
  await prepare(page);
  await page.goto(site.url + usual(query));
  return page;
}
