// The first screen: one window, a picture at once, the wipe, the spotlight, pins, layers that play, and Back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { openSite, path, visit } from "./site.mjs";
import { axe, drawn, fact, fits, frame, loaded, phone, readNpy, saved, shown } from "./visitor.mjs";

const site = openSite();
/** The usual detail, by the device's speed. */
const FINE = /48 × 32|39 × 26/;
const SMALL = "?size=112&resize=squash&sample=chelsea";

/** The colour at a place of the picture. */
const colour = (page, x, y) => page.evaluate(([x, y]) => {
  const canvas = document.querySelector("#frame canvas");
  return [...canvas.getContext("2d").getImageData(canvas.width * x, canvas.height * y, 1, 1).data.slice(0, 3)];
}, [x, y]);

async function at(page, x, y) {
  const { width, height } = await page.locator("#frame canvas").boundingBox();
  return { position: { x: x * width, y: y * height } };
}

for (const [width, height] of [[1280, 720], [1440, 900]]) {
  test(`at ${width} × ${height} the page is one window, and all of it is in sight`, async (t) => {
    const page = await visit(site, t, { query: "?start=sample", viewport: { width, height } });
    await shown(page);
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollHeight, innerHeight]);
    assert.ok(content <= window, `${content} pixels in a window of ${window}`);
    for (const selector of ["#frame", "#tab-pca", "#tab-segmentation", "#layer", "#detail", "#save-picture", ".add[data-choose]", "#samples li:last-child"]) {
      const box = await page.locator(selector).boundingBox();
      assert.ok(box && box.y >= 0 && box.y + box.height <= height, `${selector} is out of sight`);
    }
    const { height: picture } = await page.locator("#frame").boundingBox();
    assert.ok(picture > 0.6 * height, `the picture is ${picture} pixels high`);
    await fits(page);
    assert.deepEqual(await axe(page), []);
  });
}

test("a patch of Features is read as its colour, and how much of the picture has that", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await shown(page);
  await page.locator("#frame canvas").hover(await at(page, 0.5, 0.5));
  const readout = page.locator("#readout", { hasText: /^Row \d+, column \d+: this colour on \d+ % of the picture$/ });
  await readout.waitFor();
  const percent = Number(/(\d+) %/.exec(await readout.textContent())[1]);
  assert.ok(percent > 0 && percent < 100, `${percent} %`);
  const swatch = () => page.locator("#readout .swatch").evaluate(({ style }) => style.background);
  const here = await swatch();
  assert.match(here, /^rgb\(\d+, \d+, \d+\)$/);
  await page.locator("#frame canvas").hover(await at(page, 0.05, 0.05));
  await page.waitForFunction((before) => document.querySelector("#readout .swatch")?.style.background !== before, here);
});

test("the wipe parts photograph and view, and keys and mouse move it", async (t) => {
  const page = await visit(site, t, { query: "?start=sample" });
  await shown(page);
  const wipe = page.getByRole("slider", { name: /^Photograph, to the left/ });
  // Without motion it stands where the sweep would have ended.
  await page.waitForFunction(() => document.querySelector("#wipe").ariaValueNow === "36" || document.querySelector("#wipe").getAttribute("aria-valuenow") === "36");
  await page.getByText("what the model sees").waitFor();
  await wipe.focus();
  await page.keyboard.press("Home");
  await frame(page);
  const view = await colour(page, 0.2, 0.5);
  await page.keyboard.press("End");
  await frame(page);
  const photo = await colour(page, 0.2, 0.5);
  assert.notDeepEqual(view, photo);
  await page.keyboard.press("Home");
  for (let times = 0; times < 3; times++) await page.keyboard.press("PageUp");
  await frame(page);
  assert.deepEqual(await colour(page, 0.2, 0.5), photo);
  assert.notDeepEqual(await colour(page, 0.6, 0.5), photo);
  const { x, width } = await page.locator("#frame").boundingBox();
  const box = await wipe.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(x + 0.7 * width, box.y + 20);
  await page.mouse.up();
  assert.equal(await wipe.getAttribute("aria-valuenow"), "70");
});

