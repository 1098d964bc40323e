// The view on screen as code: what is shown runs, and makes the same values.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { before, after, test } from "node:test";
import { openSite, path, visit } from "./site.mjs";
import { indices } from "./png.mjs";
import { unzipSync } from "fflate";
import { ask, CASE, fold, FOLDER, open, plain, status, talkTab } from "./talker.mjs";
import { copied, drawn, fact, ownClipboard, phone, pick, readNpy, saved, shown } from "./visitor.mjs";

const site = openSite();
const program = join(process.env.CARGO_TARGET_DIR ?? path("target"), "debug/internvit");
const scratch = { folder: "", env: {} };
before(() => {
  scratch.folder = mkdtempSync(join(tmpdir(), "code-"));
  mkdirSync(join(scratch.folder, "bin"));
  if (existsSync(program)) symlinkSync(program, join(scratch.folder, "bin/internvit"));
  scratch.env = { ...process.env, PATH: join(scratch.folder, "bin") + delimiter + process.env.PATH };
  for (const name of ["coffee.png", "chelsea.png"]) copyFileSync(path(`www/samples/${name}`), join(scratch.folder, name));
});
after(() => rmSync(scratch.folder, { recursive: true }));

/** Skips where there is no command line to run. */
function able(t) {
  if (existsSync(program)) return true;
  assert.ok(!process.env.REQUIRE_GPU, `${program} is missing: cargo test builds it`);
  t.skip("no command line: run cargo build first");
  return false;
}

/** The text in a language, which is not the one `before`. */
async function code(page, language, before = "") {
  if (!(await page.locator("#code-sheet").isVisible())) await page.getByRole("button", { name: "Code", exact: true }).click();
  await page.locator("#code-sheet").getByText(language, { exact: true }).click();
  const text = page.locator("#code-sheet textarea");
  await page.waitForFunction((before) => !["", before].includes(document.querySelector("#code-sheet textarea").value), before);
  return text.inputValue();
}

const inShell = (text) => execFileSync("sh", ["-c", text.replace(/^internvit (look|segment|teach|classify)/gm, "$& --device cpu")], { cwd: scratch.folder, env: scratch.env, encoding: "utf8" });

/** The largest difference, in parts of the largest value. */
function apart(one, other) {
  assert.equal(one.length, other.length);
  const scale = one.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return one.reduce((most, value, at) => Math.max(most, Math.abs(value - other[at])), 0) / scale;
}

const SMALL = "?sample=coffee&size=112&resize=native";
for (const [name, query] of [
  ["features of a layer", `${SMALL}#layer=6`],
  ["features of the foreground, the other side", `${SMALL}#foreground=&swap=&opacity=80`],
  ["pins for and against", `${SMALL}#view=similarity&at=0.5,0.4&more=0.2,0.7&not=0.9,0.1`],
  ["one head of attention at a place", `${SMALL}#view=attention&layer=9&at=0.5,0.4&head=1`],
  ["rollout", `${SMALL}#view=attention&layer=5&rollout=`],
  ["groups", `${SMALL}#view=clusters&clusters=4`],
  ["norms, stretched to a square", "?sample=coffee&size=112&resize=squash#view=norms&layer=3"],
  ["norms, cropped", "?sample=coffee&size=112&resize=crop#view=norms"],
  ["norms, of the middle", "?sample=coffee&size=112&resize=middle#view=norms"],
  ["what resembles a place, with a border", "?sample=coffee&size=126&resize=pad#view=similarity&at=0.5,0.97"],
  ["norms, of as many patches as a square has", "?sample=coffee&size=112&resize=patches#view=norms"],
  ["norms, by the model’s own preprocessing", "?sample=coffee&resize=model#view=norms"],
  ["features of tiles", "?sample=coffee&size=112&resize=squash&tiles=4"],
  ["features of a denser grid", `${SMALL}&shifts=2`],
]) {
  test(`the command makes what the page shows: ${name}`, async (t) => {
    if (!able(t)) return;
    const page = await visit(site, t, { query });
    await shown(page);
    await drawn(page);
    const line = await code(page, "Command line");
    const way = /resize=(\w+)/.exec(query)[1];
    assert.equal(/ --resize (\w+)/.exec(line)?.[1] ?? "model", way);
    await page.keyboard.press("Escape");
    const own = readNpy((await saved(page, "Save view’s data (.npy)")).bytes);
    inShell(line);
    const view = /--view (\w+)/.exec(line)[1];
    const other = readNpy(readFileSync(join(scratch.folder, `coffee-${view}.npy`)));
    const head = view === "attention" ? own.data.subarray(own.data.length / own.shape[0], (2 * own.data.length) / own.shape[0]) : own.data;
    if (view !== "attention") assert.deepEqual(other.shape, own.shape);
    const far = apart(head, other.data);
    t.diagnostic(`${far}`);
    assert.ok(far < 1e-3, `${line}\n${far} apart`);
  });
}

