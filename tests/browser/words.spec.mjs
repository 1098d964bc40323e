// What the page says: kinds of pictures, memory of a precision, a table in sight, how to go on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync, readdirSync } from "node:fs";
import { openSite, path, visit } from "./site.mjs";
import { fact, hand, loaded, otherModels, sheet, shown } from "./visitor.mjs";

const site = openSite();

// 32 x 16 pixels, red beside blue, as Pillow 13 writes it.
const AVIF = "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9j" +
  "AAAAAEQAAAEAAQAAAAEAAAETAAAAPwAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAIAAAABAAAAAQcGl4aQAA" +
  "AAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAR21kYXQSAAoJGBD/7RAQ0GhAMjATx4eGZQGGGH4QAAAAxjc58FIMSEEga88J" +
  "vlpddITM+dX7a+8zFKYdhc7ddcQaBOA=";

/** The head of a container of a brand, with nothing in it. */
function container(brand, compatible) {
  const box = Buffer.alloc(16 + 4 * compatible.length);
  box.writeUInt32BE(box.length);
  box.write(`ftyp${brand}`, 4, "latin1");
  compatible.forEach((name, at) => box.write(name, 16 + 4 * at, "latin1"));
  return Buffer.concat([box, Buffer.alloc(200)]);
}

const drop = (page, name, buffer) => hand(page, "drop", name, { mimeType: "", buffer });

test("a kind that the module does not know is read by the browser, and the page says so", async (t) => {
  const page = await visit(site, t, { query: "#opacity=0" });
  await loaded(page);
  await drop(page, "two.avif", Buffer.from(AVIF, "base64"));
  await page.locator("#facts", { hasText: "two.avif" }).waitFor({ state: "attached" });
  await shown(page);
  assert.match(await fact(page, "Photograph"), /two\.avif, 32 × 16/);
  assert.equal(await fact(page, "Read by"), "the browser");
  const [left, right] = await page.evaluate(() => {
    const canvas = document.querySelector("#frame canvas");
    const at = (part) => [...canvas.getContext("2d").getImageData(part * canvas.width, canvas.height / 2, 1, 1).data];
    return [at(0.2), at(0.8)];
  });
  assert.ok(left[0] > 180 && left[2] < 90, `red is ${left}`);
  assert.ok(right[2] > 160 && right[0] < 90, `blue is ${right}`);
  await drop(page, "own.png", readFileSync(path("www/samples/chelsea.png")));
  await page.locator("#facts", { hasText: "own.png" }).waitFor({ state: "attached" });
  assert.ok(!(await page.locator("#facts").textContent()).includes("Read by"));
});

test("where the browser cannot read it either, the kind is named, with what to do", async (t) => {
  const page = await visit(site, t);
  await loaded(page);
  const avif = Buffer.from(AVIF, "base64");
  const files = [
    ["IMG_1.HEIC", container("heic", ["mif1", "heic"]), "HEIC"],
    ["IMG_2.jpg", container("mif1", ["mif1", "heic"]), "HEIC"],
    ["cut.avif", avif.subarray(0, 200), "AVIF"],
    ["plain.jxl", Buffer.from([0xff, 0x0a, 1, 2, 3]), "JPEG XL"],
    ["boxed.jxl", Buffer.from("0000000c4a584c200d0a870a00000000", "hex"), "JPEG XL"],
    ["scan.jp2", Buffer.from("0000000c6a5020200d0a870a00000000", "hex"), "JPEG 2000"],
    ["drawing.svg", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), "SVG"],
  ];
  for (const [name, bytes, kind] of files) {
    await drop(page, name, bytes);
    await page.getByRole("alert").filter({ hasText: `${name}: ${kind} cannot be opened here. Export it as JPEG` }).waitFor();
  }
  // What the module knows is its own to judge: a browser would show half a picture.
  const cat = readFileSync(path("www/samples/chelsea.png"));
  await drop(page, "half.png", cat.subarray(0, cat.length / 2));
  await page.getByRole("alert").filter({ hasText: /half\.png: .*cut off/ }).waitFor();
  await drop(page, "notes.txt", Buffer.from("no picture at all"));
  await page.getByRole("alert").filter({ hasText: "not a picture" }).waitFor();
});

test("a picture of a few bytes that would take all memory is refused at once, and the page goes on", async (t) => {
  const page = await visit(site, t, { query: "?sample=coffee&size=112" });
  await shown(page);
  // A WebP of 34 bytes and 16383 × 16383 pixels.
  const bytes = Buffer.from("UklGRhoAAABXRUJQVlA4TA4AAAAv/r//DwcQEf0PRET/Aw==", "base64");
  const begin = performance.now();
  await drop(page, "huge.webp", bytes);
  await page.getByRole("alert").filter({ hasText: /huge\.webp: needs 2\.\d GB of memory, the page has 2\.1 GB: make it smaller/ }).waitFor();
  assert.ok(performance.now() - begin < 20_000);
  assert.match(await fact(page, "Photograph"), /^coffee\.png/);
});

