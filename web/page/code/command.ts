// The lines of the command line that do what the page does: a view of a picture, or a lesson.

import type { Edges, Encoded, Settings, ViewRequest } from "../../shared/protocol";
import { used, type Lesson, type Trace } from "../teach/lesson";
import { placeOf } from "../../shared/patches";
import { named } from "../save";
import type { Shot } from "../photographs/shots";
import { pixelAt } from "../teach/traces";
import type { Against } from "../views/view";

/** A line as a program is given it, each word by itself. */
export type Line = readonly string[];

/** How the model is fed. */
export interface Fed {
  /** As the command line calls the model; empty for its default. */
  model: string;
  settings: Settings;
  /** Pixels of the model's own images, and of a patch. */
  side: number;
  patch: number;
}

/** The view that is drawn. */
export interface Looked extends Fed {
  request: ViewRequest;
  shot: Shot;
  /** The photograph beside, on which the view is drawn in place of the first. */
  second: Shot | null;
  /** Further patches that are looked for. */
  pins: readonly Against[];
  edges: Edges;
  /** In percent. */
  opacity: number;
}

/** What a lesson's lines are about. */
export interface Taught extends Fed {
  lesson: Lesson;
  layers: readonly number[];
  edges: Edges;
}

/** The files that the line of a view writes: the picture, and its values or the classes' mask. */
export function filesOf({ request, shot }: Looked): { picture: string; data: string } {
  const data = request.view === "segmentation" ? "labels.png" : `${request.view}.npy`;
  return { picture: fileName(named(shot.file.name, `${request.view}.png`)), data: fileName(named(shot.file.name, data)) };
}

/** The line that draws a view. */
export function lookLine(given: Looked): Line {
  const { request, shot, second, opacity } = given;
  const { picture, data } = filesOf(given);
  const photo = fileName(shot.file.name);
  if (request.view === "segmentation") {
    const window = ["--whole", "--window", String(sizeOf(given, shot.encoding).image_size ?? given.side)];
    return ["internvit", "segment", photo, ...modelOf(given), ...window, ...edgesOf(given), "--opacity", String(opacity / 100), "--picture", picture, "--labels", data];
  }
  const usual = request.view === "pca" ? 100 : 75;
  return [
    "internvit", "look", photo, "--view", request.view, ...modelOf(given), ...layerOf(request), ...feeding(given),
    ...ofView(given), ...(second ? ["--other", fileName(second.file.name)] : []), ...edgesOf(given),
    ...(opacity === usual ? [] : ["--opacity", String(opacity / 100)]), "--out", picture, "--data", data,
  ];
}

/** The size that a photograph was encoded at, as the command line is told it. */
export function sizeOf({ settings: { image_size, resize, tiles = 1, shifts = 1 }, patch }: Fed, encoded: Encoded | null): { image_size: number | undefined; resize: Settings["resize"] | undefined } {
  if (tiles > 1 || resize !== "native" || !encoded) return { image_size, resize };
  const { rows, cols, width, height } = encoded;
  // A strip of a single row is squashed where more patches would take hours.
  const long = Math.max(width, height) > 2 * Math.min(width, height);
  return { image_size: (Math.min(rows, cols) / shifts) * patch, resize: rows === cols && long ? "squash" : resize };
}

function feeding(given: Looked): Line {
  const { tiles = 1, shifts = 1 } = given.settings;
  const { image_size, resize } = sizeOf(given, given.shot.encoding);
  return [
    ...(image_size ? ["--image-size", String(image_size)] : []), ...(resize ? ["--resize", resize] : []),
    ...(tiles > 1 ? ["--tiles", String(tiles)] : []), ...(shifts > 1 ? ["--shifts", String(shifts)] : []),
  ];
}

const layerOf = (request: ViewRequest): Line => ("layer" in request ? ["--layer", String(request.layer)] : []);

