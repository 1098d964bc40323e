// How soon the page stands, and that it answers while it computes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite, visit } from "./site.mjs";
import { loaded, shown } from "./visitor.mjs";

const site = openSite({ fresh: true });

test("the page stands within a second", async (t) => {
  const page = await visit(site, t);
  await page.getByRole("button", { name: "Choose a picture" }).waitFor();
  const milliseconds = await page.evaluate(() => performance.getEntriesByType("navigation")[0].loadEventEnd);
  t.diagnostic(`loaded in ${Math.round(milliseconds)} ms, before the model`);
  assert.ok(milliseconds < 1000);
});

test("the page never waits for the network", async (t) => {
  const page = await visit(site, t, { query: "?device=gpu" });
  await loaded(page);
  await page.evaluate(() => {
    globalThis.long = [];
    new PerformanceObserver((list) => globalThis.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
    globalThis.frames = 0;
    globalThis.begun = performance.now();
    const count = () => {
      globalThis.frames++;
      requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
  });
  await page.getByRole("button", { name: "Cat" }).click();
  await shown(page);
  const { long, rate } = await page.evaluate(() => ({ long: globalThis.long, rate: (1000 * globalThis.frames) / (performance.now() - globalThis.begun) }));
  t.diagnostic(`${Math.round(rate)} frames a second while encoding, longest task ${Math.round(Math.max(0, ...long))} ms`);
  // A frame at 10 a second; a blocked page would show one task as long as the encoding.
  assert.ok(Math.max(0, ...long) < 100, `tasks of ${long} ms on the page's thread`);
});
