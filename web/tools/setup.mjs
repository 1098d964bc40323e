// Installs what the build and the tests need and this machine lacks. It runs
// before node_modules exists, so it imports nothing but Node's own modules.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, find, root, run, runBeside, stop } from "./run.mjs";

const target = "wasm32-unknown-unknown";
export const bindgen = join(root, `target/tools/release/bindgen${process.platform === "win32" ? ".exe" : ""}`);

export async function setup({ tests = false } = {}) {
  node();
  npmPackages();
  rust();
  if (!tests) return;
  crates();
  vulkan();
  if (!(await findChromium())) installChromium();
}

function node() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) stop(`Node 20.19 or newer is needed; this is ${process.versions.node}.`);
}

function npmPackages() {
  // Beside the packages lies the digest of the lock file they came from.
  const stamp = join(root, "node_modules/.package-lock.sha256");
  const digest = createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return;
  run("npm", ["ci", "--no-audit", "--no-fund"]);
  writeFileSync(stamp, digest);
}

function rust() {
  if (!find("cargo")) stop("Rust is missing. Install it with the command on https://rustup.rs, then run this again.");
  if (process.platform === "linux" && !find("cc")) apt(["gcc", "libc6-dev"], "a C compiler, with which Rust links");
  const sysroot = ask("rustc", ["--print", "sysroot"])?.trim() ?? "";
  if (existsSync(join(sysroot, "lib/rustlib", target))) return;
  if (!find("rustup")) stop(`Rust's standard library for ${target} is missing. Install Rust by https://rustup.rs, or your system's package of that target.`);
  run("rustup", ["target", "add", target]);
}

/** The crates of every platform: tests read what each of them asks for and allows. */
function crates() {
  if (ask("cargo", ["metadata", "--offline", "--locked", "--format-version", "1"]) === null) run("cargo", ["fetch", "--locked"]);
}

/** Builds the tool that finishes modules, which must have exactly the version of the library. */
export async function makeBindgen() {
  const tool = "web/tools/bindgen/Cargo.toml";
  const version = /name = "wasm-bindgen"\r?\nversion = "([^"]+)"/.exec(readFileSync(join(root, "Cargo.lock"), "utf8"))?.[1];
  if (!readFileSync(join(root, tool), "utf8").includes(`"=${version}"`)) stop(`${tool} and Cargo.lock name two versions of wasm-bindgen.`);
  // The first time takes a minute, in which cargo shows what it does.
  const quiet = existsSync(bindgen) ? ["--quiet"] : [];
  const args = ["build", "--release", "--locked", ...quiet, "--manifest-path", tool, "--target-dir", "target/tools"];
  if (await runBeside("cargo", args) !== 0) stop(`Failed: cargo ${args.join(" ")}`);
}

/** Linux without a GPU gets Mesa's software Vulkan; macOS and Windows bring their own API. */
function vulkan() {
  if (process.platform !== "linux") return;
  const drivers = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
    .some((folder) => existsSync(folder) && readdirSync(folder).some((file) => file.endsWith(".json")));
  const loader = ["/usr/lib", "/usr/lib64", "/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
    .some((folder) => existsSync(join(folder, "libvulkan.so.1")));
  if (!drivers || !loader) apt(["mesa-vulkan-drivers", "libvulkan1"], "a Vulkan driver");
}

/** A screen without a monitor, what presses keys on it, and what draws: for the window's tests. */
export function screen() {
  rust();
  if (process.platform !== "linux") stop("The window is tested on Linux, on a screen that Xvfb makes; elsewhere build and open it by hand.");
  const libraries = ["libx11-xcb1", "libxcursor1", "libxi6", "libxkbcommon-x11-0"];
  if (!find("Xvfb") || !find("xdotool")) apt(["xvfb", "xdotool", ...libraries], "Xvfb and xdotool, which make a screen and press keys");
  vulkan();
}

/** The Chromium that runs the browser tests: CHROME or CHROMIUM, or an installed one. */
export async function findChromium() {
  const named = process.env.CHROME || process.env.CHROMIUM;
  if (named) return existsSync(named) ? named : stop(`CHROME names ${named}, which does not exist.`);
  const onPath = find("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome");
  if (onPath) return onPath;
  const { chromium } = await import("playwright-core");
  return [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    chromium.executablePath(),
  ].find((path) => existsSync(path)) ?? null;
}

/** A Python that makes virtual environments. */
export function python() {
  const able = (path) => path && ask(path, ["-c", "import sys, venv, ensurepip; assert sys.version_info >= (3, 10)"]) !== null;
  const known = () => ["python3", "python"].map((name) => find(name)).find(able);
  if (!known()) apt(["python3", "python3-venv"], "Python 3.10 or newer, with venv and pip", "brew install python");
  return known() ?? stop("Python 3.10 or newer with venv and pip is needed; the one that is here is older, or has no ensurepip.");
}

function installChromium() {
  // Ubuntu's package is a stub for a snap, which containers cannot install.
  if (existsSync("/etc/os-release") && /^ID=ubuntu$/m.test(readFileSync("/etc/os-release", "utf8"))) {
    return run(process.execPath, ["node_modules/playwright-core/cli.js", "install", "--with-deps", "chromium"]);
  }
  apt(["chromium"], "Chromium or Chrome (or CHROME=/path/to/it)", "brew install --cask google-chrome");
}

function apt(packages, what, brew) {
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  if (!find("apt-get")) {
    const command = process.platform === "darwin" && brew ? brew : `the equivalent of: sudo ${install.join(" ")}`;
    stop(`Missing: ${what}. Install it with\n    ${command}\nthen run this again.`);
  }
  const sudo = process.getuid() === 0 ? [] : ["sudo"];
  if (sudo.length && !find("sudo")) stop(`Missing: ${what}. As root, type\n    ${install.join(" ")}\nthen run this again.`);
  console.log(`Installing ${what}.`);
  for (const command of [["apt-get", "update"], install]) {
    const [first, ...rest] = [...sudo, ...command];
    run(first, rest, { DEBIAN_FRONTEND: "noninteractive" });
  }
}

if (process.argv[1] === import.meta.filename) await setup({ tests: process.argv.includes("--tests") });
