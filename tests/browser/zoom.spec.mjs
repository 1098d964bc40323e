// Zoom: by wheel, keys, buttons and fingers; what is pointed at stays right, and one finger paints.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { axe, drawn, frame, phone, shown } from "./visitor.mjs";

const site = openSite();
const SMALL = "?size=224&resize=squash";
const cat = { name: "cat.png", mimeType: "image/png", buffer: readFileSync(path("www/samples/chelsea.png")) };
const coffee = { ...cat, name: "coffee cup.png", buffer: readFileSync(path("www/samples/coffee.png")) };

async function open(page, file = cat, view = null) {
  await page.locator("#photo-file").setInputFiles(file);
  await page.locator("#facts", { hasText: file.name }).waitFor({ state: "attached" });
  await shown(page);
  if (view) await page.getByRole("tab", { name: view }).click();
  await drawn(page);
}

const chip = (page) => page.locator("[data-whole]");
const boxes = (page) => page.evaluate(() => ["#frame", "#frame canvas"].map((name) => {
  const { left, top, width, height } = document.querySelector(name).getBoundingClientRect();
  return { left, top, width, height };
}));
const counts = (page) => page.locator("#teach .count").allTextContents();
const near = (found, expected, by = 0.01) => assert.ok(Math.abs(found - expected) <= by, `${found}, expected ${expected}`);

/** How much larger the picture is than its frame, and where in it a place of the frame is. */
async function seen(page, [x, y]) {
  const [outer, inner] = await boxes(page);
  return {
    scale: inner.width / outer.width,
    at: [(outer.left + x * outer.width - inner.left) / inner.width, (outer.top + y * outer.height - inner.top) / inner.height],
  };
}

/** Enlarges by Ctrl and the wheel at a place of the frame. */
async function wheel(page, [x, y], delta, key = "Control") {
  const [{ left, top, width, height }] = await boxes(page);
  await page.mouse.move(left + x * width, top + y * height);
  if (key) await page.keyboard.down(key);
  await page.mouse.wheel(...delta);
  if (key) await page.keyboard.up(key);
  await frame(page);
  await frame(page);
}

test("Ctrl and the wheel enlarge what is under the pointer, and a click there is at its place of the photograph", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page, cat, "Find alike");
  assert.ok(await chip(page).isHidden());
  await wheel(page, [0.75, 0.25], [0, -100]);
  await wheel(page, [0.75, 0.25], [0, -100]);
  const { scale, at } = await seen(page, [0.75, 0.25]);
  near(scale, Math.exp(1));
  near(at[0], 0.75);
  near(at[1], 0.25);
  assert.equal(await chip(page).textContent(), "272 %");
  // The picture is cut off at its frame.
  assert.equal(await page.locator("#frame").evaluate((found) => getComputedStyle(found).overflow), "hidden");
  const [{ left, top, width, height }] = await boxes(page);
  const place = await seen(page, [0.4, 0.6]);
  await page.mouse.click(left + 0.4 * width, top + 0.6 * height);
  await page.waitForFunction(() => /at=/.test(location.hash));
  const [x, y] = /at=([\d.]+),([\d.]+)/.exec(await page.evaluate(() => decodeURIComponent(location.hash))).slice(1).map(Number);
  near(x, place.at[0], 0.5 / 16 + 0.002);
  near(y, place.at[1], 0.5 / 16 + 0.002);
  // Another view of it is as large; another picture begins whole.
  await page.getByRole("tab", { name: "Features" }).click();
  await drawn(page);
  near((await seen(page, [0, 0])).scale, Math.exp(1));
  await open(page, coffee);
  near((await seen(page, [0, 0])).scale, 1);
  assert.ok(await chip(page).isHidden());
});

test("an enlarged picture is moved by the wheel and fills its frame, and the chip shows it whole", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  // The wheel alone is the page's while the picture is whole.
  await wheel(page, [0.5, 0.5], [0, 60], null);
  near((await seen(page, [0, 0])).scale, 1);
  await wheel(page, [0.5, 0.5], [0, -100], "Meta");
  const before = await seen(page, [0.5, 0.5]);
  await wheel(page, [0.5, 0.5], [30, 20], null);
  const after = await seen(page, [0.5, 0.5]);
  const [outer, inner] = await boxes(page);
  near(after.at[0] - before.at[0], 30 / inner.width, 0.002);
  near(after.at[1] - before.at[1], 20 / inner.height, 0.002);
  for (let turns = 0; turns < 40; turns++) await page.mouse.wheel(-100, -100);
  await frame(page);
  const [, cornered] = await boxes(page);
  near(cornered.left, outer.left, 0.6);
  near(cornered.top, outer.top, 0.6);
  // By the middle button too.
  await page.mouse.down({ button: "middle" });
  await page.mouse.move(outer.left + 0.5 * outer.width - 50, outer.top + 0.5 * outer.height, { steps: 4 });
  await page.mouse.up({ button: "middle" });
  near((await boxes(page))[1].left, outer.left - 50, 1.5);
  await chip(page).click();
  near((await seen(page, [0, 0])).scale, 1);
  assert.deepEqual(await axe(page), []);
});

