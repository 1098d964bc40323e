// The first photograph, and what is seen of it: size, hold, foreground, transparency.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deflateSync, crc32 } from "node:zlib";
import { openSite, path, visit } from "./site.mjs";
import { advanced, drawn, fact, fade, frame, loaded, phone, readNpy, saved, shown, state } from "./visitor.mjs";

const site = openSite();
const SMALL = "?size=112&resize=squash";

async function place(page, [x, y]) {
  const canvas = page.locator("#frame canvas");
  await canvas.scrollIntoViewIfNeeded();
  const { width, height } = await canvas.boundingBox();
  return { x: x * width, y: y * height };
}
const pick = async (page, at) => {
  await page.locator("#frame canvas").click({ position: await place(page, at) });
  await drawn(page);
};
const hover = async (page, at) => page.locator("#frame canvas").hover({ position: await place(page, at) });
const readout = (page, text) => page.locator("#readout").filter({ hasText: text }).waitFor();
const data = async (page, button = "Save view’s data (.npy)") => readNpy((await saved(page, button)).bytes);

/** A PNG of RGBA, or of RGB where the function gives three values. */
function png(width, height, colour) {
  const rows = Array.from({ length: height }, (_, y) => [0, ...Array.from({ length: width }, (_, x) => colour(x, y)).flat()]);
  const chunk = (name, bytes) => {
    const body = Buffer.concat([Buffer.from(name), bytes]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(bytes.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, colour(0, 0).length === 4 ? 6 : 2], 8);
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  return Buffer.concat([magic, chunk("IHDR", header), chunk("IDAT", deflateSync(Buffer.from(rows.flat()))), chunk("IEND", Buffer.alloc(0))]);
}

test("a sample is encoded without a click, in its own shape and finely", async (t) => {
  const page = await visit(site, t, { query: "?start=sample" });
  await page.locator("#facts", { hasText: "15 × 10" }).waitFor({ state: "attached" }); // quick first
  await page.locator("#status", { hasText: "coffee.png took" }).waitFor({ state: "attached" });
  await shown(page);
  assert.match(await fact(page, "Photograph"), /^coffee\.png, 600 × 400/);
  // By the device's speed.
  assert.match(await fact(page, "Patches"), /^(48 × 32|39 × 26)$/);
  assert.equal(await page.locator("#resize").inputValue(), "native");
  assert.equal(await page.locator("#image-size").inputValue(), "");
  assert.equal(await page.locator("#image-size").getAttribute("placeholder"), "448");
  assert.equal(new URL(page.url()).searchParams.get("sample"), null);
  // The time is told before it begins.
  await advanced(page);
  await page.locator("#image-size").fill("1792");
  assert.match(await page.locator("#time").textContent(), /^This will take about \d+ (s|min)\.$/);
});

test("a photograph that is chosen meanwhile is not replaced by the sample", async (t) => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const prepare = (page) => page.route("**/samples/coffee.png", async (route) => {
    await held;
    await route.continue();
  });
  const page = await visit(site, t, { query: "?start=sample&size=112", prepare });
  await page.locator("#photo-file").setInputFiles(path("www/samples/rocket.jpg"));
  await page.locator("#status", { hasText: "rocket.jpg took" }).waitFor({ state: "attached" });
  release();
  await page.waitForTimeout(500);
  assert.match(await fact(page, "Photograph"), /^rocket\.jpg/);
});

