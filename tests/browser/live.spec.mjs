// A camera and videos on the stage: each frame when the engine is free, pins and lessons carried on, nothing recorded.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { unzipSync } from "fflate";
import { load } from "../../web/tools/records.mjs";
import { openSite, path, visit } from "./site.mjs";
import { axe, fade, fits, hand, phone, readNpy, saved, shown } from "./visitor.mjs";
import { indices } from "./png.mjs";

const site = openSite({ fresh: true });
const SMALL = "?size=112";
const CAMERA = { permissions: ["camera"] };

/** Two seconds of a striped disc before a plain ground: on the left in the first, on the right in the second. */
const [WIDTH, HEIGHT, LEFT, RIGHT, RADIUS] = [320, 240, 80, 240, 50];
let video = null;

async function recorded() {
  const page = await site.browser.newPage();
  await page.goto(`${site.url}blank/`);
  const base64 = await page.evaluate(async ([width, height, left, right, radius]) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    const begin = performance.now();
    const draw = () => {
      context.fillStyle = "#2b5d34";
      context.fillRect(0, 0, width, height);
      context.save();
      context.beginPath();
      context.arc(performance.now() - begin < 1000 ? left : right, height / 2, radius, 0, 7);
      context.clip();
      for (let x = 0; x < width; x += 8) [context.fillStyle] = [x % 16 ? "#f2a33c" : "#7c2f14"], context.fillRect(x, 0, 8, height);
      context.restore();
    };
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm;codecs=vp8" });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const done = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    const timer = setInterval(draw, 40);
    setTimeout(() => (clearInterval(timer), recorder.stop()), 2000);
    await done;
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    return btoa([...bytes].map((byte) => String.fromCharCode(byte)).join(""));
  }, [WIDTH, HEIGHT, LEFT, RIGHT, RADIUS]);
  await page.close();
  return { name: "disc.webm", mimeType: "video/webm", buffer: Buffer.from(base64, "base64") };
}

/** Notes what the page asks of its worker and which cameras it gets. */
function spy() {
  globalThis.asked = [];
  globalThis.streams = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...more) {
    // A file does not reach the test.
    if (message?.call) globalThis.asked.push({ call: message.call, given: message.call === "encode" ? { ...message.given, name: message.given.photo.name } : message.given });
    return postMessage.call(this, message, ...more);
  };
  const devices = navigator.mediaDevices;
  const get = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    const stream = await get(wanted);
    globalThis.streams.push(stream);
    return stream;
  };
}
const prepare = (page) => page.addInitScript(spy);
const asked = (page, call) => page.evaluate((call) => globalThis.asked.filter((one) => one.call === call).map(({ given }) => given), call);
const tracks = (page) => page.evaluate(() => globalThis.streams.map((stream) => stream.getTracks().map(({ readyState }) => readyState).join()));

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const rate = (page, text) => page.locator("[data-rate]", { hasText: text }).waitFor();
const running = (page) => rate(page, /\d+\.\d pictures a second · \d+ px/);
const turn = (page, name) => page.getByRole("tab", { name }).click();

/** Opens the video, and halts it. */
async function openVideo(page) {
  await page.locator("#photo-file").setInputFiles(await (video ??= recorded()));
  await shown(page);
  await page.locator("#live").getByRole("button", { name: /Pause|Play/ }).waitFor();
  if (await page.locator("#live[data-playing]").count()) await press(page, "Pause").catch(() => undefined);
  await page.locator("#live:not([data-playing])").waitFor();
}

/** Goes to a place in the video, in seconds, and waits until its view is drawn. */
async function seek(page, seconds) {
  const before = (await asked(page, "encode")).length;
  await page.locator("#live-time").fill(String(seconds));
  await page.waitForFunction((before) => globalThis.asked.filter(({ call }) => call === "encode").length > before, before);
  await page.locator("#live-time").and(page.locator(`[aria-valuetext^="0:0${seconds.toFixed(1)}"]`)).waitFor();
  await page.locator("#stage[data-drawn]").waitFor();
}

/** Clicks a pixel of the video. */
async function click(page, x, y) {
  const box = await page.locator("#frame canvas").boundingBox();
  await page.locator("#frame canvas").click({ position: { x: (x / WIDTH) * box.width, y: (y / HEIGHT) * box.height } });
}

/** The colours of the stage's pixels, at their own size. */
const pixels = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const canvas = document.querySelector("#frame canvas");
  done({ width: canvas.width, height: canvas.height, rgba: [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data] });
}))));
const colour = ({ width, rgba }, x, y) => rgba.slice(4 * (y * width + x), 4 * (y * width + x) + 3);

