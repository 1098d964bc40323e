// `internvit open` on a screen without a monitor: drawn by Mesa's software Vulkan, driven by keys and the pointer.
// With PICTURE=file.png the first test keeps what it sees.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Screen, Window, colours, png, withoutScreen } from "./screen.mjs";

/** The stage, in pixels of the screen; right of it is the panel. */
const STAGE = [20, 60, 900, 640];
/** The smallest is the quickest; for a picture to be looked at the usual one. */
const MODEL = process.env.PICTURE ? "dinov2-small" : "internvit-tiny";
const screen = new Screen();

before(() => screen.open());
after(() => screen.close());

async function opened(t, ...args) {
  const window = new Window(screen);
  t.after(() => window.close());
  return window.open(...args);
}

/** The screen once `count` of its values are no longer those of `before`, where the title stays as it was. */
function another(before, count) {
  const differ = ({ rgb }) => rgb.reduce((sum, value, at) => sum + (value !== before.rgb[at]), 0);
  return screen.once((seen) => differ(seen) > count, `fewer than ${count} values differ`);
}

test("a window shows photographs, views and what is alike, and keeps what was opened", async (t) => {
  const window = await opened(t, "www/samples/chelsea.png", "www/samples/coffee.png", "--model", MODEL, "--device", "cpu");
  await window.shows("chelsea.png: Features");
  const features = await screen.once((seen) => colours(seen, STAGE) > 5000, "no three components over a photograph");
  if (process.env.PICTURE) writeFileSync(process.env.PICTURE, png(features));
  window.key("3");
  await window.shows("chelsea.png: Group");
  const groups = screen.pixels();
  assert.notDeepEqual(groups.rgb, features.rgb);
  window.key("Right");
  await window.shows("coffee.png: Group");
  assert.notDeepEqual(screen.pixels().rgb, groups.rgb);
  window.key("2");
  await window.shows("coffee.png: Find alike");
  const before = screen.pixels();
  await window.click(460, 350);
  await another(before, 100_000);
  const recent = window.recent();
  assert.deepEqual(recent.photographs.map((path) => path.split("/").at(-1)), ["coffee.png", "chelsea.png"]);
  assert.deepEqual(recent.models, [MODEL]);
  window.key("ctrl+q");
  assert.equal(await window.ended(), 0);
});

test("without a screen there is one line, and no place on this machine in it", () => {
  const { status, stderr } = withoutScreen();
  assert.equal(status, 1);
  assert.equal(stderr, "internvit: no window: no screen was found; it needs a screen, and Vulkan, Metal or DX12\n");
});

test("a model computes on the device that draws the window", async (t) => {
  const window = await opened(t, "www/samples/rocket.jpg", "--model", "internvit-tiny", "--device", "gpu");
  await window.shows("rocket.jpg: Features");
  await screen.once((seen) => colours(seen, STAGE) > 5000, "no three components over a photograph");
  window.key("6");
  await window.shows("rocket.jpg: Norms");
  window.key("5");
  await window.shows("rocket.jpg: Attention");
  // Light under the pointer is drawn from features that never left the device.
  window.key("2");
  await window.shows("rocket.jpg: Find alike");
  const before = screen.pixels();
  await window.point(470, 300);
  const rocket = await another(before, 10_000);
  await window.point(700, 120);
  const brightness = ({ rgb, width }, [x, y]) => rgb.subarray(3 * (y * width + x), 3 * (y * width + x) + 3).reduce((a, b) => a + b, 0);
  // Of the two places that one is darker which is not pointed at.
  const lit = (seen) => brightness(rocket, [700, 300]) < brightness(seen, [700, 300]);
  const sky = await screen.once(lit, "the sky beside the rocket is no brighter when it is pointed at");
  if (process.env.PICTURE_LIGHT) writeFileSync(process.env.PICTURE_LIGHT, png(sky));
  window.key("ctrl+q");
  assert.equal(await window.ended(), 0);
});
