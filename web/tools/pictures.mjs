// Makes the pictures under docs/pictures, as a visitor would save them: `node web/tools/pictures.mjs`.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { root } from "./run.mjs";
import { serve } from "./serve.mjs";
import { setup } from "./setup.mjs";

/** For each photograph a patch to compare with, and ten clicks to teach by, as parts of its size. */
const photos = {
  cat: {
    button: "Cat",
    patch: [0.56, 0.75],
    teach: [
      ["cat", [[0.5, 0.5], [0.3, 0.12], [0.15, 0.75], [0.62, 0.9], [0.7, 0.08]]],
      ["background", [[0.93, 0.3], [0.02, 0.2], [0.95, 0.75], [0.88, 0.05], [0.85, 0.93]]],
    ],
  },
  coffee: {
    button: "Coffee",
    patch: [0.2, 0.6],
    teach: [
      ["cup", [[0.48, 0.42], [0.35, 0.1], [0.2, 0.6], [0.6, 0.72], [0.45, 0.85]]],
      ["table", [[0.05, 0.5], [0.9, 0.6], [0.85, 0.12], [0.1, 0.9], [0.9, 0.93]]],
    ],
  },
};

await setup({ tests: true });
await build();
const { browser } = await import("../../tests/browser/chromium.mjs");
const server = await serve({ "/": join(root, "www") });
const chromium = await browser();
const folder = join(root, "docs/pictures");
mkdirSync(folder, { recursive: true });
/** Saves the pictures of some views of both photographs; `ready` waits for the model. */
async function save(query, views, ready) {
  const page = await chromium.newPage({ reducedMotion: "reduce", viewport: { width: 1280, height: 940 } });
  page.setDefaultTimeout(240_000);
  await page.goto(`${server.url}?${query}`);
  await ready(page);
  const drawn = () => page.locator('#stage[data-state="shown"][data-drawn]').waitFor();
  const click = async ([x, y]) => {
    const canvas = page.locator("#frame canvas");
    const { width, height } = await canvas.boundingBox();
    await canvas.click({ position: { x: x * width, y: y * height } });
    await drawn();
  };
  for (const [name, { button, patch, teach }] of Object.entries(photos)) {
    await page.getByRole("button", { name: button }).first().click();
    await page.locator("#facts", { hasText: name === "cat" ? "chelsea.png" : `${name}.png` }).waitFor({ state: "attached" });
    for (const view of views) {
      await page.locator(`#tab-${view}`).click();
      await drawn();
      if (view === "similarity") await click(patch);
      if (view === "attention") await page.getByRole("button", { name: "Back to the whole picture" }).click();
      if (view === "teach") await lesson(page, click, teach);
      await drawn();
      const download = page.waitForEvent("download");
      // In a lesson it is in the menu.
      await page.locator("#save-picture").evaluate((button) => button.closest("details")?.setAttribute("open", ""));
      await page.getByRole("button", { name: "Save picture" }).click();
      await (await download).saveAs(join(folder, `${name}-${view}.png`));
    }
  }
  await page.close();
}

async function lesson(page, click, classes) {
  const clear = page.getByRole("button", { name: "Clear" });
  if (await clear.isEnabled()) await clear.click();
  for (const [index, [label, places]] of classes.entries()) {
    const text = page.locator("#teach input[type=text]").nth(index);
    await text.fill(label);
    await text.blur();
    await page.locator("#teach input[name=class]").nth(index).check();
    for (const place of places) await click(place);
  }
}

const arrived = (page) => page.locator("#facts", { hasText: "× 384" }).waitFor({ state: "attached" });
await save("size=448&resize=native", ["pca", "similarity", "attention", "clusters", "norms", "teach"], arrived);
// The head of materials is InternViT-Tiny's.
await save("start=plain&size=448&resize=native", ["segmentation"], async () => undefined);
// The first screen, as a visitor finds it once the default model has arrived.
const first = await chromium.newPage({ reducedMotion: "reduce", viewport: { width: 1200, height: 746 }, colorScheme: "dark" });
await first.goto(server.url);
await first.locator("#facts", { hasText: "× 384" }).waitFor({ state: "attached", timeout: 120_000 });
await first.locator('#stage[data-state="shown"][data-drawn]').waitFor();
// The film that is there at first is of the small model.
await first.locator("#film span").first().evaluate((cell) => new Promise((done) => {
  const look = setInterval(() => cell.isConnected || done(clearInterval(look)), 100);
  setTimeout(() => done(clearInterval(look)), 10_000);
}));
await first.screenshot({ path: join(folder, "page.png") });
await chromium.close();
server.close();
