// What a message must hold, as small values that say so: checked where messages arrive.

/** The word of `typeof`, or "any"; a class; an object that has at least these fields. */
export type Shape = "any" | "number" | "string" | "object" | (new (...given: never[]) => object) | { [field: string]: Shape };

/** What is wrong with a value, in words; null where it fits. */
export function misfit(value: unknown, shape: Shape, name: string): string | null {
  if (shape === "any") return null;
  if (typeof shape === "string") return typeof value === shape && value !== null ? null : `${name}: expected ${shape}, found ${kind(value)}`;
  if (typeof shape === "function") return value instanceof shape ? null : `${name}: expected ${shape.name}, found ${kind(value)}`;
  if (typeof value !== "object" || value === null) return `${name}: expected object, found ${kind(value)}`;
  for (const [field, inner] of Object.entries(shape)) {
    const wrong = misfit((value as Record<string, unknown>)[field], inner, `${name}.${field}`);
    if (wrong) return wrong;
  }
  return null;
}

function kind(value: unknown): string {
  return value === null ? "null" : typeof value === "object" ? value.constructor?.name ?? "object" : typeof value;
}
