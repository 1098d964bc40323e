// The lines of the command line that do what a lesson does on the page.

import type { Encoded, Settings } from "../shared/protocol";
import { used, type Lesson, type Trace } from "./lesson";
import { named } from "./save";
import type { Shot } from "./shots";
import { pixelAt } from "./traces";

/** What the lines are about. */
export interface Taught {
  lesson: Lesson;
  layers: readonly number[];
  /** As the command line calls the model; empty for its default. */
  model: string;
  settings: Settings;
  /** Pixels of the model's own images. */
  side: number;
}

/** Lines for a shell: one that teaches where all was painted on one picture, and one that makes all masks. */
export function commandOf(given: Taught): string {
  const { lesson: { traces, method, head } } = given;
  const [shot, ...others] = new Set(traces.map((trace) => trace.shot));
  const taught = shot?.encoding && others.length === 0 && used({ traces }).length >= 2 ? teachLine(given, shot, shot.encoding) : null;
  const file = taught === null && head ? head.file.name : "taught.safetensors";
  const model = modelOf(given);
  const window = given.settings.image_size ? [`--window ${given.settings.image_size}`] : [];
  const segment = line(["internvit segment PICTURES", ...model, `--head ${quoted(file)}`, ...window, ...refining(method), "--masks-zip masks.zip"]);
  return taught === null ? segment : `${taught}\n${segment}`;
}

function teachLine(given: Taught, shot: Shot, encoding: Encoded): string {
  const { lesson: { classes, traces, method }, layers, settings, side } = given;
  const name = (trace: Trace) => classes[trace.class]?.name ?? "";
  // Classes stand in the order in which they are named.
  const sorted = [...traces].sort((a, b) => a.class - b.class);
  const painted = sorted.map((trace) => {
    const corners = trace.path.map((at) => pixelAt(at, encoding).join(","));
    return corners.length === 1 ? `--point ${quoted(`${name(trace)}:${corners[0]}`)}` : `--scribble ${quoted(`${name(trace)}:${corners.join(" ")}`)}`;
  });
  return line([
    `internvit teach ${quoted(shot.file.name)}`, ...painted, ...modelOf(given), `--method ${method.kind}`, `--layer ${layers.join(",")}`,
    `--image-size ${settings.image_size ?? side}`, ...refining(method), "--out taught.safetensors", `--labels ${quoted(named(shot.file.name, "mask.png"))}`,
  ]);
}

const modelOf = ({ model }: Taught) => (model ? [`--model ${quoted(model)}`] : []);

const refining = ({ smooth, least }: Lesson["method"]) => [...(smooth ? [`--smooth ${smooth}`] : []), ...(least ? [`--least ${least}`] : [])];

const line = (words: readonly string[]) => words.join(" ");

/** A word as a shell reads it. */
function quoted(word: string): string {
  const safe = word.startsWith("-") ? `./${word}` : word;
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}