test("the page offers every way of resizing by the command line’s name, and the model’s own", async (t) => {
  if (!able(t)) return;
  const page = await visit(site, t, {});
  const offered = await page.locator("#resize option").evaluateAll((options) => options.map((option) => option.value));
  const { stderr } = spawnSync("internvit", ["look", "coffee.png", "--resize", "none"], { cwd: scratch.folder, env: scratch.env, encoding: "utf8" });
  const known = /resize must be ([a-z, ]+), not/.exec(stderr)[1].split(/, | or /);
  assert.deepEqual([...offered].sort(), [...known, "model"].sort());
  for (const way of ["pad", "model"]) {
    const one = await visit(site, t, { query: `?sample=coffee&size=112&resize=${way}` });
    await shown(one);
    let text = "";
    for (const language of ["Rust", "Python", "JavaScript"]) {
      text = await code(one, language, text);
      assert.equal(/resize/i.test(text), way === "pad", `${language}, ${way}`);
    }
  }
});

/** Teaches by a click on the object and one behind it. */
async function teachTwo(page) {
  await pick(page, [0.5, 0.3], 0);
  await pick(page, [0.05, 0.1], 1);
  await page.locator(".fit", { hasText: /Learned from 2 patches/ }).waitFor();
  await drawn(page);
}

test("materials by the command line are those of the page", async (t) => {
  if (!able(t)) return;
  const page = await visit(site, t, { query: `${SMALL}#view=segmentation` });
  await shown(page);
  const line = await code(page, "Command line");
  assert.match(line, /^internvit segment coffee\.png --model internvit-tiny --whole --window 112 --edges photograph --opacity 0\.6 --picture coffee-segmentation\.png --labels coffee-labels\.png$/);
  inShell(line);
  assert.equal(readFileSync(join(scratch.folder, "coffee-labels.png")).toString("latin1", 1, 4), "PNG");
});

/** The part of pixels in which two masks differ. */
const differing = (one, other) => one.pixels.filter((label, at) => label !== other.pixels[at]).length / one.pixels.length;

for (const [method, edges] of [["linear", "smooth"], ["walk", "photograph"]]) {
  test(`a lesson’s lines make the masks that the page shows and saves: ${method}, edges ${edges}`, async (t) => {
    if (!able(t)) return;
    const page = await visit(site, t, { query: `?sample=coffee&start=sample&detail=quick#view=teach&edges=${edges}` });
    await shown(page);
    await page.locator("#facts", { hasText: "24 × 16" }).waitFor({ state: "attached" });
    await page.locator("#method").evaluate((select, value) => {
      select.value = value;
      select.dispatchEvent(new Event("change"));
    }, method);
    await teachTwo(page);
    const own = indices(unzipSync((await saved(page, "Save all masks")).bytes)["masks/coffee.png"]);
    const [teach, segment] = (await code(page, "Command line")).split("\n");
    const rows = Number(/× (\d+)/.exec(await fact(page, "Patches"))[1]);
    assert.ok(teach.includes(` --image-size ${14 * rows} --edges ${edges} `), teach);
    inShell(teach);
    const taught = differing(indices(readFileSync(join(scratch.folder, "coffee-mask.png"))), own);
    inShell(segment.replace("PICTURES", "coffee.png"));
    const applied = differing(indices(unzipSync(readFileSync(join(scratch.folder, "masks.zip")))["masks/coffee.png"]), own);
    t.diagnostic(`${taught}, ${applied}`);
    assert.ok(taught < 0.005, `${teach}\n${taught} of the pixels differ`);
    assert.ok(applied < 0.005, `${segment}\n${applied} of the pixels differ`);
  });
}

