// The project's own tools, without a browser.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
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
