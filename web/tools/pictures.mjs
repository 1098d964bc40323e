// Makes the pictures of the page under docs/pictures: `node web/tools/pictures.mjs`.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { root } from "./run.mjs";
import { serve } from "./serve.mjs";
import { setup } from "./setup.mjs";

await setup({ tests: true });
await build();
const { browser } = await import("../../tests/browser/chromium.mjs");
const server = await serve({ "/": join(root, "www") });
const chromium = await browser();
const folder = join(root, "docs/pictures");
mkdirSync(folder, { recursive: true });
const page = await chromium.newPage({ reducedMotion: "reduce", viewport: { width: 1280, height: 900 } });
await page.goto(server.url);
await page.getByRole("button", { name: "Cat" }).click();
await page.getByRole("status").filter({ hasText: "Its features are shown" }).waitFor({ state: "attached", timeout: 120_000 });
await page.getByRole("slider").fill("60");
await page.screenshot({ path: join(folder, "page.png") });
await chromium.close();
server.close();
