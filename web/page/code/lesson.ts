// A lesson as code: the command line's lines, and, of points on one picture, short programs.

import { lessonLines, shellLine, sizeOf, type Line, type Taught } from "./command";
import { OPENED, sourceOf, type Language } from "./code";
import { used } from "../teach/lesson";
import { pixelAt } from "../teach/traces";

/** The text that teaches the same; null in a language that has no short way. */
export function codeOfLesson(language: Language, given: Taught): string | null {
  const lines = lessonLines(given);
  if (language === "shell") return lines.map(shellLine).join("\n");
  const points = pointsOf(given);
  if (points) return { python: pythonOf, rust: rustOf, script: scriptOf }[language](given, points);
  if (language !== "python") return null;
  return [
    "import subprocess", "import zipfile", "",
    ...lines.map(runOf), "",
    'with zipfile.ZipFile("masks.zip") as masks:',
    "    print(masks.namelist())",
  ].join("\n");
}

/** A lesson of points on one picture. */
interface Points {
  photo: string;
  /** The calls that name points, and those that say how it is learned, as JavaScript and Python write them. */
  named: string[];
  how: string;
  size: number;
}

/** Null where strokes were painted, on several pictures, or of one class alone. */
function pointsOf({ lesson: { classes, traces, method }, layers, ...given }: Taught): Points | null {
  const [shot, ...others] = new Set(traces.map((trace) => trace.shot));
  const encoding = shot?.encoding;
  if (!encoding || others.length > 0 || used({ traces }).length < 2 || traces.some(({ path }) => path.length > 1)) return null;
  const sorted = [...traces].sort((a, b) => a.class - b.class);
  const named = sorted.flatMap(({ path, class: of }) => path.map((at) => `.point(${JSON.stringify(classes[of]?.name ?? "")}, [${pixelAt(at, encoding).join(", ")}])`));
  const { image_size = given.side } = sizeOf(given, encoding);
  return { photo: JSON.stringify(shot.file.name), named, how: `.method(${JSON.stringify(method.kind)})${layers.map((layer) => `.layer(${layer})`).join("")}.size(${image_size})`, size: image_size };
}

/** Python and JavaScript apply a head at the model's own size. */
function pythonOf({ model }: Taught, { photo, named, how }: Points): string {
  return [
    "import internvit", "", `model = internvit.open(${JSON.stringify(model || OPENED.python)})`,
    `lesson = model.teach(${photo})`, ...named.map((call) => `lesson${call}`),
    `head = lesson${how}.fit()`, 'head.save("taught.safetensors")',
    `found = model.segment_with(head, ${photo})  # at the model’s own size`,
    "print(found.names, found.shares)",
  ].join("\n");
}

function scriptOf({ model }: Taught, { photo, named, how, size }: Points): string {
  return [
    'import { open } from "internvit";', "", `const model = await open(${sourceOf(model)});`,
    `const lesson = model.teach(${photo});`, ...named.map((call) => `lesson${call};`),
    `const head = await lesson${how}.fit(); // head.bytes is its file`,
    `const found = await model.segmentWith(head, ${photo}, { size: ${size} });`,
    "console.info(found.names, found.shares);", "model.close();",
  ].join("\n");
}

function rustOf({ model, lesson: { method } }: Taught, { photo, named, how }: Points): string {
  const learned = how.replace(/^\.method\("\w+"\)/, `.method(Method::${method.kind.charAt(0).toUpperCase() + method.kind.slice(1)})`);
  return [
    "use internvit::{Method, Model, Picture};", "",
    "fn main() -> Result<(), Box<dyn std::error::Error>> {",
    `    let model = Model::open(${JSON.stringify(model || OPENED.rust)})?;`,
    `    let photo = Picture::open(${photo})?;`,
    "    let (head, found) = model", "        .teach(&photo)",
    ...named.map((call) => `        ${call}`), `        ${learned}`, "        .segment()?;",
    '    std::fs::write("taught.safetensors", head.to_bytes()?)?;',
    '    found[0].save_overlay("taught.png", 0.6)?;',
    "    Ok(())", "}",
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