for (const stage of ["models/internvit-tiny/config.json", "models/internvit-tiny/model.safetensors", "*.wasm"]) {
  test(`Cancel during the first load cancels the photograph, and the model loads all the same: at ${stage}`, async (t) => {
    let release;
    const held = new Promise((resolve) => (release = resolve));
    const prepare = (page) => page.route(`**/${stage}`, async (route) => {
      await held;
      await route.continue();
    });
    const page = await visit(site, t, { prepare });
    await page.getByRole("button", { name: "Cat" }).click();
    await page.locator("#progress", { hasText: "Loading the model" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.locator("#status", { hasText: "Cancelled." }).waitFor({ state: "attached" });
    release();
    await loaded(page);
    await page.locator("#progress").waitFor({ state: "hidden" });
    assert.equal(await state(page), "empty");
    assert.equal((await page.getByRole("alert").first().textContent()).trim(), "");
    await page.getByRole("button", { name: "Coffee" }).click();
    await shown(page);
  });
}

test("Cancel after the first look keeps it, and the photograph is encoded to the end when it is opened again", async (t) => {
  const page = await visit(site, t, { query: "?start=sample&threads=1" });
  await page.locator("#facts", { hasText: "15 × 10" }).waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.locator("#progress").waitFor({ state: "hidden" });
  await shown(page);
  assert.equal(await fact(page, "Patches"), "15 × 10");
  assert.equal((await page.getByRole("alert").first().textContent()).trim(), "");
  assert.ok(await page.getByRole("button", { name: "Save picture" }).isEnabled());
  await page.getByRole("button", { name: "Coffee" }).click();
  await page.locator("#facts", { hasText: /48 × 32|39 × 26/ }).waitFor({ state: "attached" });
});

for (const [how, pattern, files, cancel] of [
  ["broken files", "**/models/internvit-tiny/model.safetensors", ["config.json", "broken"], false],
  ["files, and Cancel", "**/*.wasm", ["config.json", "model.safetensors"], true],
]) {
  test(`while the first model loads: ${how} in its place, and the bundled one loads all the same`, async (t) => {
    let release;
    const held = new Promise((resolve) => (release = resolve));
    const prepare = (page) => page.route(pattern, async (route) => {
      await held;
      await route.continue();
    });
    const page = await visit(site, t, { prepare });
    const folder = path("tests/golden/encoder_rms_qknorm_f16");
    const bytes = (name) => name === "broken" ? Buffer.from("no weights") : readFileSync(`${folder}/${name}`);
    await page.locator("#model-files").setInputFiles(files.map((name) => ({ name: name.replace("broken", "model.safetensors"), mimeType: "", buffer: bytes(name) })));
    if (cancel) await page.getByRole("button", { name: "Cancel" }).click();
    else await page.getByRole("alert").filter({ hasText: "model.safetensors" }).waitFor();
    release();
    await loaded(page);
    assert.equal(await page.locator("#model > .name").textContent(), "InternViT-Tiny");
    await page.getByRole("button", { name: "Coffee" }).click();
    // The alert of before goes when the photograph comes.
    await page.locator("#facts", { hasText: "coffee.png" }).waitFor({ state: "attached" });
    await shown(page);
  });
}

test("a held patch stays until it is clicked again or Esc is pressed", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}&sample=chelsea#view=similarity` });
  await shown(page);
  await pick(page, [0.53, 0.53]);
  await readout(page, /Row 5, column 5: cosine 1\.000/);
  const held = await data(page);
  for (const [at, token, name] of [[[0.9, 0.1], 7, "Row 1, column 8"], [[0.1, 0.9], 56, "Row 8, column 1"]]) {
    await hover(page, at);
    await readout(page, new RegExp(`^${name}: cosine ${held.data[token].toFixed(3)}$`));
    await drawn(page);
  }
  assert.deepEqual(await data(page), held);
  await page.keyboard.press("Escape");
  await hover(page, [0.9, 0.1]);
  await readout(page, /Row 1, column 8: cosine 1\.000/);
  // Held again, and let go by a second click.
  await pick(page, [0.53, 0.53]);
  await hover(page, [0.9, 0.1]);
  await readout(page, /Row 1, column 8: cosine 0|Row 1, column 8: cosine -/);
  await pick(page, [0.53, 0.53]);
  await hover(page, [0.9, 0.1]);
  await readout(page, /Row 1, column 8: cosine 1\.000/);
});

