// Samples are encoded while the page rests, so that the next one is there without an encoding.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { advanced, fact, shown } from "./visitor.mjs";

const site = openSite({ fresh: true });
/** One thread: less than a third of a second is not worth the work. */
const SLOW = "?start=sample&threads=1";
/** The usual detail, by the device's speed. */
const FINE = /^\d\d × \d\d$/;

/** Counts what the page asks its worker for, and what is answered. */
const counted = (page) => page.addInitScript(() => {
  window.encodes = { asked: 0, answered: 0, ended: 0 };
  const ids = new Set();
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message?.call === "encode") {
      window.encodes.asked++;
      ids.add(message.id);
      if (ids.size === 1) {
        this.addEventListener("message", ({ data }) => {
          if (!ids.has(data?.id) || "progress" in data) return;
          window.encodes["failure" in data ? "ended" : "answered"]++;
        });
      }
    }
    return postMessage.call(this, message, ...rest);
  };
});
const answered = (page, count) => page.waitForFunction((count) => window.encodes.answered >= count, count);
const asked = (page) => page.evaluate(() => window.encodes.asked);
const choose = async (page, name, file) => {
  await page.getByRole("button", { name }).click();
  await page.locator("#facts", { hasText: file }).waitFor({ state: "attached" });
  await shown(page);
};
/** The sample with which the page begins: a first look, then the usual detail. */
const begun = async (page) => {
  await page.locator("#status", { hasText: "coffee.png took" }).waitFor({ state: "attached" });
  return answered(page, 2);
};

/** Notes when the first view is drawn, in milliseconds from when the page was asked for. */
const timed = (page) => page.addInitScript(() => {
  const drawn = () => {
    if (!document.querySelector("#stage[data-state=shown][data-drawn]")) return void requestAnimationFrame(drawn);
    window.firstView ??= performance.now();
  };
  requestAnimationFrame(drawn);
});

test("the model arrives while its program is compiled", async (t) => {
  let asked;
  const model = new Promise((resolve) => (asked = resolve));
  // The program comes only after the model has been asked for.
  const prepare = async (page) => {
    await page.context().route("**/model.safetensors", (route) => (asked(), route.continue()));
    await page.context().route("**/*.wasm", (route) => model.then(() => route.continue()));
  };
  const page = await visit(site, t, { query: "?start=sample&model=", prepare });
  await shown(page);
});

test("without a click a sample's features are on the screen", async (t) => {
  const page = await visit(site, t, { query: "?start=sample&model=", prepare: timed });
  await shown(page);
  const milliseconds = await page.evaluate(() => window.firstView);
  t.diagnostic(`the first view after ${Math.round(milliseconds)} ms`);
  assert.ok(milliseconds < 8000, `${milliseconds} ms`);
});

test("once the page has rested, each sample is there without another encoding", async (t) => {
  const page = await visit(site, t, { query: SLOW, prepare: counted });
  await begun(page);
  await answered(page, 6);
  await page.waitForTimeout(1000);
  assert.equal(await asked(page), 6, "each of the other four once");
  // Nobody has opened them: they are not among the visitor's pictures.
  const begin = Date.now();
  await choose(page, "Cat", "chelsea.png");
  t.diagnostic(`from click to screen: ${Date.now() - begin} ms`);
  assert.match(await fact(page, "Patches"), FINE);
  await choose(page, "Rocket", "rocket.jpg");
  await choose(page, "Cat", "chelsea.png");
  assert.equal(await asked(page), 6);
  // Other settings: what is there does not serve.
  await advanced(page);
  await page.locator("#image-size").fill("112");
  await choose(page, "Astronaut", "astronaut.png");
  assert.equal(await fact(page, "Patches"), "8 × 8");
  assert.equal(await asked(page), 7);
});

test("what is asked for comes first, and the work goes on when the page rests again", async (t) => {
  const page = await visit(site, t, { query: SLOW, prepare: counted });
  await begun(page);
  await page.waitForFunction(() => window.encodes.asked >= 3);
  // In the middle of the first one ahead.
  await page.getByRole("tab", { name: "Attention" }).click();
  await page.waitForFunction(() => window.encodes.ended >= 1);
  await answered(page, 6);
  const before = await asked(page);
  await choose(page, "Photographer", "camera.png");
  assert.equal(await asked(page), before);
});

test("beside a visitor's own picture nothing is encoded", async (t) => {
  const page = await visit(site, t, { query: SLOW, prepare: counted });
  await page.locator("#facts", { hasText: "15 × 10" }).waitFor({ state: "attached" });
  await page.locator("#photo-file").setInputFiles(path("www/samples/rocket.jpg"));
  await page.locator("#status", { hasText: "rocket.jpg took" }).waitFor({ state: "attached" });
  const before = await asked(page);
  await page.waitForTimeout(4000);
  assert.equal(await asked(page), before);
});