test("a lesson of points on one picture is a short program in each language, with the points of the command’s line", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=teach` });
  await shown(page);
  await teachTwo(page);
  const line = await code(page, "Command line");
  const points = [...line.matchAll(/--point (\w+):(\d+),(\d+)/g)].map(([, name, x, y]) => `.point("${name}", [${x}, ${y}])`);
  assert.equal(points.length, 2);
  for (const [language, opened, calls] of [
    ["Python", 'internvit.open("internvit-tiny")', ['.method("walk").layer(8).layer(12).size(112).fit()', 'model.segment_with(head, "coffee.png")']],
    ["JavaScript", 'new URL("models/internvit-tiny/", location.href)', ['.method("walk").layer(8).layer(12).size(112).fit()', 'model.segmentWith(head, "coffee.png", { size: 112 })']],
    ["Rust", 'Model::open("internvit-tiny")?', [".method(Method::Walk).layer(8).layer(12).size(112)", ".segment()?"]],
  ]) {
    const text = await code(page, language);
    for (const part of [opened, 'teach', ...points, ...calls]) assert.ok(text.includes(part), `${part} is not in\n${text}`);
    assert.ok(!text.includes("subprocess"));
  }
  // A stroke is the command line's alone.
  await page.keyboard.press("Escape");
  const box = await page.locator("#frame canvas").boundingBox();
  await page.mouse.move(box.x + 0.3 * box.width, box.y + 0.8 * box.height);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.6 * box.width, box.y + 0.9 * box.height, { steps: 5 });
  await page.mouse.up();
  await drawn(page);
  assert.match(await code(page, "Python"), /^import subprocess/);
  await page.locator("#code-sheet").getByText("Rust", { exact: true }).click();
  await page.getByText("A lesson of strokes, or on several pictures, has no short form").waitFor();
});

test("a conversation is a line of the command line, which has the same answers", async (t) => {
  const page = await visit(site, t);
  await talkTab(page);
  await page.getByRole("button", { name: "Code", exact: true }).click();
  await page.locator("#code-sheet", { hasText: "Nothing to show yet." }).waitFor();
  await page.keyboard.press("Escape");
  await open(page);
  await status(page, "The model is loaded");
  await fold(page);
  await page.getByLabel("Tiles at most").fill(String(CASE.max_tiles));
  await ask(page, CASE.question);
  await status(page, "Answered");
  const first = await code(page, "Command line");
  assert.equal(first.split("\n")[0], "# MODEL is the folder of the model’s files.");
  assert.match(await code(page, "Python"), /^# In the command line’s words:\n/);
  await page.keyboard.press("Escape");
  await ask(page, "It's $HOME?");
  await page.locator("#talk .turns > li").nth(1).waitFor();
  await status(page, "Answered");
  const said = await page.locator("#talk .answer").allTextContents();
  const second = await code(page, "Command line");
  assert.match(second, /^printf '%s\\n' .* \| internvit chat /m);
  if (!able(t)) return;
  copyFileSync(path(`${FOLDER}/chat_tiny/image.png`), join(scratch.folder, "image.png"));
  // A terminal is given control characters as escapes.
  const shown = (text) => text.replaceAll("\\r", "\r").replace(/\\u\{(\w+)\}/g, (_, code) => String.fromCodePoint(parseInt(code, 16)));
  const run = (text) => plain(shown(inShell(text.replace("--model MODEL", `--device cpu --model ${path(FOLDER)}/chat_tiny`))));
  assert.equal(run(first), plain(CASE.answer));
  assert.equal(run(second), plain(said.join(" ")));
});

// The packages' own tests run these programs: tests/python/test_page.py, package.spec.mjs.
for (const [language, file] of [["Python", "looked.py"], ["JavaScript", "looked.mjs"]]) {
  test(`what is shown in ${language} is the program that its package’s tests run`, async (t) => {
    const page = await visit(site, t, { query: `${SMALL}&start=sample&model=#view=similarity&at=0.5,0.4` });
    await page.locator("#facts", { hasText: "× 384" }).waitFor({ state: "attached" });
    await shown(page);
    await drawn(page);
    assert.equal(`${await code(page, language)}\n`, readFileSync(path(`tests/common/code/${file}`), "utf8"));
    assert.match(await code(page, "Rust"), /with its feature dinov2-small[^]*Model::open\("dinov2-small"\)/);
  });
}

test("the button answers, each language says what it needs, and where nothing is shown the sheet says so", async (t) => {
  const page = await visit(site, t, { query: `${SMALL}#view=words`, prepare: ownClipboard, ...phone });
  await shown(page);
  await page.getByRole("button", { name: "Code", exact: true }).click();
  await page.locator("#code-sheet", { hasText: "Write what to look for first." }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("tab", { name: "Group" }).click();
  await drawn(page);
  const rust = await code(page, "Rust");
  assert.match(rust, /Model::open\("internvit-tiny"\)/);
  assert.match(rust, /model\.look\(&photo\)\.size\(112\)\.resize\(Resize::Native\)\.edges\(Edges::Photograph\)\.view\(view\)/);
  await page.locator("#code-sheet").getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied ✓" }).waitFor();
  assert.equal(await copied(page), rust);
  await code(page, "Python");
  await page.getByText("Needs the Python package internvit").waitFor();
});
