// What a message must hold, as small values that say so: checked where messages arrive.

import { spelled } from "./spelled";

/** The word of `typeof`, or "any"; the words there are; a class; an object that has at least these fields, or these and no others. */
export type Shape =
  | "any" | "number" | "string" | "boolean" | "object" | readonly string[] | (new (...given: never[]) => object) | Exactly | Maybe
  | { [field: string]: Shape };

/** An object of these fields and no others: a misspelt one would be ignored without a word. */
export class Exactly {
  readonly fields: Readonly<Record<string, Shape>>;

  private constructor(fields: Readonly<Record<string, Shape>>) {
    this.fields = fields;
  }

  /** All fields of a type of the protocol, so that the compiler tells which one lacks here. */
  static of<T extends object>(fields: { [K in keyof Required<T>]: Shape }): Exactly {
    return new Exactly(fields as Record<string, Shape>);
  }
}

/** What may be left out, or be null. */
export class Maybe {
  readonly shape: Shape;

  constructor(shape: Shape) {
    this.shape = shape;
  }
}

export const maybe = (shape: Shape) => new Maybe(shape);

/** What is wrong with a value, in words; null where it fits. */
export function misfit(value: unknown, shape: Shape, name: string): string | null {
  const found = (expected: string) => `${name}: expected ${expected}, found ${kind(value)}`;
  if (shape === "any") return null;
  if (shape instanceof Maybe) return value === undefined || value === null ? null : misfit(value, shape.shape, name);
  if (typeof shape === "string") return typeof value === shape && value !== null ? null : found(shape);
  if (isWords(shape)) {
    if (typeof value !== "string") return found("string");
    return shape.includes(value) ? null : `${name}: expected ${shape.join(" or ")}, found ${spelled(value)}`;
  }
  if (typeof shape === "function") return value instanceof shape ? null : found(shape.name);
  if (typeof value !== "object" || value === null) return found("object");
  const fields = shape instanceof Exactly ? shape.fields : shape;
  const strange = shape instanceof Exactly ? Object.keys(value).find((field) => !Object.hasOwn(fields, field)) : undefined;
  if (strange !== undefined) return `${name}: unknown ${spelled(strange)}, known are ${Object.keys(fields).join(", ")}`;
  for (const [field, inner] of Object.entries(fields)) {
    const wrong = misfit((value as Record<string, unknown>)[field], inner, `${name}.${field}`);
    if (wrong) return wrong;
  }
  return null;
}

const isWords = (shape: Shape): shape is readonly string[] => Array.isArray(shape);

function kind(value: unknown): string {
  return value === null ? "null" : typeof value === "object" ? value.constructor?.name ?? "object" : typeof value;
}