/** The value of the view's data at a pixel of the video. */
async function values(page) {
  const { shape, data } = readNpy((await saved(page, "Save view’s data (.npy)")).bytes);
  const [rows, cols] = shape.slice(-2);
  return (x, y, plane = 0) => data[plane * rows * cols + Math.floor((y / HEIGHT) * rows) * cols + Math.floor((x / WIDTH) * cols)];
}

test("a camera is shown at its own speed, one frame at a time, and leaves nothing behind", async (t) => {
  const page = await visit(site, t, { query: "?size=112&sample=coffee", prepare, ...CAMERA });
  await shown(page);
  await page.locator(".strip [data-camera]").click();
  await running(page);
  assert.match(await page.locator("[data-rate]").textContent(), / · 112 px$/);
  await page.waitForTimeout(1500);
  // The frames before are let go.
  const [encoded, forgotten] = [await asked(page, "encode"), await asked(page, "forget")];
  assert.ok(encoded.length > 5 && encoded.length - forgotten.length <= 4, `${encoded.length} encoded, ${forgotten.length} forgotten`);
  // Its content is nowhere: not in the address, the strip, or the browser.
  assert.equal(new URL(page.url()).searchParams.get("sample"), null);
  assert.equal(await page.locator("#shots li").count(), 0);
  assert.deepEqual(await page.evaluate(async () => (await indexedDB.databases()).filter(({ name }) => /lesson|kept/i.test(name)).length), 0);
  assert.deepEqual(await tracks(page), ["live"]);
  assert.deepEqual(await axe(page), []);
  // The next thing to do is under the keys.
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Pause");
  await page.keyboard.press("Enter");
  await rate(page, "The camera is off.");
  assert.deepEqual(await tracks(page), ["ended"]);
  await press(page, "Take this picture");
  await page.locator('#shots button[title="camera-1.png"]').waitFor();
  await press(page, "Turn on");
  await running(page);
  assert.deepEqual(await tracks(page), ["ended", "live"]);
  // Whoever looks elsewhere, or leaves, is not filmed.
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
    delete document.hidden;
  });
  await rate(page, "The camera is off.");
  await press(page, "Turn on");
  await running(page);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide")));
  await page.locator("#live").waitFor({ state: "hidden" });
  assert.deepEqual(await tracks(page), ["ended", "ended", "ended"]);
  // The photograph from before is back, and every frame is let go.
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  await shown(page);
  assert.equal((await asked(page, "encode")).length - (await asked(page, "forget")).length, 1);
  await page.reload();
  await page.locator("#live").waitFor({ state: "hidden" });
  assert.deepEqual(await tracks(page), []);
});

test("another camera takes its place, and another picture turns it off", async (t) => {
  const page = await visit(site, t, { query: SMALL, prepare, ...CAMERA });
  await press(page, "Use the camera");
  await running(page);
  await press(page, "Other camera");
  await page.waitForFunction(() => globalThis.streams.length === 2);
  await running(page);
  const devices = await page.evaluate(() => globalThis.streams.map((stream) => stream.getTracks()[0].getSettings().deviceId));
  assert.notEqual(devices[0], devices[1]);
  await page.getByRole("button", { name: "Cat" }).click();
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
  assert.deepEqual(await tracks(page), ["ended", "ended"]);
  await shown(page);
  assert.equal(await page.locator("#stage[data-frame]").count(), 0);
});

test("a camera that is refused, missing or in use is told, with what to do", async (t) => {
  const prepare = (page) => page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", globalThis.refusal));
  });
  const page = await visit(site, t, { query: SMALL, prepare });
  for (const [name, text] of [
    ["NotAllowedError", /blocked for this page\. Allow it/], ["NotFoundError", /No camera was found\. Connect one/], ["NotReadableError", /another program may be using it/],
  ]) {
    await page.evaluate((name) => (globalThis.refusal = name), name);
    await press(page, "Use the camera");
    await page.getByRole("alert").filter({ hasText: text }).waitFor();
    assert.ok(await page.locator("#live").isHidden());
    assert.equal(await page.locator("#stage").getAttribute("data-state"), "empty");
  }
});

test("a video that the browser cannot play is told, with what to do", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  for (const name of ["broken.mp4", "broken.mov"]) {
    await hand(page, "drop", name, { mimeType: "", buffer: Buffer.from("no video at all") });
    await page.getByRole("alert").filter({ hasText: `${name}: this browser cannot play this kind of video. Convert it to MP4` }).waitFor();
  }
  assert.equal(await page.locator("#stage").getAttribute("data-state"), "empty");
});