/** The settings of one view alone. */
function ofView({ request, shot, pins }: Looked): Line {
  const at = (token: number | null, name = "--at") => (token === null || !shot.encoding ? [] : [name, pixelAt(placeOf(token, shot.encoding), shot.encoding).join(",")]);
  switch (request.view) {
    case "pca":
      return [...(request.foreground ? ["--foreground"] : []), ...(request.foreground && request.swap ? ["--swap"] : []), ...(request.basis === "kept" ? ["--basis", "colours.safetensors"] : request.basis === "keep" ? ["--save-basis", "colours.safetensors"] : [])];
    case "similarity":
      return [...at(request.token), ...(request.centred ? ["--centred"] : []), ...pins.flatMap(({ token, against }) => at(token, against ? "--unlike" : "--alike"))];
    case "attention":
      return [...at(request.token), ...(request.head === null ? [] : ["--head", String(request.head)])];
    case "rollout":
      return at(request.token);
    case "words":
      return option("--text", request.text);
    case "clusters":
      return ["--clusters", String(request.k)];
    default:
      return [];
  }
}

/** What the command line would do by itself differs from view to view, and from method to method. */
const edgesOf = ({ edges }: { edges: Edges }): Line => ["--edges", edges];

/** Lines of a lesson: one that teaches where its pictures are encoded, all with the same short side, and one that makes all masks. */
export function lessonLines(given: Taught): Line[] {
  const { lesson: { traces, method, head } } = given;
  const shots = [...new Set(traces.map((trace) => trace.shot))];
  const sides = new Set(shots.map(({ encoding }) => encoding && sizeOf(given, encoding).image_size));
  const taught = sides.size === 1 && !sides.has(null) && used({ traces }).length >= 2 ? [teachLine(given, shots)] : [];
  const file = taught.length === 0 && head ? head.file.name : "taught.safetensors";
  const { image_size } = sizeOf(given, shots[0]?.encoding ?? null);
  const window = image_size ? ["--window", String(image_size)] : [];
  return [...taught, ["internvit", "segment", "PICTURES", ...modelOf(given), "--head", fileName(file), ...window, ...edgesOf(given), ...refining(method), "--masks-zip", "masks.zip"]];
}

function teachLine(given: Taught, shots: readonly Shot[]): Line {
  const { lesson: { classes, traces, method }, layers, side } = given;
  const names = shots.map(({ file }) => file.name);
  const name = (trace: Trace) => classes[trace.class]?.name ?? "";
  // Classes stand in the order in which they are named.
  const sorted = [...traces].sort((a, b) => a.class - b.class);
  const painted = sorted.flatMap((trace) => {
    const { shot, path } = trace;
    const corners = path.map((at) => shot.encoding ? pixelAt(at, shot.encoding).join(",") : "");
    const place = shots.indexOf(shot) + 1;
    return option(corners.length === 1 ? "--point" : "--scribble", `${name(trace)}:${corners.join(" ")}${place > 1 ? `@${place}` : ""}`);
  });
  return [
    "internvit", "teach", ...names.map(fileName), ...painted, ...modelOf(given), "--method", method.kind, "--layer", layers.join(","),
    "--image-size", String(sizeOf(given, shots[0]?.encoding ?? null).image_size ?? side), ...edgesOf(given), ...refining(method), "--out", "taught.safetensors", "--labels", fileName(named(names[0] ?? "", "mask.png")),
  ];
}

export const modelOf = ({ model }: Pick<Fed, "model">): Line => (model ? ["--model", model] : []);

const refining = ({ smooth, least }: Lesson["method"]): Line => [...(smooth ? ["--smooth", String(smooth)] : []), ...(least ? ["--least", String(least)] : [])];

/** What begins with a hyphen would be read as an option. */
const option = (name: string, value: string): Line => (value.startsWith("-") ? [`${name}=${value}`] : [name, value]);
export const fileName = (name: string) => (name.startsWith("-") ? `./${name}` : name);

/** A line as a shell reads it. */
export const shellLine = (line: Line) => line.map(quoted).join(" ");

function quoted(word: string): string {
  const [, name = "", value = word] = /^(--[a-z-]+=)(.*)$/s.exec(word) ?? [];
  return name + (/^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`);
}
