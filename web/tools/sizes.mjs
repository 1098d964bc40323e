// What a visitor downloads before the model: the page's own files, compressed. `node web/tools/sizes.mjs` prints it.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { root } from "./run.mjs";

/** Bytes as { raw, gzip, brotli } of the wasm alone, of the whole page, and of the module that a conversation adds. */
export function sizes() {
  const www = join(root, "www");
  const bundled = readdirSync(join(www, "js"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  // A visitor's browser takes one of the two modules.
  const larger = (name) => bundled.filter((file) => basename(file).startsWith(name) && file.endsWith(".wasm")).sort((a, b) => statSync(b).size - statSync(a).size)[0];
  const [own, speaking] = [larger("internvit_"), larger("talk_")];
  const fetched = bundled.filter((file) => !file.endsWith(".wasm") || file === own || file === speaking);
  // A host compresses files that do not change once, as well as it can.
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS };
  const wasm = { raw: 0, gzip: 0, brotli: 0 };
  const page = { raw: 0, gzip: 0, brotli: 0 };
  const talk = { raw: 0, gzip: 0, brotli: 0 };
  for (const file of [join(www, "index.html"), join(www, "styles.css"), join(www, "favicon.svg"), ...fetched]) {
    const bytes = readFileSync(file);
    const packed = /\.(jpg|png|webp)$/.test(file);
    const size = {
      raw: bytes.length,
      gzip: packed ? bytes.length : gzipSync(bytes).length,
      brotli: packed ? bytes.length : brotliCompressSync(bytes, { params }).length,
    };
    for (const sum of file === speaking ? [talk] : file === own ? [wasm, page] : [page]) {
      for (const key of Object.keys(sum)) sum[key] += size[key];
    }
  }
  const line = (name, { raw, gzip, brotli }) =>
    `${name.padEnd(6)}${[raw, gzip, brotli].map((n) => `${(n / 1000).toFixed(0)} kB`.padStart(10)).join("")}`;
  return { wasm, page, talk, text: `size         raw      gzip    brotli\n${line("wasm", wasm)}\n${line("page", page)}\n${line("talk", talk)}` };
}

if (process.argv[1] === import.meta.filename) console.log(sizes().text);
