// Checks that every dependency's licence allows MIT OR Apache-2.0 distribution.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, root, stop } from "./run.mjs";

const permissive = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD",
  "Zlib", "BSL-1.0", "CC0-1.0", "Unlicense", "Unicode-3.0", "MIT-0"];
// The npm packages are tools: none of them is part of the page.
const tools = [...permissive, "MPL-2.0", "BlueOak-1.0.0"];

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
  const metadata = ask("cargo", ["metadata", "--format-version", "1", "--locked"], "inherit");
  if (!metadata) stop("cargo metadata failed.");
  const crates = JSON.parse(metadata).packages;
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const packages = Object.entries(lock).filter(([path]) => path !== "");
  const refused = [
    ...crates.filter(({ license }) => !allowed(license ?? "", permissive))
      .map(({ name, version, license }) => `crate ${name} ${version}: ${license ?? "none stated"}`),
    ...packages.filter(([, { license }]) => !allowed(license ?? "", tools))
      .map(([path, { version, license }]) => `npm ${path} ${version}: ${license ?? "none stated"}`),
  ];
  if (refused.length) stop(`Licences not on the list:\n${refused.join("\n")}`);
  console.log(`${crates.length} crates and ${packages.length} npm packages have licences on the list.`);
}

if (process.argv[1] === import.meta.filename) main();