test("a precision names the memory that it takes, before and after", async (t) => {
  const page = await visit(site, t, { query: "?device=gpu" });
  await loaded(page);
  const hint = page.locator("#dtype-hint");
  assert.match(await hint.textContent(), /^The weights take about 22\.\d MB of the GPU’s memory\. Use less memory/);
  const choices = await page.locator("#dtype option").allTextContents();
  assert.deepEqual(choices.map((text) => /, (\d+\.\d) MB$/.exec(text)?.[1].slice(0, -2)), ["22", "11", "6", "6", "4"]);
  await sheet(page, "model");
  await page.getByLabel("Precision").selectOption("int8");
  await page.waitForFunction(() => /about 6\.\d MB of the GPU’s memory, before 22\.\d MB\./.test(document.querySelector("#dtype-hint").textContent));
  // What is told is what the device is given.
  await sheet(page, "device", "benchmark");
  await page.getByRole("button", { name: "Measure" }).click();
  await page.locator("#benchmark dd", { hasText: "weights" }).waitFor();
  // Right, before it is quick: the features are near the processor's.
  const check = await page.locator("#benchmark dd", { hasText: "from the processor’s features" }).textContent();
  assert.ok(Number(check.split(" ")[0]) < 0.2, check);
  const [, measured] = /weights ([\d.]+) MB/.exec(await page.locator("#benchmark dd", { hasText: "weights" }).textContent());
  const [, told] = /about ([\d.]+) MB/.exec(await hint.textContent());
  assert.ok(Math.abs(told / measured - 1) < 0.05, `${told} MB told, ${measured} MB measured`);
});

for (const width of [1440, 1280]) {
  test(`the benchmark's table is whole in a window of ${width} pixels`, async (t) => {
    const page = await visit(site, t, { viewport: { width, height: 900 } });
    await loaded(page);
    await sheet(page, "device", "benchmark");
    await page.getByRole("button", { name: "Measure" }).click();
    await page.getByText("Kernel by kernel").click({ timeout: 60_000 });
    await page.locator("#benchmark tbody tr").first().waitFor({ timeout: 60_000 });
    const [content, box] = await page.locator("#benchmark .scroll").evaluate((one) => [one.scrollWidth, one.clientWidth]);
    assert.ok(content <= box, `${content} pixels in ${box}`);
    assert.ok(await page.getByRole("columnheader", { name: "Of ceiling" }).isVisible());
  });
}

test("where a page may keep no models, it says what kind of address it takes", async (t) => {
  const prepare = (page) => page.addInitScript("Object.defineProperty(globalThis, 'isSecureContext', { value: false })");
  const page = await visit(site, t, { prepare });
  await loaded(page);
  await otherModels(page);
  await page.locator("#models .space", { hasText: "https addresses and at localhost" }).waitFor();
});

test("before it is fetched, a published model is compared with the one in use", async (t) => {
  const page = await visit(site, t, { query: "?sample=coffee&size=112" });
  await shown(page);
  // One click from the first screen.
  await page.locator("#model-chip").click();
  const row = page.locator("#larger li", { hasText: "InternViT-300M-448px-V2_5" });
  await row.getByRole("button", { name: "Download" }).waitFor();
  await row.locator("tr").nth(7).waitFor();
  const cells = await row.locator("tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.deepEqual(cells.slice(0, 5), [
    ["", "now", "with it"], ["Parameters", "5.51 million", "304 million"], ["Layers", "12", "24"], ["Numbers a patch", "192", "1024"],
    ["Made for pictures of", "224 px", "448 px, 32 × 32 patches"],
  ]);
  assert.match(cells[5].join(), /^A picture takes here,[\d.]+ m?s at 12 × 8|^A picture takes here,[\d.]+ m?s at 8 × 8/);
  assert.match(cells[5][2], /^about \d+ (s|min) at 32 × 32$/);
  assert.deepEqual(cells.slice(6), [["Weights in memory, f32", "22.0 MB", "1.22 GB"], ["Download", "", "608 MB"]]);
  assert.equal(await row.getByRole("link", { name: "its card" }).getAttribute("href"), "https://huggingface.co/OpenGVLab/InternViT-300M-448px-V2_5");
});

test("texts say model, not network", () => {
  const texts = [readFileSync(path("www/index.html"), "utf8")];
  for (const name of readdirSync(path("web"), { recursive: true }).filter((name) => name.endsWith(".ts") && !name.startsWith("pkg"))) {
    texts.push(...readFileSync(path(`web/${name}`), "utf8").split("\n").filter((line) => !/^\s*(\/\/|\/?\*)/.test(line)));
  }
  assert.deepEqual(texts.filter((text) => /\bnetworks?\b/i.test(text)), []);
});
