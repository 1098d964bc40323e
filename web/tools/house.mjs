// The rules of the page's TypeScript, read from the files themselves: `node web/tools/house.mjs`.
//
// - A function has at most 60 lines, a file at most 400.
// - page/ and package/ import client/, shared/ and themselves, client/ and worker/ shared/ and themselves, shared/ itself
//   alone; value imports form no cycle.
// - No file has a variable at its top: state belongs to an object.
// - The records of the Rust module are those of shared/protocol.ts (records.mjs).
import { readFileSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";
import { parseAst } from "vite";
import { recordFaults } from "./records.mjs";
import { root, stop } from "./run.mjs";

const MOST_FUNCTION = 60;
const MOST_FILE = 400;

/** For each folder those that its files may import. */
const MAY_IMPORT = {
  page: ["page", "client", "shared"], package: ["package", "client", "shared"], client: ["client", "shared"], worker: ["worker", "shared"], shared: ["shared"],
};

/** What breaks a rule, a sentence each. `texts` are files by their paths below web/. */
export function faults(texts) {
  const files = Object.entries(texts).map(([name, text]) => ({ name, text, body: parseAst(text, { lang: "ts", sourceType: "module" }, name).body }));
  return [...files.flatMap((file) => [...sizes(file), ...imports(file), ...variables(file)]), ...cycles(files)];
}

/** The files of the page. */
function sources() {
  const names = readdirSync(join(root, "web"), { recursive: true }).map((name) => name.replaceAll("\\", "/"));
  const ours = names.filter((name) => name.endsWith(".ts") && name.split("/")[0] in MAY_IMPORT);
  return Object.fromEntries(ours.map((name) => [name, readFileSync(join(root, "web", name), "utf8")]));
}

function sizes({ name, text, body }) {
  const found = [];
  const lines = lineAt(text, text.trimEnd().length);
  if (lines > MOST_FILE) found.push(`web/${name} has ${lines} lines, expected at most ${MOST_FILE}.`);
  walk(body, (node) => {
    if (!/^(Function|ArrowFunction)/.test(node.type) || !node.body) return;
    const [first, last] = [lineAt(text, node.start), lineAt(text, node.end)];
    if (last - first >= MOST_FUNCTION) found.push(`web/${name}:${first}: a function of ${last - first + 1} lines, expected at most ${MOST_FUNCTION}.`);
  });
  return found;
}

/** The line of a place, from 1. */
function lineAt(text, at) {
  return text.slice(0, at).split("\n").length;
}

function imports({ name, body }) {
  const [folder] = name.split("/");
  const wrong = specifiers(body).map(({ path }) => target(name, path)).filter((path) => path && !MAY_IMPORT[folder].includes(path.split("/")[0]));
  return wrong.map((path) => `web/${name} imports ${path}, expected only ${MAY_IMPORT[folder].join(" and ")}.`);
}

function variables({ name, text, body }) {
  const found = body.map((node) => node.declaration ?? node).filter(({ type, kind }) => type === "VariableDeclaration" && kind !== "const");
  return found.map(({ start, kind }) => `web/${name}:${lineAt(text, start)}: ${kind} at the top of a file, expected state in an object.`);
}

/** Files that import each other, types aside. */
function cycles(files) {
  const uses = new Map(files.map(({ name, body }) =>
    [name, specifiers(body).filter(({ types }) => !types).map(({ path }) => target(name, path)).filter((path) => path !== null)]));
  const [done, found] = [new Set(), []];
  const visit = (name, way) => {
    if (way.includes(name)) found.push(`Files import each other: ${[...way.slice(way.indexOf(name)), name].join(", ")}.`);
    if (way.includes(name) || done.has(name)) return;
    for (const next of uses.get(name) ?? []) visit(next, [...way, name]);
    done.add(name);
  };
  for (const name of uses.keys()) visit(name, []);
  return found;
}

/** What a file imports or exports again, and whether types alone. */
function specifiers(body) {
  const found = [];
  walk(body, (node) => {
    // What is computed is no file of these.
    if (typeof node.source?.value !== "string" || !/^(Import|Export)/.test(node.type)) return;
    const kinds = (node.specifiers ?? []).map(({ importKind, exportKind }) => importKind ?? exportKind);
    const types = node.importKind === "type" || node.exportKind === "type" || (kinds.length > 0 && kinds.every((kind) => kind === "type"));
    found.push({ path: node.source.value, types });
  });
  return found;
}

/** The file of a relative import below web/; null for a package. */
function target(name, path) {
  return path.startsWith(".") ? `${posix.normalize(posix.join(posix.dirname(name), path))}.ts` : null;
}

function walk(node, visit) {
  if (Array.isArray(node)) return node.forEach((one) => walk(one, visit));
  if (typeof node !== "object" || node === null) return;
  if (typeof node.type === "string") visit(node);
  for (const value of Object.values(node)) walk(value, visit);
}

if (process.argv[1] === import.meta.filename) {
  const found = [...faults(sources()), ...(await recordFaults())];
  if (found.length > 0) stop(found.join("\n"));
}