test("the keyboard holds a patch, reads others, and lets it go", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}&sample=chelsea#view=similarity` });
  await shown(page);
  await page.locator("#frame canvas").focus();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await press("ArrowRight", "Enter");
  await readout(page, /Row 5, column 6: cosine 1\.000/);
  await drawn(page);
  const held = await data(page);
  await page.locator("#frame canvas").focus(); // again from the middle
  await press("ArrowRight", "ArrowRight", "ArrowUp");
  const cosine = held.data[3 * 8 + 6].toFixed(3);
  await readout(page, new RegExp(`^Row 4, column 7: cosine ${cosine}$`));
  await drawn(page);
  assert.deepEqual(await data(page), held);
  // Let go by Enter on the held patch, and by Esc.
  await page.locator("#frame canvas").focus();
  for (const release of [["ArrowRight", "Enter"], ["Enter", "Escape"]]) {
    await press(...release);
    await page.waitForFunction(() => !location.hash.includes("at="));
    await readout(page, /cosine 1\.000/);
  }
});

test("a finger holds a patch, reads others, and lets it go", async (t) => {
  const page = await visit(site, t, { ...phone, query: `${SMALL}&sample=chelsea#view=similarity` });
  await shown(page);
  const tap = async (at) => page.locator("#frame canvas").tap({ position: await place(page, at) });
  await tap([0.53, 0.53]);
  await readout(page, /Row 5, column 5: cosine 1\.000/);
  await drawn(page);
  await tap([0.9, 0.1]);
  await readout(page, /Row 1, column 8: cosine (0|-)/);
  await tap([0.53, 0.53]);
  await page.waitForFunction(() => !location.hash.includes("at="));
});

for (const [sample, size, patches, inFront, behind] of [
  ["astronaut", 224, "16 × 16", [0.45, 0.8], [0.96, 0.04]],
  ["astronaut", 448, "32 × 32", [0.45, 0.8], [0.96, 0.04]],
  ["chelsea", 224, "24 × 16", [0.39, 0.38], [0.92, 0.35]],
  ["coffee", 224, "24 × 16", [0.25, 0.6], [0.92, 0.5]],
  ["rocket", 224, "24 × 16", [0.5, 0.6], [0.38, 0.2]],
  ["camera", 224, "16 × 16", [0.2, 0.6], [0.92, 0.1]],
]) {
  test(`the foreground of the ${sample} is the ${sample}, and Swap takes the rest, at ${size}`, async (t) => {
    const page = await visit(site, t, { query: `?size=${size}&resize=native&sample=${sample}#foreground=` });
    await shown(page);
    // A place is coloured, and not the photograph behind a shade, where its value changes with the view's opacity to a colour of its own.
    const coloured = (at) => page.evaluate(([x, y]) => {
      const canvas = document.querySelector("#frame canvas");
      const [r, g, b] = canvas.getContext("2d").getImageData(canvas.width * x, canvas.height * y, 1, 1).data;
      return [r, g, b];
    }, at);
    const photo = async (at) => {
      await fade(page, "0");
      await frame(page);
      const colour = await coloured(at);
      await fade(page, "100");
      await frame(page);
      return colour;
    };
    const shade = (colour) => colour.map((v) => Math.round(v * 0.3));
    const isShade = async (at) => {
      const [now, dark] = [await coloured(at), shade(await photo(at))];
      return now.every((v, k) => Math.abs(v - dark[k]) <= 3);
    };
    assert.deepEqual([await isShade(inFront), await isShade(behind)], [false, true]);
    await page.getByRole("button", { name: "Swap" }).click();
    await drawn(page);
    assert.deepEqual([await isShade(inFront), await isShade(behind)], [true, false]);
    assert.match(new URL(page.url()).hash, /swap/);
    assert.equal(await fact(page, "Patches"), patches);
  });
}

test("a strip gets no more patches than a large photograph, unless its size is given", async (t) => {
  const page = await visit(site, t, { query: "?start=sample" });
  page.setDefaultTimeout(120_000);
  await shown(page);
  await page.locator("#photo-file").setInputFiles({ name: "strip.png", mimeType: "image/png", buffer: png(2000, 3, (x, y) => [x % 256, y * 80, 90]) });
  await page.locator("#status", { hasText: "strip.png took" }).waitFor({ state: "attached" });
  await shown(page);
  const [cols, rows] = (await fact(page, "Patches")).replaceAll(",", "").split(" × ").map(Number);
  assert.ok(cols > 500 && cols * rows <= 4096, `${cols} × ${rows}`);
});

