// Builds the page: Rust to web/pkg, then web/ to www/js.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./run.mjs";
import { bindgen, setup } from "./setup.mjs";
import { sizes } from "./sizes.mjs";

export async function build({ watch = false } = {}) {
  const fresh = wasm();
  const vite = await import("vite");
  await vite.build({
    configFile: join(root, "web/vite.config.mjs"),
    build: watch ? { watch: {} } : {},
  });
  if (fresh) console.log(sizes().text);
}

/** Returns whether there was anything to do. */
function wasm() {
  const out = join(root, "web/pkg");
  const built = join(out, "internvit_bg.wasm");
  const sources = ["src", "shaders", "Cargo.toml", "Cargo.lock"].map((name) => newest(join(root, name)));
  if (existsSync(built) && statSync(built).mtimeMs > Math.max(...sources)) return false;
  const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  const triple = "wasm32-unknown-unknown";
  run("cargo", ["build", "--lib", "--profile", "wasm", "--target", triple, "--no-default-features"]);
  run(bindgen, ["--target", "web", "--remove-name-section", "--remove-producers-section", "--out-dir", out, join(target, triple, "wasm/internvit.wasm")]);
  return true;
}

/** When a file, or anything in a folder, last changed; a deletion changes its folder. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

if (process.argv[1] === import.meta.filename) {
  await setup();
  await build({ watch: process.argv.includes("--watch") });
}