test("the keys + − 0 enlarge and show whole, and the arrows' patch stays in sight", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page, cat, "Find alike");
  await page.locator("#frame canvas").focus();
  for (let presses = 0; presses < 4; presses++) await page.keyboard.press("+");
  near((await seen(page, [0, 0])).scale, 1.4 ** 4);
  for (let presses = 0; presses < 8; presses++) await page.keyboard.press("ArrowRight");
  const [outer, inner] = await boxes(page);
  // The last column's middle.
  const x = inner.left + (15.5 / 16) * inner.width;
  assert.ok(x > outer.left && x < outer.left + outer.width, `${x} is out of sight`);
  await page.keyboard.press("-");
  near((await seen(page, [0, 0])).scale, 1.4 ** 3);
  await page.keyboard.press("0");
  near((await seen(page, [0, 0])).scale, 1);
});

test("in an enlarged picture the wipe’s handle parts what is below it, and the ring is as large as the brush", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  await wheel(page, [1, 0.5], [0, -100]);
  const [{ left, top, width, height }] = await boxes(page);
  await page.locator("#wipe").focus();
  for (let presses = 0; presses < 5; presses++) await page.keyboard.press("PageUp");
  await frame(page);
  const edge = await seen(page, [0.5, 0.5]);
  // Left of the handle the canvas has the photograph's pixels, right of it the view's.
  const photo = await page.evaluate(async (at) => {
    const canvas = document.querySelector("#frame canvas");
    const pixels = (x) => [...canvas.getContext("2d").getImageData(Math.round(x * canvas.width), 0, 1, canvas.height).data];
    const shown = [at - 0.03, at + 0.03].map(pixels);
    const bitmap = await createImageBitmap(await (await fetch("samples/chelsea.png")).blob());
    const plain = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
    plain.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const own = [at - 0.03, at + 0.03].map((x) => [...plain.getContext("2d").getImageData(Math.round(x * canvas.width), 0, 1, canvas.height).data]);
    return shown.map((column, at) => column.reduce((sum, value, i) => sum + Math.abs(value - own[at][i]), 0) / column.length);
  }, edge.at[0]);
  assert.ok(photo[0] < 3 && photo[1] > 10, `differences from the photograph are ${photo}`);
  await page.getByRole("tab", { name: "Teach" }).click();
  await drawn(page);
  await page.locator("#brush-size").fill("3");
  await page.mouse.move(left + 0.5 * width, top + 0.5 * height);
  const ring = await page.locator(".ring").boundingBox();
  const [, inner] = await boxes(page);
  near(ring.width / inner.width, 2 * 0.032, 0.006);
});

/** Fingers on the picture, at places of its frame. */
async function fingers(page) {
  const session = await page.context().newCDPSession(page);
  return async (type, ...places) => {
    const [{ left, top, width, height }] = await boxes(page);
    await session.send("Input.dispatchTouchEvent", { type, touchPoints: places.map(([x, y], id) => ({ id, x: left + x * width, y: top + y * height })) });
    await frame(page);
  };
}

test("on a phone two fingers enlarge and move the picture, and one paints", async (t) => {
  const page = await visit(site, t, { query: SMALL, ...phone });
  await open(page, cat, "Teach");
  await page.locator("#frame canvas").scrollIntoViewIfNeeded();
  const touch = await fingers(page);
  await touch("touchStart", [0.4, 0.5]);
  await touch("touchStart", [0.4, 0.5], [0.6, 0.5]);
  for (const apart of [0.15, 0.2, 0.25, 0.3]) await touch("touchMove", [0.5 - apart, 0.5], [0.5 + apart, 0.5]);
  const enlarged = await seen(page, [0.5, 0.5]);
  near(enlarged.scale, 3, 0.1);
  near(enlarged.at[0], 0.5, 0.02);
  // Both go to the left, and the picture with them.
  await touch("touchMove", [0.1, 0.5], [0.7, 0.5]);
  await touch("touchEnd");
  near((await seen(page, [0.5, 0.5])).at[0], 0.5 + 0.1 / 3, 0.02);
  assert.deepEqual(await counts(page), ["0 points", "0 points"]);
  // The page's own zoom is as it was.
  assert.equal(await page.evaluate(() => visualViewport.scale), 1);
  // A tap, and a stroke.
  await touch("touchStart", [0.3, 0.3]);
  await touch("touchEnd");
  await drawn(page);
  assert.deepEqual(await counts(page), ["1 point", "0 points"]);
  await touch("touchStart", [0.3, 0.7]);
  for (const x of [0.4, 0.5, 0.6, 0.7]) await touch("touchMove", [x, 0.7]);
  await touch("touchEnd");
  await drawn(page);
  assert.deepEqual(await counts(page), ["1 point, 1 stroke", "0 points"]);
  await chip(page).tap();
  near((await seen(page, [0, 0])).scale, 1);
});

test("the picture fills the screen, and leaves it", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await open(page);
  await page.getByRole("button", { name: "Full screen" }).click();
  await page.waitForFunction(() => document.fullscreenElement?.querySelector("#frame"));
  await frame(page);
  const [{ width, height }] = await boxes(page);
  const [wide, high] = await page.evaluate(() => [innerWidth, innerHeight]);
  assert.ok(Math.abs(width - wide) < 2 || Math.abs(height - high) < 2, `${width} × ${height} in ${wide} × ${high}`);
  await page.getByRole("button", { name: "Leave full screen" }).click();
  await page.waitForFunction(() => !document.fullscreenElement);
});