test("colours stay from frame to frame, until new ones are asked for", async (t) => {
  const page = await visit(site, t, { query: SMALL, prepare });
  await openVideo(page);
  await seek(page, 0.5);
  const first = await pixels(page);
  await seek(page, 1.5);
  const second = await pixels(page);
  const apart = (one, other) => Math.max(...one.map((v, i) => Math.abs(v - other[i])));
  // The disc has its colour on the other side, and so has the ground.
  assert.ok(apart(colour(first, LEFT, 120), colour(second, RIGHT, 120)) < 60);
  assert.ok(apart(colour(first, 160, 20), colour(second, 160, 20)) < 60);
  assert.ok(apart(colour(first, LEFT, 120), colour(second, LEFT, 120)) > 60);
  const bases = async () => (await asked(page, "view")).map(({ request }) => request.basis);
  const before = await bases();
  assert.equal(before.filter((basis) => basis === "keep").length, 1, before.join());
  assert.ok(!before.includes("own"));
  await press(page, "New colours");
  await page.locator("#stage[data-drawn]").waitFor();
  assert.equal((await bases()).at(-1), "keep");
});

test("what is pinned on one frame lights up on the others", async (t) => {
  const page = await visit(site, t, { query: SMALL, prepare });
  await openVideo(page);
  await turn(page, "Find alike");
  await seek(page, 0.5);
  await click(page, LEFT, 120);
  await seek(page, 1.5);
  const at = await values(page);
  assert.ok(at(RIGHT, 120) > 0.5 && at(LEFT, 120) < 0.3, `${at(RIGHT, 120)} on the right, ${at(LEFT, 120)} on the left`);
  // The frame with the pin stays on the device until it is let go.
  const pinned = (await asked(page, "view")).at(-1).request.of;
  assert.ok(!(await asked(page, "forget")).includes(pinned));
  await press(page, "Let go");
  await seek(page, 0.7);
  await page.waitForFunction((pinned) => globalThis.asked.some(({ call, given }) => call === "forget" && given === pinned), pinned);
});

test("another model draws the halted frame once more", async (t) => {
  const page = await visit(site, t, { query: SMALL, prepare });
  await openVideo(page);
  await turn(page, "Find alike");
  await click(page, LEFT, 120);
  const loads = (await asked(page, "load")).length;
  const folder = path("tests/golden/encoder_rms_qknorm_f16");
  await page.locator("#model-files").setInputFiles([`${folder}/config.json`, `${folder}/model.safetensors`]);
  await page.waitForFunction((loads) => {
    const calls = globalThis.asked.map(({ call }) => call);
    return calls.filter((call) => call === "load").length > loads && calls.lastIndexOf("encode") > calls.lastIndexOf("load");
  }, loads);
  await turn(page, "Features");
  await page.locator("#stage[data-drawn=pca]").waitFor();
  assert.equal((await page.getByRole("alert").first().textContent()).trim(), "");
  assert.equal(await page.locator("#stage[data-frame]").count(), 1);
  assert.equal((await asked(page, "view")).at(-1).request.basis, "keep");
});

/** Teaches the disc and the ground on a picture that is taken of the video. */
async function teach(page) {
  await turn(page, "Teach");
  await seek(page, 0.5);
  await click(page, LEFT, 120);
  await page.locator("#shots button[title^='disc-0.']").waitFor();
  await page.locator("#facts", { hasText: "disc-0." }).waitFor({ state: "attached" });
  await page.locator("#stage[data-drawn]").waitFor();
  await click(page, LEFT, 120);
  await page.locator("#teach input[name=class]").nth(1).check();
  await click(page, RIGHT, 30);
  await page.locator(".fit", { hasText: "Learned from 2 patches" }).waitFor();
}