test("the wipe sweeps from the photograph by itself, once, where motion is welcome", async (t) => {
  const prepare = (page) => page.addInitScript(() => {
    globalThis.places = [];
    document.addEventListener("DOMContentLoaded", () => {
      const wipe = document.querySelector("#wipe");
      new MutationObserver(() => globalThis.places.push(Number(wipe.getAttribute("aria-valuenow")))).observe(wipe, { attributeFilter: ["aria-valuenow"] });
    });
  });
  const page = await visit(site, t, { query: "?start=sample", prepare, reducedMotion: "no-preference" });
  await shown(page);
  await page.waitForFunction(() => globalThis.places.at(-1) === 36);
  const places = await page.evaluate(() => globalThis.places.slice(globalThis.places.lastIndexOf(Math.max(...globalThis.places))));
  assert.ok(places[0] >= 70 && places.length >= 5, `it goes by ${places}`);
  assert.deepEqual(places, [...places].sort((a, b) => b - a));
  await page.getByRole("button", { name: "Rocket" }).click();
  await shown(page);
  assert.equal(await page.evaluate(() => Math.max(...globalThis.places.slice(globalThis.places.lastIndexOf(36)))), 36, "it sweeps again");
});

test("pointing lights up what is alike in any view, and the invitation goes", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await shown(page);
  const pill = page.getByText("what is alike lights up");
  await pill.waitFor();
  const before = await colour(page, 0.95, 0.05);
  await page.locator("#frame canvas").hover(await at(page, 0.5, 0.55));
  await pill.waitFor({ state: "hidden" });
  await frame(page);
  const dimmed = await colour(page, 0.95, 0.05);
  assert.ok(dimmed.reduce((a, b) => a + b) < 0.8 * before.reduce((a, b) => a + b), `${before} to ${dimmed}`);
  await page.mouse.move(2, 2);
  await frame(page);
  assert.deepEqual(await colour(page, 0.95, 0.05), before);
});

test("pins for and against, and the threshold, stay in the address; Esc lets all go", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=similarity` });
  await shown(page);
  const click = async (x, y) => {
    await page.locator("#frame canvas").click(await at(page, x, y));
    await drawn(page);
  };
  await click(0.5, 0.5);
  await page.getByText("+ alike").click();
  await click(0.3, 0.3);
  await page.getByText("− unlike").click();
  await click(0.9, 0.1);
  const picture = () => page.evaluate(() => document.querySelector("#frame canvas").toDataURL());
  const before = await picture();
  await page.getByLabel("Alike from").fill("60");
  await page.waitForFunction((before) => document.querySelector("#frame canvas").toDataURL() !== before, before);
  await page.waitForFunction(() => /at=.*alike=60.*more=.*not=/.test(location.hash));
  const hash = await page.evaluate(() => location.hash);
  // The patch of a pin against is not alike to itself any more.
  await page.locator("#frame canvas").hover(await at(page, 0.9, 0.1));
  await page.locator("#readout", { hasText: /cosine with what is alike, less that with what is not: -/ }).waitFor();
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !/at=|more=|not=/.test(location.hash));
  await page.evaluate((hash) => (location.hash = hash), hash);
  await drawn(page);
  await page.waitForFunction((hash) => location.hash === hash, hash);
});

test("a pinned patch ranks the other open pictures", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=similarity` });
  await shown(page);
  await page.getByRole("button", { name: "Coffee" }).click();
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  await shown(page);
  await page.locator("#frame canvas").click(await at(page, 0.5, 0.5));
  const found = page.locator("#ranking button", { hasText: "chelsea.png" });
  await found.click();
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
  await shown(page);
  await page.locator("#readout", { hasText: /cosine/ }).waitFor();
});

