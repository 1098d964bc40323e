// Builds the Python wheel: `node web/tools/wheel.mjs` writes target/wheels/internvit-….whl. With --dev it is built as tests are.
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { WHEEL, writeLicences } from "./licences.mjs";
import { root, run, runBeside, stop } from "./run.mjs";
import { python } from "./setup.mjs";

const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
export const home = join(target, "python");
const wheels = join(target, "wheels");
const crate = join(root, "apps/python");

/** What is taken from elsewhere in the repository: by its name in the wheel. */
const COPIED = { "LICENSE-MIT": "LICENSE-MIT", "LICENSE-APACHE": "LICENSE-APACHE", NOTICE: "www/models/dinov2-small/NOTICE" };

/** Makes a virtual environment of its own; its Python. `packages` come from PyPI, or are files. */
export async function environment(name, packages, { fresh = false } = {}) {
  const folder = join(home, name);
  if (fresh) rmSync(folder, { recursive: true, force: true });
  const own = process.platform === "win32" ? join(folder, "Scripts/python.exe") : join(folder, "bin/python");
  if (!existsSync(own)) run(python(), ["-m", "venv", folder]);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", ...packages];
  if (await runBeside(own, pip) !== 0) stop(`pip could not install ${packages.join(", ")}, as it says above: what it needs comes from PyPI.`);
  return own;
}

/** Builds the wheel; its file. */
export async function wheel({ profile = "release" } = {}) {
  mkdirSync(home, { recursive: true });
  for (const [name, source] of Object.entries(COPIED)) copyFileSync(join(root, source), join(crate, name));
  writeLicences(join(crate, "LICENSE-others.txt"), WHEEL);
  const builder = await environment("builder", ["maturin>=1.9.4,<2"]);
  rmSync(wheels, { recursive: true, force: true });
  const built = ["-m", "maturin", "build", "--profile", profile, "--locked", "--out", wheels, "--manifest-path", join(crate, "Cargo.toml"), "--quiet"];
  run(builder, [...built, ...(profile === "release" ? ["--strip"] : [])], { CARGO_TARGET_DIR: target });
  const [file] = readdirSync(wheels);
  return join(wheels, file);
}

if (process.argv[1] === import.meta.filename) {
  const file = await wheel({ profile: process.argv.includes("--dev") ? "dev" : "release" });
  console.log(`The wheel is ${file}: pip install ${file}`);
}
