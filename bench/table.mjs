// Writes docs/speed.md from the measurements in bench/results; with --check it only says whether that is up to date.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const page = here("../docs/speed.md");

/** Shapes that file names tell where the measurement does not. */
const SHAPES = {
  tiny: ["internvit-tiny", 224], "300m": ["300M, random weights", 448], "dinov2-s": ["DINOv2 ViT-S/14, random weights", 518],
  "clip-b32": ["CLIP ViT-B/32, random weights", 224], "siglip-b16": ["SigLIP ViT-B/16, random weights", 224],
};

/** A report of `internvit bench --json`, or of the page's benchmark. */
function ofReport({ model, image_size, batch, dtype = "f32", device, kernels, encode, check, made }) {
  const driver = [device.backend, device.driver].filter(Boolean).join(", ");
  return [{
    model: model === "bundled" ? "internvit-tiny" : model, side: image_size, batch, dtype,
    on: [device.name.replace(/ \(.*/, ""), driver && `(${driver})`, kernels && `${kernels} kernels`].filter(Boolean).join(" "),
    by: [made?.program ?? "internvit", browser(made?.system)].filter(Boolean).join(", "),
    median: encode.median_ms, runs: encode.runs, check: check?.relative_l2,
    machine: made && `${made.cores} cores`,
  }];
}

/** Several programs on one input: of bench/browser.mjs and bench/peers.py. */
function ofPeers({ rows, runs, chromium, batch = 1 }, file) {
  const shape = SHAPES[Object.keys(SHAPES).find((name) => file.includes(name))];
  if (!shape) throw new Error(`bench/results/${file}: its name has none of ${Object.keys(SHAPES).join(", ")}, which tells the model`);
  const [model, side] = shape;
  return rows.map(({ who, median_ms, relative_l2, other }) => {
    const [by, ...on] = who.replace("cpu", "CPU").split(", ");
    const dtype = on.filter((word) => /^(f32|f16|float32|bfloat16)$/.test(word)).map((word) => word.replace("float32", "f32"))[0] ?? "f32";
    return {
      model, side, batch, dtype, median: median_ms, runs, check: relative_l2 || undefined,
      on: on.filter((word) => !/^(f32|f16|float32|bfloat16)$/.test(word)).join(", ") + (other ? ` (${other})` : ""), by: chromium ? `${by}, Chromium ${chromium.split(".")[0]}` : by,
    };
  });
}

/** A browser's name and version from what it calls itself. */
function browser(agent = "") {
  const [, name, version] = /(Firefox|Edg|Chrome|Version)\/(\d+)/.exec(agent) ?? [];
  return name && `${{ Edg: "Edge", Version: "Safari" }[name] ?? name} ${version}`;
}

function read(file) {
  const measured = JSON.parse(readFileSync(here(`results/${file}`), "utf8"));
  const rows = measured.rows ? ofPeers(measured, file) : ofReport(measured);
  const date = measured.date ?? (measured.made && new Date(1000 * measured.made.unix_s).toISOString().slice(0, 10));
  return rows.map((row) => ({ ...row, file, date, machine: [measured.machine, !measured.machine && row.machine].filter(Boolean).join(", ") }));
}

const number = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3));

function line({ model, side, batch, dtype, on, by, median, runs, check, machine, date, file }) {
  const cells = [
    `${batch > 1 ? `${batch} × ` : ""}${side} px`, dtype, on, machine, by, number(median), number((1000 * batch) / median), runs,
    check === undefined ? "" : check.toExponential(1), date, `[${file.replace(".json", "")}](../bench/results/${file})`,
  ];
  return { model, key: [side, batch, median], text: `| ${cells.join(" | ")} |` };
}

function table() {
  const lines = readdirSync(here("results"), { recursive: true }).filter((file) => file.endsWith(".json")).sort().flatMap(read).map(line);
  const models = [...new Set(lines.map(({ model }) => model))].sort();
  return models.map((model) => {
    const own = lines.filter((one) => one.model === model);
    // By size, then the quickest first.
    own.sort((a, b) => a.key.map((value, i) => value - b.key[i]).find((difference) => difference !== 0) ?? 0);
    return [
      `## ${model}`, "",
      "| pictures | dtype | on | machine | by | ms | pictures a second | runs | check | date | file |",
      "|---|---|---|---|---|---:|---:|---:|---:|---|---|",
      ...own.map(({ text }) => text),
    ].join("\n");
  }).join("\n\n");
}

const text = `# Speed

Written by \`node bench/table.mjs\` from the files in \`bench/results\`; each row was measured, and its file is beside it.
"ms" is the median of one encoding of all pictures at once, after a warm-up. "Check" is how far the features are from
those of another program or of the processor (relative L2); a row without one was not compared. Rows of one file were measured
in one run and can be compared; machines were shared, and those of different files often differ by more than programs do.

To add a row:

1. Measure: \`internvit bench --model MODEL --json --check > bench/results/NAME.json\` (without \`--check\` on a processor), or in
   the page: Device, Benchmark, Measure, Save as JSON. Close what else works, and leave the tab in front.
2. Add \`"machine": "…"\` to the file: what the report cannot know, as \`"laptop with an Intel Core Ultra 7 258V, Windows 11"\`.
3. \`node bench/table.mjs\`, and send both files.

${table()}
`;

if (process.argv.includes("--check")) {
  if (readFileSync(page, "utf8") !== text) {
    console.error("docs/speed.md is not what bench/results says: run `node bench/table.mjs`.");
    process.exitCode = 1;
  }
} else writeFileSync(page, text);
