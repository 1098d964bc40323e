// Checks that every dependency's licence allows MIT OR Apache-2.0 distribution, that all come from the
// registries, and that no crate is there twice but those that others keep so.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, root, stop } from "./run.mjs";

// The list that cargo deny has too, and crates with a licence beyond it.
const deny = readFileSync(join(root, "deny.toml"), "utf8");
const quoted = (text) => [...text.matchAll(/"([^"]+)"/g)].map(([, word]) => word);
const permissive = quoted(deny.match(/^allow = \[([^\]]+)\]/m)?.[1] ?? "");
const exceptions = Object.fromEntries([...deny.matchAll(/\{ crate = "([^"]+)", allow = \[([^\]]+)\] \}/g)]
  .map(([, crate, list]) => [crate, quoted(list)]));
// Most npm packages are tools, and no part of the page; CC-BY-4.0 has a table of browsers that webpack reads in a test.
const tools = [...permissive, "MPL-2.0", "BlueOak-1.0.0", "CC-BY-4.0"];

// Crates in more than one version, and who keeps the older one; cargo tree -i NAME@VERSION shows the way.
const twice = {
  "naga": ["rustc-hash"],
  "npyz": ["num-bigint"],
  "ring, and parquet by way of ahash": ["getrandom", "r-efi", "windows-sys"],
  "wgpu-hal by way of gpu-allocator, and safetensors": ["hashbrown"],
  "png": ["miniz_oxide"],
  "tokenizers by way of spm_precompiled and fancy-regex": ["base64", "bit-set", "bit-vec"],
  "tokenizers by way of itertools and nom": ["itertools", "nom"],
  "winit for macOS, and accesskit": [
    "bitflags", "block2", "core-foundation", "objc2", "objc2-app-kit", "objc2-foundation", "objc2-metal", "objc2-quartz-core", "objc2-ui-kit",
  ],
  "winit for Linux": ["calloop", "calloop-wayland-source", "linux-raw-sys", "rustix", "smithay-client-toolkit", "thiserror", "thiserror-impl"],
  "winit for Redox and Android": ["jni-sys", "redox_syscall"],
  "rfd": ["pollster"],
  "hashbrown of wgpu-hal": ["foldhash"],
  "windows-core and zerocopy, when they are built": ["syn"],
};

/** Evaluates an SPDX expression: names, AND, OR, WITH, parentheses ("/" is Cargo's old OR). */
export function allowed(expression, list) {
  const tokens = expression.replaceAll("/", " OR ").match(/[()]|[^\s()]+/g) ?? [];
  const term = () => {
    const token = tokens.shift();
    if (token === "(") {
      const inner = any();
      tokens.shift();
      return inner;
    }
    if (tokens[0] !== "WITH") return list.includes(token);
    tokens.shift();
    return list.includes(`${token} WITH ${tokens.shift()}`);
  };
  const join = (word, operand, combine) => {
    let value = operand();
    while (tokens[0] === word) {
      tokens.shift();
      const next = operand();
      value = combine(value, next);
    }
    return value;
  };
  const all = () => join("AND", term, (a, b) => a && b);
  const any = () => join("OR", all, (a, b) => a || b);
  return any() && tokens.length === 0;
}

function main() {
  // Of crates that are not here cargo knows no licence, and without --offline would fetch them.
  const metadata = ask("cargo", ["metadata", "--format-version", "1", "--locked", "--offline"], "inherit");
  if (!metadata) {
    stop("This check needs no network, but the crates of every platform on this machine, as cargo says above. Fetch them once with\n    cargo fetch --locked\nthen run this again.");
  }
  const crates = JSON.parse(metadata).packages;
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const packages = Object.entries(lock).filter(([path]) => path !== "");
  const refused = [
    ...crates.filter(({ name, license }) => !allowed(license ?? "", [...permissive, ...exceptions[name] ?? []]))
      .map(({ name, version, license }) => `crate ${name} ${version}: ${license ?? "none stated"}`),
    ...packages.filter(([, { license, dev }]) => !allowed(license ?? "", dev ? tools : permissive))
      .map(([path, { version, license }]) => `npm ${path} ${version}: ${license ?? "none stated"}`),
  ];
  if (refused.length) stop(`Licences not on the list:\n${refused.join("\n")}`);
  // A path is the project's own.
  const elsewhere = crates.filter(({ source }) => source && source !== "registry+https://github.com/rust-lang/crates.io-index");
  if (elsewhere.length) stop(`Crates from elsewhere than crates.io: ${elsewhere.map(({ id }) => id).join(", ")}`);
  const names = crates.map(({ name }) => name).sort();
  const idle = Object.keys(exceptions).filter((name) => !names.includes(name));
  if (idle.length) stop(`No longer there, so to be struck from deny.toml's exceptions: ${idle.join(", ")}`);
  const found = [...new Set(names.filter((name, i) => name === names[i + 1]))];
  const known = Object.values(twice).flat();
  const more = found.filter((name) => !known.includes(name));
  const gone = known.filter((name) => !found.includes(name));
  if (more.length) stop(`Crates in more than one version: ${more.join(", ")}`);
  if (gone.length) stop(`No longer in more than one version, so to be struck from the list: ${gone.join(", ")}`);
  console.log(`${crates.length} crates and ${packages.length} npm packages have licences on the list; ${found.length} crates are there twice.`);
}

if (process.argv[1] === import.meta.filename) main();
