// A lesson as data: classes, what was painted of them on pictures, and how it is learned. Every change makes a new state.

import type { Taught } from "../../shared/protocol";
import type { Place } from "../../shared/patches";
import type { Shot } from "../photographs/shots";

export type Colour = readonly [number, number, number];

export interface ClassOf {
  name: string;
  colour: Colour;
}

/** A point, or a stroke along a path. */
export interface Trace {
  shot: Shot;
  /** Places, and no patches, so that they outlive a change of the picture's size. */
  path: readonly Place[];
  /** In parts of the longer side of what the model sees; 0 for a pixel. */
  radius: number;
  class: number;
}

/** The layers that are learned from: the chosen one, or with those at one third and two thirds of the way. */
export type Depth = "two" | "last" | "three";

export interface Method {
  kind: "walk" | "linear" | "mlp";
  depth: Depth;
  /** Pixels over which probabilities are smoothed, of a picture 1000 pixels long. */
  smooth: number;
  /** Parts of fewer pixels go to what lies around them. */
  least: number;
}

/** A head from a file: in use until the lesson has two classes. */
export interface Imported {
  file: File;
  taught: Taught;
}

export interface Lesson {
  classes: readonly ClassOf[];
  traces: readonly Trace[];
  method: Method;
  head: Imported | null;
}

/** Most classes: one more would need another kind of PNG. */
export const MOST_CLASSES = 64;

/** The engine's first colours (Okabe and Ito's), in its order. */
const usual: readonly Colour[] = [
  [230, 159, 0], [0, 114, 178], [0, 158, 115], [204, 121, 167], [86, 180, 233], [213, 94, 0], [240, 228, 66],
];

/** The colour of a class to begin with: those after the first ones are far from their neighbours. */
export function colourOf(index: number): Colour {
  const known = usual[index];
  if (known) return known;
  const turn = (index * 0.618034) % 1;
  const part = (shift: number) => Math.round(255 * (0.6 + 0.35 * Math.cos(2 * Math.PI * (turn + shift))));
  return [part(0), part(1 / 3), part(2 / 3)];
}

export const usualMethod: Method = { kind: "walk", depth: "two", smooth: 0, least: 0 };

export const firstLesson: Lesson = {
  classes: ["object", "background"].map((name, index) => ({ name, colour: colourOf(index) })),
  traces: [],
  method: usualMethod,
  head: null,
};

/** The classes that something was painted of, by their places. */
export function used({ traces }: Pick<Lesson, "traces">): number[] {
  return [...new Set(traces.map((trace) => trace.class))].sort((a, b) => a - b);
}

/** Another class, in the first colour that none has. */
export function withClass(lesson: Lesson): Lesson {
  const { classes } = lesson;
  const taken = classes.map(({ colour }) => String(colour));
  const free = classes.map((_, index) => colourOf(index)).find((colour) => !taken.includes(String(colour)));
  return { ...lesson, classes: [...classes, { name: freeName(classes), colour: free ?? colourOf(classes.length) }] };
}

/** "class 3", or the next number that none has. */
export function freeName(classes: readonly ClassOf[]): string {
  const taken = new Set(classes.map(({ name }) => name));
  let number = classes.length + 1;
  while (taken.has(`class ${number}`)) number += 1;
  return `class ${number}`;
}

/** Classes whose names differ: one that repeats gets a number. Masks and files go by names. */
export function distinct(classes: readonly ClassOf[]): ClassOf[] {
  const taken = new Set<string>();
  return classes.map(({ name: asked, colour }) => {
    let name = asked;
    for (let at = 2; taken.has(name); at++) name = `${asked} ${at}`;
    taken.add(name);
    return { name, colour };
  });
}

/** Without a class and all that was painted of it. */
export function withoutClass(lesson: Lesson, index: number): Lesson {
  const kept = lesson.traces.filter((trace) => trace.class !== index);
  return {
    ...lesson,
    classes: lesson.classes.filter((_, at) => at !== index),
    traces: kept.map((trace) => (trace.class > index ? { ...trace, class: trace.class - 1 } : trace)),
  };
}

export function withChanged(lesson: Lesson, index: number, change: Partial<ClassOf>): Lesson {
  return { ...lesson, classes: lesson.classes.map((one, at) => (at === index ? { ...one, ...change } : one)) };
}

/** A lesson with what was painted in another: classes of one name are one. */
export function joined(lesson: Lesson, other: Lesson): Lesson {
  const classes = [...lesson.classes];
  const indices = other.classes.map((own, at) => {
    const known = classes.findIndex(({ name }) => name === own.name);
    return known >= 0 || !used(other).includes(at) ? known : classes.push(own) - 1;
  });
  const traces = other.traces.map((trace) => ({ ...trace, class: indices[trace.class] ?? 0 }));
  return { ...lesson, classes, traces: [...lesson.traces, ...traces] };
}

/** The classes of a head in place of the lesson's. */
export function ofHead(lesson: Lesson, head: Imported): Lesson {
  const { names, palette } = head.taught;
  const classes = names.map((name, index) => ({ name, colour: palette[index] ?? colourOf(index) }));
  return { ...lesson, classes: distinct(classes), traces: [], head };
}

/** In words: "2 points, 1 stroke". */
export function amount(traces: readonly Trace[]): string {
  const points = traces.filter(({ path }) => path.length === 1).length;
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
  const strokes = traces.length - points;
  if (strokes === 0) return count(points, "point");
  return points === 0 ? count(strokes, "stroke") : `${count(points, "point")}, ${count(strokes, "stroke")}`;
}
