// Builds the page: Rust to web/pkg, then web/ to www/js.
import { copyFileSync, existsSync, readFileSync, readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { writeLicences } from "./licences.mjs";
import { writeWorker } from "./offline.mjs";
import { root, runBeside, stop } from "./run.mjs";
import { bindgen, setup } from "./setup.mjs";
import { sizes } from "./sizes.mjs";

const out = join(root, "web/pkg");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const relaxed = join(target, "relaxed");
/** The module for browsers that multiply and add in one instruction; it is built last. */
const built = join(out, "internvit_relaxed.wasm");

/**
 * Builds the page. `quick`, where nothing was built before, leaves out the second module, for which the first
 * stands in, and answers with what builds it afterwards.
 */
export async function build({ watch = false, quick = false } = {}) {
  const start = new Date();
  const stale = isStale();
  const later = stale && quick && !existsSync(built);
  if (later) await first();
  else if (stale) await both(start);
  writeLicences();
  await page(watch ? { watch: {} } : {});
  if (!later) return stale ? void console.log(sizes().text) : undefined;
  return async () => {
    await both(start);
    // The pages that are open go on with the files that they know.
    await page({ emptyOutDir: false });
    console.log(sizes().text);
  };
}

/** The page alone, by the module that is there. */
export async function page(settings = {}) {
  const vite = await import("vite");
  await vite.build({ configFile: join(root, "web/vite.config.mjs"), build: settings });
  writeWorker(undefined, { watch: Boolean(settings.watch) });
}

function isStale() {
  const sources = ["src", "apps/web", "shaders", "Cargo.toml", "Cargo.lock"].map((name) => newest(join(root, name)));
  return !existsSync(built) || statSync(built).mtimeMs <= Math.max(...sources);
}

async function first() {
  await module(target, out, "+simd128");
  copyFileSync(join(out, "internvit_bg.wasm"), built);
  // Older than every source: it counts as not built.
  utimesSync(built, 0, 0);
}

/** Both at once: each is optimised as a whole, by one thread. */
async function both(start) {
  await Promise.all([
    module(target, out, "+simd128"),
    module(relaxed, join(relaxed, "pkg"), "+simd128,+relaxed-simd"),
  ]);
  const [one, other] = [out, join(relaxed, "pkg")].map((folder) => readFileSync(join(folder, "internvit.js"), "utf8"));
  if (one !== other) stop("The two modules want different JavaScript, but the page has one internvit.js for both.");
  copyFileSync(join(relaxed, "pkg/internvit_bg.wasm"), built);
  // What changes while it builds is not in it.
  utimesSync(built, start, start);
}

async function module(target, out, features) {
  const triple = "wasm32-unknown-unknown";
  // Of what LLVM inlines by its own choice little is worth the bytes: what must be inlined says so.
  const flags = `-C target-feature=${features} -C llvm-args=-inline-threshold=10`;
  await succeed("cargo", ["build", "--package", "internvit-web", "--profile", "wasm", "--target", triple], {
    CARGO_TARGET_DIR: target, CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: flags,
  });
  await succeed(bindgen, [join(target, triple, "wasm/internvit_web.wasm"), out]);
}

async function succeed(command, args, env) {
  if (await runBeside(command, args, env) !== 0) stop(`Failed: ${command} ${args.join(" ")}`);
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
