// The view on screen as code: for a shell, and as short programs in Python, Rust and JavaScript.

import { placeOf } from "../../shared/patches";
import { filesOf, lookLine, shellLine, sizeOf, type Looked } from "./command";
import { pixelAt } from "../teach/traces";

export type Language = "shell" | "python" | "rust" | "script";

/** The text that makes the view in a language. */
export function codeOfView(language: Language, given: Looked): string {
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

/** The default model as a language knows it. */
export const OPENED = { python: "bundled", rust: "dinov2-small", script: "bundled" } as const;

/** A model as JavaScript opens it, by the npm package. The smallest one is not in it. */
export const sourceOf = (model: string) =>
  model === "internvit-tiny" ? 'new URL("models/internvit-tiny/", location.href)' : JSON.stringify(model || OPENED.script);

/** What a view is asked for, by the names that Python and JavaScript have for it. */
function askedOf({ request, shot }: Looked): [string, unknown][] {
  const at = "token" in request && request.token !== null && shot.encoding ? pixelAt(placeOf(request.token, shot.encoding), shot.encoding) : null;
  const own = Object.entries(request).filter(([name, value]) => !["view", "token", "of", "basis"].includes(name) && value !== null && value !== false);
  return [...own, ...(at ? [["at", at] satisfies [string, unknown]] : [])];
}

/** How the photograph is fed, and where edges come from. */
function fedOf(given: Looked): [string, unknown][] {
  const { image_size, resize } = sizeOf(given, given.shot.encoding);
  const { tiles = 1, shifts = 1 } = given.settings;
  return Object.entries({ size: image_size, resize, tiles: tiles > 1 ? tiles : undefined, shifts: shifts > 1 ? shifts : undefined, edges: given.edges })
    .filter(([, value]) => value !== undefined);
}

function pythonOf(given: Looked): string {
  const { shot, request, model } = given;
  const texts = request.view === "words" ? ", texts=True" : "";
  const words = [...askedOf(given), ...fedOf(given)].map(([name, value]) => `${name}=${value === true ? "True" : literal(value)}`);
  const photo = JSON.stringify(shot.file.name);
  return [
    "import internvit", "", `model = internvit.open(${JSON.stringify(model || OPENED.python)}${texts})`,
    `seen = model.look(${[photo, JSON.stringify(request.view), ...words].join(", ")})`,
    ...beyond(given).map((line) => `# ${line}`),
    "print(seen.data.shape)  # the values; seen.over(0.75) is the picture, an array",
    `seen.save(${JSON.stringify(filesOf(given).picture)})`,
  ].join("\n");
}

/** A value as Python and JavaScript write it: a word, a number or a pixel. */
const literal = (value: unknown) => JSON.stringify(value, null, 1).replace(/\n */g, " ").replace(/\[ | \]/g, (bracket) => bracket.trim());

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
  const { shot, request, edges, settings: { tiles = 1, shifts = 1 } } = given;
  // Texts want a tokenizer, and the model's own head classifies.
  if (request.view === "words") return `// In the command line’s words:\n// ${shellLine(lookLine(given))}`;
  if (request.view === "segmentation") return `// The model’s own head, in the command line’s words:\n// ${shellLine(lookLine(given))}`;
  const { image_size, resize } = sizeOf(given, shot.encoding);
  const open = given.model || OPENED.rust;
  const how = [
    image_size ? `.size(${image_size})` : "", resize ? `.resize(Resize::${capital(resize)})` : "", tiles > 1 ? `.tiles(${tiles})` : "",
    shifts > 1 ? `.shifts(${shifts})` : "", `.edges(Edges::${capital(edges)})`,
  ].join("");
  return [
    `// Cargo.toml: internvit${open === "dinov2-small" ? " with its feature dinov2-small" : ""}, serde_json`, "use internvit::view::Edges;", `use internvit::{Model, Picture, ${resize ? "Resize, " : ""}ViewRequest};`, "",
    "fn main() -> Result<(), Box<dyn std::error::Error>> {",
    `    let model = Model::open(${JSON.stringify(open)})?;`,
    `    let photo = Picture::open(${JSON.stringify(shot.file.name)})?;`,
    `    let view: ViewRequest = serde_json::from_str(r#"${requestOf(given)}"#)?;`,
    `    let seen = model.look(&photo)${how}.view(view)?;`,
    '    println!("{:?}", seen.map.shape); // its values are in seen.map.values',
    ...beyond(given).map((line) => `    // ${line}`),
    `    seen.save(${JSON.stringify(filesOf(given).picture)})?;`,
    "    Ok(())", "}",
  ].join("\n");
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** What a program needs more lines for than are shown. */
function beyond({ second, pins: { length: pins }, request }: Looked): string[] {
  const colours = request.view === "pca" && request.basis === "kept";
  const more = [
    ...(second ? ["another picture’s patches"] : []), ...(pins > 0 ? [`${pins} more ${pins === 1 ? "pin" : "pins"}`] : []), ...(colours ? ["the colours of an earlier picture"] : []),
  ];
  return more.length > 0 ? [`Not in these lines, but in the command line’s: ${more.join(", ")}.`] : [];
}

function scriptOf(given: Looked): string {
  const { shot, request, model } = given;
  const spelled = (pairs: readonly [string, unknown][]) => `{ ${pairs.map(([name, value]) => `${name}: ${literal(value)}`).join(", ")} }`;
  return [
    'import { open } from "internvit";', "",
    `const model = await open(${sourceOf(model)}${request.view === "words" ? ", { texts: true }" : ""});`,
    `const seen = await model.look(${JSON.stringify(shot.file.name)}, ${spelled([["view", request.view], ...askedOf(given)])}, ${spelled(fedOf(given))});`,
    ...beyond(given).map((line) => `// ${line}`),
    "console.info(seen.data.shape, seen.image.width, seen.image.height); // seen.data.data are the values, seen.image the picture",
    "model.close();",
  ].join("\n");
}
