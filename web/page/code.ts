// The view on screen as code: for a shell, and as short programs in Python, Rust and JavaScript.

import { filesOf, lessonLines, lookLine, shellLine, sizeOf, type Line, type Looked, type Taught } from "./command";

export type Language = "shell" | "python" | "rust" | "script";

/** The text that makes the view in a language. */
export function codeOfView(language: Language, given: Looked): string {
  // Texts want a tokenizer, which is the command line's.
  if (given.request.view === "words" && language !== "python") return `${language === "shell" ? "" : "// In the command line’s words:\n// "}${shellLine(lookLine(given))}`;
  switch (language) {
    case "shell":
      return [...keptColours(given), shellLine(lookLine(given))].join("\n");
    case "python":
      return pythonOf(given);
    case "rust":
      return rustOf(given);
    case "script":
      return scriptOf(given);
  }
}

/** The same for a lesson; null in a language that has no short way. */
export function codeOfLesson(language: Language, given: Taught): string | null {
  const lines = lessonLines(given);
  if (language === "shell") return lines.map(shellLine).join("\n");
  if (language !== "python") return null;
  return [
    "import subprocess", "import zipfile", "",
    ...lines.map(runOf), "",
    'with zipfile.ZipFile("masks.zip") as masks:',
    "    print(masks.namelist())",
  ].join("\n");
}

function pythonOf(given: Looked): string {
  const { picture, data } = filesOf(given);
  const values = data.endsWith(".npy") ? `np.load(${JSON.stringify(data)})` : `np.asarray(Image.open(${JSON.stringify(data)}))`;
  return [
    "import subprocess", "", "import numpy as np", "from PIL import Image", "",
    ...keptColours(given), runOf(lookLine(given)),
    `values = ${values}`,
    `picture = Image.open(${JSON.stringify(picture)})`,
    "print(values.shape, picture.size)",
  ].join("\n");
}

/** Python reads JSON's strings as its own. */
const runOf = (line: Line) => `subprocess.run([\n${wrapped(line.map((word) => `${JSON.stringify(word)},`))}\n], check=True)`;

/** Words in lines of at most some 76 characters. */
function wrapped(words: readonly string[]): string {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 76) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`    ${word}`);
  }
  return lines.join("\n");
}

/** Colours that an earlier picture fixed. */
function keptColours({ request }: Looked): string[] {
  if (request.view !== "pca" || request.basis !== "kept") return [];
  return ["# The picture whose colours are kept comes first, with --save-basis colours.safetensors."];
}

/** The request without what it leaves open, and without numbers that only this visit knows. */
function requestOf({ request }: Looked): string {
  const said = Object.entries(request).filter(([name, value]) => value !== null && value !== false && !(name === "basis") && !(name === "of"));
  return JSON.stringify(Object.fromEntries(said));
}

function rustOf(given: Looked): string {
  const { shot, second, request, pins, edges, settings: { tiles = 1, shifts = 1 } } = given;
  if (request.view === "segmentation") return `// The model’s own head, in the command line’s words:\n// ${shellLine(lookLine(given))}`;
  const { image_size, resize } = sizeOf(given, shot.encoding);
  const open = given.model || "bundled";
  const how = [
    image_size ? `.size(${image_size})` : "", resize ? `.resize(Resize::${capital(resize)})` : "", tiles > 1 ? `.tiles(${tiles})` : "",
    shifts > 1 ? `.shifts(${shifts})` : "", `.edges(Edges::${capital(edges)})`,
  ].join("");
  return [
    "// Cargo.toml: internvit, serde_json", "use internvit::view::Edges;", "use internvit::{Model, Picture, Resize, ViewRequest};", "",
    "fn main() -> Result<(), Box<dyn std::error::Error>> {",
    `    let model = Model::open(${JSON.stringify(open)})?;`,
    `    let photo = Picture::open(${JSON.stringify(shot.file.name)})?;`,
    `    let view: ViewRequest = serde_json::from_str(r#"${requestOf(given)}"#)?;`,
    `    let seen = model.look(&photo)${how}.view(view)?;`,
    '    println!("{:?}", seen.map.shape); // its values are in seen.map.values',
    ...beyond(second !== null, pins.length, request.view === "pca" && request.basis === "kept").map((line) => `    ${line}`),
    `    seen.save(${JSON.stringify(filesOf(given).picture)})?;`,
    "    Ok(())", "}",
  ].join("\n");
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** What a program needs more lines for than are shown. */
function beyond(second: boolean, pins: number, colours: boolean): string[] {
  const more = [
    ...(second ? ["another picture’s patches"] : []), ...(pins > 0 ? [`${pins} more ${pins === 1 ? "pin" : "pins"}`] : []), ...(colours ? ["the colours of an earlier picture"] : []),
  ];
  return more.length > 0 ? [`// Not in these lines, but in the command line’s: ${more.join(", ")}.`] : [];
}

/** The page's own engine. Its folder is that of the page. */
function scriptOf(given: Looked): string {
  const { shot, second, request, pins, edges, settings, model } = given;
  const bundled = model === "internvit-tiny" || model === "";
  const folder = `models/${model || "dinov2-small"}/`;
  const load = bundled
    ? `const folder = new URL(${JSON.stringify(folder)}, location.href);`
    : `const folder = new URL("models/mine/", location.href); // holds the files of ${model}`;
  const view = JSON.stringify("basis" in request ? { ...request, basis: "own" } : request).replace(/"of":\d+/, '"of":photo');
  return [
    "// A module script beside the page’s files, on a server.", 'import { Engine } from "./js/engine.js";', "",
    "const file = async (url) => new File([await (await fetch(url)).blob()], new URL(url).pathname.split(\"/\").pop());",
    load,
    "const own = (name) => file(new URL(name, folder));", "",
    "const engine = new Engine();",
    'await engine.call("open", { device: "auto", threads: null });',
    'await engine.call("load", { config: await own("config.json"),',
    `  ${model === "internvit-tiny" ? "" : 'preprocessor: await own("preprocessor_config.json"), '}weights: [await own("model.safetensors")] });`,
    `const { photo } = await engine.call("encode", {`,
    `  photo: await file(new URL(${JSON.stringify(shot.file.name)}, location.href)), settings: ${JSON.stringify(settings)} });`,
    `const { shape, data } = await engine.call("view", { photo, edges: ${JSON.stringify(edges)}, request: ${view} });`,
    ...beyond(second !== null, pins.length, request.view === "pca" && request.basis === "kept"),
    "document.body.textContent = `${shape.join(\" × \")}: ${data.slice(0, 8).join(\", \")} …`;",
  ].join("\n");
}
