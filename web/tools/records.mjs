// Whether the records of Rust that the page sends and receives are those that web/shared/ describes.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { root } from "./run.mjs";
import config from "../vite.config.mjs";

/** For each structure in Rust the shape of the protocol. */
const STRUCTURES = {
  DeviceReport: ({ device }) => device,
  ModelInfo: ({ modelInfo }) => modelInfo,
  Texts: ({ modelTexts }) => modelTexts,
  FileInfo: ({ fileInfo }) => fileInfo,
  Options: ({ settings }) => settings,
  PhotoInfo: ({ encoded }) => encoded,
  Lesson: ({ lesson }) => lesson,
  Example: ({ lesson }) => lesson.fields.examples.inner,
  Refine: ({ refine }) => refine,
  Vector: ({ lesson }) => lesson.fields.vectors.inner.inner,
  Spread: ({ spread }) => spread,
  TaughtInfo: ({ taught }) => taught,
  Label: ({ label }) => label,
  Request: ({ benchmarkRequest }) => benchmarkRequest,
  TalkInfo: ({ talkInfo }) => talkInfo,
  Part: ({ part }) => part,
  Seen: ({ seen }) => seen,
  Described: ({ described }) => described,
};

/** For each function that builds an object by its keys the shape of the protocol. */
const OBJECTS = {
  tensor: ({ tensor }) => tensor,
  map: ({ viewMap }) => viewMap,
  raster: ({ raster }) => raster,
  masks: ({ masks }) => masks,
  cut_out: ({ cutOut }) => cutOut,
  looked: ({ looked }) => looked,
  spread: ({ spread }) => spread,
  given: ({ helperTask }) => helperTask.fields.task,
};

const NUMBERS = ["u8", "u32", "usize", "f32", "f64"];
const STRINGS = ["String", "&'static str", "Resize", "Method", "Edges"];

/** Where they differ, a sentence each. */
export async function recordFaults(rust = readRust()) {
  const files = await Promise.all(["protocol", "talk", "team"].map((name) => load(`web/shared/${name}.ts`)));
  const protocol = Object.assign({}, ...files);
  return [
    ...Object.entries(STRUCTURES).flatMap(([name, shape]) => structureFaults(name, rust, shape(protocol))),
    ...Object.entries(OBJECTS).flatMap(([name, shape]) => keyFaults(`fn ${name}`, objectKeys(rust, name), Object.keys(shape(protocol).fields))),
    ...requestFaults(rust, protocol.viewRequest.fieldsOf),
  ];
}

/** A file of the page as JavaScript. */
export async function load(file) {
  const { output: [{ code }] } = await build({
    configFile: false,
    logLevel: "error",
    publicDir: false,
    resolve: config.resolve,
    build: {
      write: false, minify: false, modulePreload: false,
      rolldownOptions: { input: join(root, file), preserveEntrySignatures: "strict" },
    },
  });
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}

/** The module's source. */
export function readRust() {
  const inside = (folder) => readdirSync(join(root, folder)).filter((name) => name.endsWith(".rs")).map((name) => `${folder}/${name}`);
  const names = ["apps/web/src", "src/app", "src/view"].flatMap(inside);
  return names.map((name) => readFileSync(join(root, name), "utf8")).join("\n");
}

function structureFaults(name, rust, shape) {
  const fields = structure(rust, name);
  const wrong = keyFaults(name, fields && Object.keys(fields), Object.keys(shape.fields));
  if (wrong.length > 0) return wrong;
  const differing = Object.entries(fields).filter(([field, type]) => !agrees(type, shape.fields[field]));
  return differing.map(([field, { type }]) => `${name}.${field}: ${type} in Rust, ${shape.fields[field].kind} in the protocol.`);
}

function keyFaults(name, found, expected) {
  if (!found) return [`${name} is not in Rust.`];
  const [ours, theirs] = [found, expected].map((names) => [...names].sort().join(", "));
  return ours === theirs ? [] : [`${name}: the fields in Rust are ${ours}; in the protocol ${theirs}.`];
}

/** Each view of the table names its settings in a function of its own. */
function requestFaults(rust, fieldsOf) {
  const views = [...(/^views! \{([^}]*)\}/m.exec(rust)?.[1] ?? "").matchAll(/(\w+) "(\w+)"/g)];
  const settings = ([, view, name]) => {
    const body = new RegExp(`impl View for ${view} \\{\\s*fn settings\\(.*\\{([\\s\\S]*?)^    \\}`, "m").exec(rust)?.[1];
    const names = body && [...body.matchAll(/fields\.\w+\("(\w+)"/g)].map(([, setting]) => setting);
    return keyFaults(view, names, Object.keys(fieldsOf[name] ?? {}));
  };
  return [...keyFaults("views!", views.map(([, , name]) => name), Object.keys(fieldsOf)), ...views.flatMap(settings)];
}

/** The fields of a structure, each with its type and whether serde may do without it. */
function structure(rust, name) {
  const body = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(rust)?.[1];
  if (body === undefined) return null;
  const fields = body.matchAll(/(#\[serde\(default\)\]\s*)?^\s*(?:pub(?:\([a-z]+\))? )?(\w+): (.+),$/gm);
  return Object.fromEntries([...fields].map(([, fallback, field, type]) => [field, { type, optional: fallback !== undefined }]));
}

/** The keys of the object that a function builds. */
function objectKeys(rust, name) {
  const body = new RegExp(`^(?:pub\\(super\\) )?fn ${name}\\([\\s\\S]*?object\\(&\\[([\\s\\S]*?)^    \\]\\)`, "m").exec(rust)?.[1];
  return body === undefined ? null : [...body.matchAll(/^\s*\("(\w+)",/gm)].map(([, key]) => key);
}

/** Whether a type of Rust and a shape stand for the same values. */
function agrees({ type, optional }, { kind, inner }) {
  const [, some] = /^Option<(.+)>$/.exec(type) ?? [];
  if (some || optional) return kind === "nullable" && agrees({ type: some ?? type, optional: false }, inner);
  const [, item] = /^Vec<(.+)>$/.exec(type) ?? /^\[(.+); \d+\]$/.exec(type) ?? [];
  if (item) return /Array$/.test(kind) ? NUMBERS.includes(item) : kind === "list" && agrees({ type: item, optional: false }, inner);
  if (NUMBERS.includes(type)) return kind === "number";
  if (STRINGS.includes(type)) return kind === "string";
  return type === "bool" ? kind === "boolean" : kind === "record" && type in STRUCTURES;
}