test("a lesson taught on one frame is applied to each, and its masks are saved unless that is cancelled", async (t) => {
  const page = await visit(site, t, { query: SMALL, prepare });
  await openVideo(page);
  await teach(page);
  await page.getByLabel("Masks a second").selectOption("25");
  await page.evaluate(() => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector("#progress label").textContent.includes("picture 3 of")) return;
      observer.disconnect();
      document.querySelector("#progress button").click();
    }).observe(document.querySelector("#progress"), { subtree: true, childList: true, characterData: true });
  });
  await press(page, "Save masks of the video");
  await page.locator("#status", { hasText: "Cancelled. Nothing was saved." }).waitFor({ state: "attached" });
  const frames = (await asked(page, "encode")).filter(({ name }) => name.startsWith("frame-"));
  assert.ok(frames.length >= 2 && frames.length <= 4, `${frames.length} frames were encoded`);
  await fade(page, "100");
  await seek(page, 1.6);
  const { width, height, rgba } = await pixels(page);
  const at = await values(page);
  assert.ok(at(RIGHT, 120) > 0.6 && at(LEFT, 120) < 0.4, `${at(RIGHT, 120)} on the right, ${at(LEFT, 120)} on the left`);
  await page.getByLabel("Masks a second").selectOption("5");
  const told = await page.locator("[data-video-cost]").textContent();
  const { name, bytes } = await saved(page, "Save masks of the video");
  assert.equal(name, "disc-masks.zip");
  await page.locator("#live .said", { hasText: "Saved disc-masks.zip ✓" }).waitFor();
  const files = unzipSync(bytes);
  const masks = Object.keys(files).filter((file) => file.startsWith("masks/")).sort();
  assert.ok(masks.length >= 9 && masks.length <= 12, masks.join());
  assert.deepEqual(masks, masks.map((_, i) => `masks/frame-${String(i).padStart(6, "0")}.png`));
  assert.ok(told.startsWith(`${masks.length} pictures`), told);
  const table = Buffer.from(files["frames.csv"]).toString().trim().split("\n");
  assert.deepEqual([table[0], table[9]], ["frame,seconds", "frame-000008.png,1.600"]);
  const coco = JSON.parse(Buffer.from(files["annotations.json"]).toString());
  assert.deepEqual([coco.images.length, coco.categories.map((one) => one.name)], [masks.length, ["object", "background"]]);
  assert.ok(files["taught.safetensors"].length > 1000);
  // The mask of 1.6 s is what the stage shows there.
  const mask = indices(files["masks/frame-000008.png"]);
  assert.deepEqual([mask.width, mask.height, width, height], [WIDTH, HEIGHT, WIDTH, HEIGHT]);
  const differ = mask.pixels.filter((label, i) => [0, 1, 2].some((c) => mask.palette[3 * label + c] !== rgba[4 * i + c])).length;
  assert.ok(differ < 0.01 * WIDTH * HEIGHT, `${differ} pixels differ`);
  assert.ok(new Set(mask.pixels).size === 2);
  // The frame is on the stage again, and its controls work.
  assert.ok(await page.getByRole("button", { name: "Play", exact: true }).isEnabled());
  assert.deepEqual(await axe(page), []);
});

test("on a phone all of it fits, by touch", async (t) => {
  const page = await visit(site, t, { query: SMALL, prepare, ...phone, ...CAMERA });
  await page.locator(".drop [data-camera]").tap();
  await running(page);
  for (const name of ["Features", "Find alike", "Teach"]) {
    await turn(page, name);
    await fits(page);
  }
  assert.deepEqual(await axe(page), []);
  await press(page, "Stop");
  assert.deepEqual(await tracks(page), ["ended"]);
  assert.equal(await page.locator("#stage").getAttribute("data-state"), "empty");
});

test("a device that is too slow for every frame drops frames, and never falls behind", async (t) => {
  const page = await visit(site, t, { query: "?size=448&threads=1", prepare, ...CAMERA });
  await press(page, "Use the camera");
  await running(page);
  const came = page.evaluate(() => new Promise((done) => {
    const camera = Object.assign(document.createElement("video"), { srcObject: globalThis.streams[0], muted: true });
    let count = 0;
    const note = () => (count++, camera.requestVideoFrameCallback(note));
    note();
    void camera.play();
    setTimeout(() => done(count), 3000);
  }));
  const before = (await asked(page, "encode")).length;
  const count = await came;
  const taken = (await asked(page, "encode")).length - before;
  assert.ok(taken >= 1 && count > 3 * taken, `${taken} of ${count}`);
  // Nothing waits in a queue: the one frame that is halted at comes, and no other.
  await press(page, "Pause");
  await page.waitForTimeout(1500);
  assert.ok((await asked(page, "encode")).length - before <= taken + 2);
});

test("live pictures are as large as the device keeps up with", async () => {
  const { Pace } = await load("web/page/live/pace.ts");
  /** The sides and the rate after ten seconds, where one of 224 px takes so many milliseconds. */
  const run = (usual, fixed = false, guess = () => 0) => {
    const pace = new Pace(guess);
    const sides = [];
    for (let now = 0; now < 10_000;) {
      const side = pace.side(14);
      const took = usual * (side / 224) ** 2.2;
      now += took;
      pace.shown(now, took, fixed);
      if (sides.at(-1) !== side) sides.push(side);
    }
    return [sides, Math.round(pace.rate)];
  };
  assert.deepEqual(run(20), [[224, 336, 448], 11]);
  assert.deepEqual(run(60), [[224], 17]);
  assert.deepEqual(run(300), [[224, 168], 6]);
  assert.deepEqual(run(900), [[224, 168, 112], 5]);
  assert.deepEqual(run(300, true), [[224], 3]);
  // What the last photograph took tells where to begin.
  assert.deepEqual(run(900, false, (side) => 900 * (side / 224) ** 2), [[112], 5]);
  // Whole patches of any size.
  assert.deepEqual([16, 600].map((patch) => new Pace(() => 0).side(patch)), [224, 600]);
});

test("the camera is allowed for this page alone", () => {
  assert.match(readFileSync(path("www/_headers"), "utf8"), /Permissions-Policy: camera=\(self\)/);
});
