// What a visitor does and sees, for the specs of the page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { path } from "./site.mjs";

export const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
export const state = (page) => page.locator("#stage").getAttribute("data-state");
export const loaded = (page) => page.locator("#model .summary", { hasText: "parameters" }).waitFor({ state: "attached" });
export const frame = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** Waits for a picture on the stage; an alert in its place is the failure, at once. */
export async function shown(page) {
  const outcome = await page.waitForFunction(() => {
    const alarm = document.querySelector("#alert").textContent;
    const { state, drawn } = document.querySelector("#stage").dataset;
    return state === "shown" && drawn ? "shown" : alarm;
  });
  assert.equal(await outcome.jsonValue(), "shown");
  // What is drawn reaches the canvas with the next frame.
  await frame(page);
}

export async function fact(page, term) {
  return page.locator("#facts div", { has: page.locator("dt", { hasText: term }) }).locator("dd").textContent();
}

/** The largest standard deviation among the canvas's colour channels. */
export function spread(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector("canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return Math.max(...[0, 1, 2].map((channel) => {
      const values = [...data].filter((_, i) => i % 4 === channel);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    }));
  });
}

export function middle(page) {
  return page.evaluate(() => {
    const canvas = document.querySelector("canvas");
    return [...canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 4, 4).data];
  });
}

/** Drops or pastes a file, as far as scripts can. */
export function hand(page, event, name, { mimeType, buffer }) {
  return page.evaluate(([event, name, type, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    const happening = event === "paste"
      ? new ClipboardEvent(event, { clipboardData: transfer, bubbles: true })
      : new DragEvent(event, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector("main").dispatchEvent(happening);
  }, [event, name, mimeType, buffer.toString("base64")]);
}

/** Opens a sheet by its chip, and what is folded away in it. */
export async function sheet(page, name, folded = null) {
  if (!(await page.locator(`#${name}-sheet`).isVisible())) await page.locator(`#${name}-chip`).click();
  if (folded && !(await page.locator(`#${folded}[open]`).count())) await page.locator(`#${folded} > summary`).click();
}

export const otherModels = (page) => sheet(page, "model", "models");

/** Opens what is folded away in the panel. */
export async function advanced(page) {
  if (!(await page.locator(".advanced[open]").count())) await page.locator(".advanced > summary").click();
}

export async function fade(page, percent) {
  await advanced(page);
  await page.getByLabel("Overlay opacity").fill(percent);
  await frame(page);
}

export async function saved(page, button) {
  // What is folded away is opened.
  await page.getByRole("button", { name: button, includeHidden: true }).first().evaluate((found) => found.closest("details")?.setAttribute("open", ""));
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return { name: download.suggestedFilename(), bytes: Buffer.concat(chunks) };
}

/** Presses Tab until the element of this name has the focus. */
export async function tabTo(page, name, key = "Tab") {
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press(key);
    const focused = await page.evaluate(() => {
      const { ariaLabel, labels, textContent } = document.activeElement;
      return ariaLabel ?? labels?.[0]?.textContent.trim() ?? textContent.trim();
    });
    if (focused === name) return;
  }
  assert.fail(`Tab does not reach ${name}`);
}

export async function fits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} pixels wide in a window of ${window}`);
}

/** Waits until the view that was asked for last is drawn. */
export async function drawn(page) {
  await page.locator("#stage[data-drawn]").waitFor();
  await frame(page);
}

/** Gives a place of the picture the class of that number, in Teach. */
export async function pick(page, [x, y], index) {
  await page.locator("#teach input[name=class]").nth(index).check();
  const { width, height } = await page.locator("#frame canvas").boundingBox();
  await page.locator("#frame canvas").click({ position: { x: x * width, y: y * height } });
  await drawn(page);
}

/** Visitors of one browser share its clipboard: gives a page one of its own, of which `copied` is the text. */
export const ownClipboard = (page) => page.addInitScript(() => {
  Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => void (window.copied = text) } });
});
export const copied = (page) => page.evaluate(() => window.copied);

/** What axe finds, serious or worse. */
export async function axe(page) {
  await page.evaluate(readFileSync(path("node_modules/axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(", ")}`);
}

/** The shape and the numbers of a .npy file. */
export function readNpy(bytes) {
  const start = 10 + bytes.readUInt16LE(8);
  assert.equal(start % 64, 0);
  const [, text] = /'shape': \(([\d, ]+)\)/.exec(bytes.toString("latin1", 10, start));
  const shape = text.split(",").filter((n) => n.trim()).map(Number);
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
  assert.equal(data.length, shape.reduce((product, n) => product * n, 1));
  return { shape, data };
}

/** Whether a point lies in a polygon. */
export function inside(polygon, x, y) {
  let odd = false;
  polygon.forEach(([ax, ay], i) => {
    const [bx, by] = polygon.at(i - 1);
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  });
  return odd;
}
