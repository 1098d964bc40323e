// Builds the page: Rust to web/pkg, then web/ to www/js.
import { existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { join, sep } from "node:path";
import { writeLicences } from "./licences.mjs";
import { writeWorker } from "./offline.mjs";
import { root, runBeside, stop } from "./run.mjs";
import { bindgen, makeBindgen, setup } from "./setup.mjs";

const out = join(root, "web/pkg");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");

/** The modules: the name of each, and what Cargo is told to make it. */
const MODULES = {
  internvit: { made: "internvit_web.wasm", how: ["--lib"] },
  // What speaks is loaded when a conversation begins, so the page stays small.
  talk: { made: "internvit_chat.wasm", how: ["--bin", "internvit_chat", "--features", "language"] },
};

/** Builds the page. */
export async function build({ watch = false } = {}) {
  const stale = Object.keys(MODULES).filter(isStale);
  // Modules end with work for one core, so the tool that finishes them is built beside them.
  const tool = stale.length > 0 ? makeBindgen() : null;
  for (const name of stale) await module(name, tool);
  writeLicences();
  await page(watch ? { watch: {} } : {});
}

/** The page alone, by the module that is there. */
export async function page(settings = {}) {
  const vite = await import("vite");
  await vite.build({ configFile: join(root, "web/vite.config.mjs"), build: settings });
  writeWorker(undefined, { watch: Boolean(settings.watch) });
}

const built = (name) => join(out, `${name}_bg.wasm`);

function isStale(name) {
  const sources = ["src", "apps/web", "shaders", "web/tools/bindgen/src", "Cargo.toml", "Cargo.lock"].map((source) => newest(join(root, source)));
  return !existsSync(built(name)) || statSync(built(name)).mtimeMs <= Math.max(...sources);
}

/** A module with relaxed SIMD, which multiplies and adds in one instruction, and its twin for browsers without, once `tool` is there. */
async function module(name, tool) {
  const start = new Date();
  const triple = "wasm32-unknown-unknown";
  // Of what LLVM inlines by its own choice little is worth the bytes: what must be inlined says so. Its strength reduction of
  // loops adds constants to addresses, where WebAssembly's loads have room for them.
  const flags = ["-C", "target-feature=+simd128,+relaxed-simd", "-C", "llvm-args=-inline-threshold=10", "-C", "llvm-args=-disable-lsr"];
  const { made, how } = MODULES[name];
  await succeed("cargo", ["fetch", "--locked", "--target", triple]);
  await succeed("cargo", ["build", "--package", "internvit-web", ...how, "--profile", "wasm", "--target", triple], {
    CARGO_TARGET_DIR: target, CARGO_ENCODED_RUSTFLAGS: [...flags, ...unplaced()].join("\x1f"),
  });
  await tool;
  await succeed(bindgen, [join(target, triple, "wasm", made), out, name]);
  // What changes while it builds is not in it.
  utimesSync(built(name), start, start);
}

/** Flags that leave out of a module where other people's crates lie on this machine. */
function unplaced() {
  const sources = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry/src");
  return readdirSync(sources).map((registry) => `--remap-path-prefix=${join(sources, registry)}${sep}=`);
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