test("a transparent picture is laid over white, and its empty patches are in no view of groups", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=clusters` });
  const colour = (x, y) => [(x * 37 + y * 11) % 256, (x * y) % 256, (y * 5) % 256];
  const alpha = (x) => (x < 64 ? 255 : x < 80 ? 100 : 0);
  const over = (x, y) => colour(x, y).map((v) => Math.floor((v * alpha(x) + 255 * (255 - alpha(x)) + 127) / 255));
  const open = async (name, buffer) => {
    await page.locator("#photo-file").setInputFiles({ name, mimeType: "image/png", buffer });
    await page.locator("#facts", { hasText: name }).waitFor({ state: "attached" });
    await shown(page);
  };
  await open("opaque.png", png(112, 112, over));
  const expected = await data(page, "Save features (.npy)");
  await open("clear.png", png(112, 112, (x, y) => [...colour(x, y), alpha(x)]));
  assert.deepEqual(await data(page, "Save features (.npy)"), expected);
  const labels = await data(page);
  // Columns 6 and 7 hold nothing but transparent pixels.
  labels.data.forEach((label, at) => assert.equal(label < 0, at % 8 >= 6, `patch ${at}: ${label}`));
  const shares = await page.locator("#legend .count").allTextContents();
  assert.ok(Math.abs(shares.reduce((sum, text) => sum + Number(/[\d.]+/.exec(text)[0]), 0) - 100) < 0.5);
  const corner = () => page.evaluate(() => {
    const canvas = document.querySelector("#frame canvas");
    return [...canvas.getContext("2d").getImageData(canvas.width - 8, 8, 1, 1).data.slice(0, 3)];
  });
  assert.deepEqual(await corner(), [255, 255, 255]);
  const { width, height } = await page.locator("#frame canvas").boundingBox();
  await page.locator("#frame canvas").hover({ position: { x: 0.95 * width, y: 0.5 * height } });
  await page.locator("#readout", { hasText: /^Row \d+, column 8: transparent$/ }).waitFor();
  await page.mouse.move(2, 2);
  await page.getByRole("tab", { name: "Features" }).click();
  await drawn(page);
  assert.ok((await corner()).every((v) => v > 250));
  await page.getByRole("tab", { name: "Teach" }).click();
  await drawn(page);
  await pick(page, [0.95, 0.5]);
  await pick(page, [0.2, 0.5]);
  assert.deepEqual(await page.locator("#teach .count").allTextContents(), ["1 point", "0 points"]);
});

// 112 x 112 pixels of four stripes as Pillow 13 writes them; the right quarter is transparent, with a purple beneath.
const CLEAR = {
  webp: "UklGRlwAAABXRUJQVlA4TFAAAAAvb8AbECdAkG2jM4jBDO1YRyPStjExOUNTf3RNQgIy1mXZRAKCIv9HC9YDT1n+DWohSYJWYRVW4RTOX+uLJ4ro/wTocQ05L4+prx9Tnx9THw==",
  gif: "R0lGODlhcABwAIIAAMgoHh6gPCg8yNzIKFoAWgAAAAAAAAAAACH5BAEAAAQALAAAAABwAHAAQAj/AAEIHEiwoMGDCBMqXMjQIIGHECNKnEixocWLGDMmpMixY0SNIEOKdOix5MSRKFNe" +
    "NMkSYoCXMGPKnEmzps2bOHPObNlSp8+fQIPa5MlSqNGjSHcSLSmgqdOnUKNKnUq1qtWrUZcyxcq1q9evU7V6BEu2rNmsYjmeXcu2a1qOA+LKnUu3rt27ePPq3Vv3LUW+gAMLHozX70TC" +
    "iBMr7mv4o8rHkAs2dhy5ssrJEC1rRon5YdLPoH92JhC6tGmlmE+rNj16tevPo9vKno0WM+3bs2Pj3n129OLfwAP7Dk68ON3hxpMHR668eeLRm6ODhC69ukXq1rNv7Ky9+0Hs3sOD/w/f" +
    "fTz57K1fqxeafr17ne3fy68Zf759mPXv28+vXz7//u7pxtuAXwlI4IFXGYjgglIpyOCDTTkIIYMSTohghRYSyJxzHArXWYcgeohZiCTqtWGJKMZ1YoolrshiiC6+2KF551VHY43R3Yij" +
    "ZjruWFmPPkIGZJCXcUekdEMeOVKSSobEZJMaPQklRlJOeZ2RVgqJZZZFpgbgff99+VqYYq5GZpmnnYlmaWquCVqbbiYFZ5xHzUkne53dOWaeeprJZ59p/gkom4IO+mZnGU6IYaK7Lcro" +
    "bY4+mhuikl5IaaUaXoopb5Fu2pumnkIKaqiT2kYqbp2eWuCoqq6VaqtcxTcoo3OyzqpcrbYah2uuxO3KK3C+/rpYsMI+92GxHBKL7GDKLiviZM4212y0e01LbV7WXnvXaAEBADs=",
  png: "iVBORw0KGgoAAAANSUhEUgAAAHAAAABwBAMAAAA0zul4AAAAD1BMVEXIKB4eoDwoPMjcyChaAFr1j9YiAAAABXRSTlP/////APu2DlMAAABESURBVHic7dWhDQAgDEVBICzATuw/E7qu" +
    "NSRN7rmKS+WfI90N18rDGAiCINgd7vP7IwiCINgd2g4QBEGwmu0AQRAEqz1d9QFdpRsgeQAAAABJRU5ErkJggg==",
  tiff: "SUkqAEABAAB4nO3RQQ3DMAAEwSLJ2yCCpOgKxyDCxSVhudpqdBoAp53jWpNt3q+z+/Xff6Nfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp" +
    "16Zfm35tp/tdn3uxj35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp13a637jnYh/92vRr069Nvzb92vRr069Nvzb92vRr069N" +
    "vzb92vRr069Nvzb92vRr069Nvzb92vRr069Nvzb92vRr06/tdL9njsU++rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zfm35t+rXp16Zf2+l+" +
    "X5nyLZYLAAABAwABAAAAcAAAAAEBAwABAAAAcAAAAAIBAwAEAAAAygEAAAMBAwABAAAACAAAAAYBAwABAAAAAgAAABEBBAABAAAACAAAABUBAwABAAAABAAAABYBAwABAAAAcAAAABcB" +
    "BAABAAAAOAEAABwBAwABAAAAAQAAAFIBAwABAAAAAgAAAAAAAAAIAAgACAAIAA==",
};

for (const [kind, base64] of Object.entries(CLEAR)) {
  test(`a transparent picture of the kind ${kind} is laid over white, and its empty patches are in no group`, async (t) => {
    const page = await visit(site, t, { query: `${SMALL}#view=clusters` });
    await page.locator("#photo-file").setInputFiles({ name: `clear.${kind}`, mimeType: `image/${kind}`, buffer: Buffer.from(base64, "base64") });
    await page.locator("#facts", { hasText: `clear.${kind}` }).waitFor({ state: "attached" });
    await shown(page);
    const labels = await data(page);
    labels.data.forEach((label, at) => assert.equal(label < 0, at % 8 >= 6, `patch ${at}: ${label}`));
    for (const opacity of ["100", "0"]) {
      await fade(page, opacity);
      await frame(page);
      const [left, right] = await page.evaluate(() => {
        const canvas = document.querySelector("#frame canvas");
        return [0.1, 0.95].map((x) => [...canvas.getContext("2d").getImageData(canvas.width * x, canvas.height / 8, 1, 1).data.slice(0, 3)]);
      });
      assert.deepEqual(right, [255, 255, 255]);
      if (opacity === "0") assert.deepEqual(left, [200, 40, 30]);
    }
  });
}
