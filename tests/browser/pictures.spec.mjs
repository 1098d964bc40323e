// Pictures through the module in Chromium: the same bits as natively, which are Pillow's.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openSite, path, visit } from "./site.mjs";

const site = openSite();
const model = "tests/golden/encoder_ln_bias_bf16";

/** With transparent parts, which the page lays over white and Pillow's RGB does not (start.spec.mjs). */
const CLEAR = /alpha[12]?[-.]|LA|planes|transparent|dispose|clear|moving|masks-os2|^(beyond|greys|interlaced|local-alone)\.gif/;
/** Packed as the page's module, which is kept small, does not read. */
const PACKED = /^pack-(lzma|zstd)/;

for (const kind of ["jpeg", "tiff", "gif", "bmp", "webp"]) {
  test(`each ${kind} is decoded as Pillow does`, async (t) => {
    const page = await visit(site, t, { query: "blank/" });
    const expected = Object.entries(JSON.parse(readFileSync(path(`tests/images/${kind}/expected.json`), "utf8")));
    const files = expected.map(([name]) => ({ name, base64: readFileSync(path(`tests/images/${kind}/${name}`)).toString("base64") }));
    const found = await page.evaluate(decode, { folder: "/golden/encoder_ln_bias_bf16/", config: readFileSync(path(`${model}/config.json`), "utf8"), files });
    const wrong = [];
    for (const [at, [name, [width, height, digest]]] of expected.entries()) {
      const { size, rgb, error } = found[at];
      if (PACKED.test(name)) {
        assert.match(error, /save it as 8-bit RGB/, name);
        continue;
      }
      const hash = rgb && createHash("sha256").update(Buffer.from(rgb, "base64")).digest("hex");
      const same = hash === digest || CLEAR.test(name);
      if (error || String(size) !== `${width},${height}` || !same) wrong.push(`${name}: ${error ?? size}`);
    }
    assert.deepEqual(wrong, []);
  });
}

/** Runs in the page. */
async function decode({ folder, config, files }) {
  const { default: init, Engine } = await import("/pkg/internvit.js");
  await init();
  const engine = await Engine.open("cpu");
  const weights = await (await fetch(`${folder}model.safetensors`)).blob();
  await engine.load(
    { config, processor: null, preprocessor: null, words: false },
    [{ name: "model.safetensors", size: weights.size }],
    async (_file, start, end) => new Uint8Array(await weights.slice(start, end).arrayBuffer()),
    () => {},
  );
  const found = [];
  for (const { name, base64 } of files) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    try {
      const { photo, width, height } = await engine.encode(name, bytes, { resize: "squash" }, () => true);
      const rgba = engine.pixels(photo);
      engine.forget(photo);
      const rgb = rgba.filter((_, at) => at % 4 < 3);
      let text = "";
      for (const byte of rgb) text += String.fromCharCode(byte);
      found.push({ size: [width, height], rgb: btoa(text) });
    } catch (error) {
      found.push({ error: String(error.message ?? error) });
    }
  }
  return found;
}