test("the ranking is by what the view draws of each picture: centred, with pins for and against", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=similarity` });
  await shown(page);
  await page.getByRole("button", { name: "Coffee" }).click();
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  await shown(page);
  const click = async (x, y) => {
    await page.locator("#frame canvas").click(await at(page, x, y));
    await drawn(page);
  };
  // Nothing counts against nothing.
  assert.ok(await page.getByLabel("− unlike").isDisabled());
  await click(0.5, 0.5);
  const score = (text) => page.waitForFunction((before) => {
    const now = document.querySelector("#ranking .count")?.textContent;
    return now && now !== before ? now : null;
  }, text).then((found) => found.jsonValue());
  const one = await score("");
  await page.getByText("+ alike").click();
  await click(0.1, 0.9);
  await page.getByText("− unlike").click();
  await click(0.45, 0.45);
  const all = await score(one);
  await page.getByLabel("Compare with").selectOption({ label: "chelsea.png" });
  await drawn(page);
  const { data } = readNpy((await saved(page, "Save view’s data (.npy)")).bytes);
  assert.equal(all, Math.max(...data).toFixed(2));
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelector("[name=pins][value=unlike]").disabled);
  assert.ok(await page.getByLabel("pins", { exact: true }).isChecked());
});

test("the ranking has pictures whose features were released too, and can be cancelled", async (t) => {
  const page = await visit(site, t, { query: "?size=112#view=similarity" });
  const camera = readFileSync(path("www/samples/camera.png"));
  const files = Array.from({ length: 15 }, (_, index) => ({ name: `photo-${index}.png`, mimeType: "image/png", buffer: index === 1 ? readFileSync(path("www/samples/coffee.png")) : camera }));
  await page.locator("#photo-file").setInputFiles(files);
  await page.locator("#facts", { hasText: "photo-14.png" }).waitFor({ state: "attached" });
  await shown(page);
  await page.locator("#frame canvas").click(await at(page, 0.5, 0.5));
  const listed = page.locator("#ranking li");
  await page.waitForFunction(() => document.querySelectorAll("#ranking li").length === 11);
  const more = page.getByRole("button", { name: /^Look through 3 more, about \d+ s$/ });
  await page.evaluate(() => {
    // At the first picture.
    new MutationObserver((_, observer) => {
      if (!document.querySelector("#ranking").textContent.includes("Picture 1 of 3")) return;
      observer.disconnect();
      [...document.querySelectorAll("#ranking button")].find(({ textContent }) => textContent === "Cancel").click();
    }).observe(document.querySelector("#ranking"), { subtree: true, childList: true });
  });
  await more.click();
  await page.getByRole("button", { name: /^Look through 3 more/ }).click();
  await page.waitForFunction(() => document.querySelectorAll("#ranking li").length === 14);
  assert.equal(await page.locator("#ranking").getByRole("button", { name: /Look|Cancel/ }).count(), 0);
  // The same picture is alike, the other one is last.
  assert.match(await listed.first().textContent(), /^photo-\d+\.png1\.00$/);
  assert.match(await listed.last().textContent(), /^photo-1\.png0\.\d\d$/);
  // Another pin asks anew.
  await page.keyboard.press("Escape");
  await page.locator("#ranking").waitFor({ state: "hidden" });
});

test("the layers have small pictures and play; Back leads to the view before", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await shown(page);
  await page.locator("#film canvas").nth(12).waitFor();
  await page.locator("#film canvas").nth(3).click();
  assert.equal(await page.locator("#layer").inputValue(), "3");
  // The mouse that runs along the film shows its layers, and leaves no trace.
  await page.locator("#film canvas").nth(7).hover();
  await page.waitForFunction(() => document.querySelector("#layer-name").textContent === "7 of 12");
  await page.locator("#caption").hover();
  await page.waitForFunction(() => document.querySelector("#layer-name").textContent === "3 of 12");
  // The slider has the keyboard's keys.
  for (const [key, name] of [["End", "12 of 12"], ["Home", "embedding"], ["ArrowRight", "1 of 12"], ["ArrowLeft", "embedding"]]) {
    await page.locator("#layer").press(key);
    await page.waitForFunction((name) => document.querySelector("#layer-name").textContent === name, name);
  }
  // Paused, it goes on from where it stands.
  await page.getByRole("button", { name: "play" }).click();
  await page.waitForFunction(() => Number.parseInt(document.querySelector("#layer-name").textContent, 10) >= 2);
  await page.getByRole("button", { name: "pause" }).click();
  const paused = await page.locator("#layer-name").textContent();
  await page.waitForTimeout(700);
  assert.equal(await page.locator("#layer-name").textContent(), paused);
  await page.getByRole("button", { name: "play" }).click();
  await page.getByRole("button", { name: "pause" }).waitFor();
  await page.getByRole("button", { name: "play" }).waitFor();
  assert.equal(await page.locator("#layer").inputValue(), "12");
  await page.getByRole("tab", { name: "Attention" }).click();
  await drawn(page);
  assert.equal(await page.locator("#heads canvas").count(), 4);
  await page.locator("#heads canvas").nth(1).click();
  assert.equal(await page.locator("#head").inputValue(), "1");
  assert.deepEqual(await axe(page), []);
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("#tab-pca").ariaSelected === "true");
});

test("Back leads to the sample before, and each save says so", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await shown(page);
  await page.getByRole("button", { name: "Coffee" }).click();
  await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
  assert.equal(new URL(page.url()).searchParams.get("sample"), "coffee");
  await page.goBack();
  await page.locator("#facts", { hasText: "chelsea.png" }).waitFor({ state: "attached" });
  await saved(page, "Save picture");
  await page.getByText("Saved chelsea-pca.png ✓").waitFor();
});

test("detail is chosen by name, with the cost of the finest before the click", async (t) => {
  const page = await visit(site, t, { query: "?start=sample" });
  await page.locator("#facts", { hasText: FINE }).waitFor({ state: "attached" });
  await shown(page);
  assert.match(await page.locator("#detail").textContent(), /(48 × 32|39 × 26) patches.*finest, ~\d+ (s|min)/s);
  await page.getByText("quick", { exact: true }).click();
  await page.locator("#facts", { hasText: "24 × 16" }).waitFor({ state: "attached" });
  await shown(page);
  assert.equal(await fact(page, "Patches"), "24 × 16");
});

test("the page begins with the small model and goes on with the default one", async (t) => {
  const page = await visit(site, t, { query: "?start=sample&model=" });
  await shown(page);
  await page.locator("#model-chip", { hasText: "DINOv2" }).waitFor({ timeout: 90_000 });
  await page.locator("#facts", { hasText: "× 384" }).waitFor({ state: "attached", timeout: 90_000 });
  await shown(page);
  await loaded(page);
  assert.equal(new URL(page.url()).searchParams.get("sample"), null);
});

test("on a phone the picture is as wide as the window, and its strip and verbs follow", async (t) => {
  const page = await visit(site, t, { ...phone, query: "?start=sample" });
  await shown(page);
  const { x, y, width, height } = await page.locator("#frame").boundingBox();
  assert.deepEqual([x, width], [0, phone.viewport.width]);
  const strip = await page.locator(".strip").boundingBox();
  const verbs = await page.locator("#views").boundingBox();
  assert.ok(y + height <= strip.y && strip.y + strip.height <= verbs.y && verbs.y < phone.viewport.height);
  // No hole below the picture, and what a first visitor is told in one line.
  assert.ok(strip.y - y - height < 4, `${strip.y - y - height} pixels`);
  await page.locator("#pill").waitFor();
  assert.ok((await page.locator("#pill").boundingBox()).height < 45);
  await fits(page);
  // A square picture is as wide, too; what is read stands on it.
  await page.getByRole("button", { name: "Astronaut" }).tap();
  await page.locator("#facts", { hasText: "astronaut" }).waitFor({ state: "attached" });
  await shown(page);
  assert.equal((await page.locator("#frame").boundingBox()).width, phone.viewport.width);
  await page.getByRole("tab", { name: "Find alike" }).tap();
  await drawn(page);
  const before = await page.locator(".strip").boundingBox();
  await page.locator("#frame canvas").tap({ position: { x: 200, y: 100 } });
  await page.locator("#readout", { hasText: /^Row/ }).waitFor();
  assert.deepEqual(await page.locator(".strip").boundingBox(), before);
});

for (const [name, viewport] of [["a tablet", { width: 820, height: 1180 }], ["a window at 200 %", { width: 640, height: 360 }]]) {
  test(`on ${name} picture and strip have no hole between them, and all fits`, async (t) => {
    const page = await visit(site, t, { query: SMALL, viewport });
    await shown(page);
    const { y, height } = await page.locator("#frame").boundingBox();
    assert.ok((await page.locator(".strip").boundingBox()).y - y - height < 4);
    assert.ok((await page.locator("#pill").boundingBox()).height < 45);
    const verbs = await page.locator("#views").boundingBox();
    const saying = await page.locator(".saying").boundingBox();
    if (viewport.width > 700) assert.ok(saying.y - verbs.y - verbs.height < 30);
    await fits(page);
  });
}

test("the cards open as texts, and the page tells that the first model never saw a photograph", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await shown(page);
  await page.getByRole("button", { name: "About" }).click();
  await page.getByText("InternViT-Tiny, which has never seen a photograph").waitFor();
  for (const [name, title] of [["Card of DINOv2 ViT-S/14", "DINOv2"], ["Card of InternViT-Tiny", "InternViT-Tiny"]]) {
    const opened = page.context().waitForEvent("page");
    await page.getByRole("link", { name }).click();
    const card = await opened;
    await card.getByText(title).first().waitFor();
    await card.close();
  }
});

test("views that the model cannot show say so before a click", async (t) => {
  const page = await visit(site, t, { query: SMALL });
  await shown(page);
  const lacking = () => page.locator("[role=tab][data-lacking]").allTextContents();
  assert.deepEqual(await lacking(), ["Labels", "Words"]);
  assert.match(await page.getByRole("tab", { name: "Words" }).getAttribute("title"), /^This model never learned words/);
});

test("About links to the source where the page is told its address, and to nothing where it is not", async (t) => {
  const address = "https://example.org/internvit";
  const told = (page) => page.route((url) => url.pathname === "/", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace('name="repository" content=""', `name="repository" content="${address}"`);
    await route.fulfill({ response, body });
  });
  for (const prepare of [told, undefined]) {
    const page = await visit(site, t, prepare ? { prepare } : {});
    await page.getByRole("button", { name: "About" }).click();
    const link = page.getByRole("link", { name: "Source and documentation", includeHidden: true });
    const shown = page.locator("#about-sheet [data-repository]");
    assert.equal(await shown.isVisible(), prepare !== undefined);
    if (prepare) assert.equal(await link.getAttribute("href"), address);
  }
});
