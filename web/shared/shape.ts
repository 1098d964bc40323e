// Shapes of messages: each is a run-time check and, by `Infer`, the type of what passes it.

import { spelled } from "./spelled";

export interface Shape<T> {
  /** The kind of value, in one word. */
  readonly kind: string;
  /** The fields of a record. */
  readonly fields?: Fields;
  /** The shape of a list's items, or of a value that may be missing. */
  readonly inner?: Shape<unknown>;
  /** Whether the field may be left out. */
  readonly optional?: boolean;
  /** What is wrong with a value, in words; null where nothing is. */
  misfit(value: unknown, name: string): string | null;
  /** Never set: carries the type for `Infer`. */
  readonly type?: T;
}

export type Fields = Readonly<Record<string, Shape<unknown>>>;

/** The type of the values that have a shape. */
export type Infer<S> = S extends Shape<infer T> ? T : never;

type Optional = { readonly optional: true };

/** The type of an object that has these fields. */
export type Entries<F extends Fields> = Flat<
  { [K in keyof F as F[K] extends Optional ? never : K]: Infer<F[K]> } & { [K in keyof F as F[K] extends Optional ? K : never]?: Infer<F[K]> | undefined }
>;
type Flat<T> = { [K in keyof T]: T[K] };

/* @__NO_SIDE_EFFECTS__ */
function primitive<T>(kind: string): Shape<T> {
  return { kind, misfit: (value, name) => (typeof value === kind ? null : mismatch(name, kind, value)) };
}

export const number = /* @__PURE__ */ primitive<number>("number");
export const string = /* @__PURE__ */ primitive<string>("string");
export const boolean = /* @__PURE__ */ primitive<boolean>("boolean");

/** Whether a value has a shape. */
export function fits<T>(shape: Shape<T>, value: unknown): value is T {
  return shape.misfit(value, "") === null;
}

/** The argument of a call that takes none. */
export const nothing: Shape<null> = {
  kind: "nothing", misfit: (value, name) => (isMissing(value) ? null : mismatch(name, "nothing", value)),
};

/** A value whose type only the compiler knows. */
/* @__NO_SIDE_EFFECTS__ */
export function unchecked<T>(): Shape<T> {
  return { kind: "any", misfit: () => null };
}

/** One of these strings. */
/* @__NO_SIDE_EFFECTS__ */
export function words<const W extends readonly string[]>(...known: W): Shape<W[number]> {
  return {
    kind: "string",
    misfit(value, name) {
      if (typeof value !== "string") return mismatch(name, "string", value);
      return known.includes(value) ? null : `${name}: expected ${known.join(" or ")}, found ${spelled(value)}`;
    },
  };
}

/* @__NO_SIDE_EFFECTS__ */
export function instance<T extends object>(type: new (...given: never[]) => T): Shape<T> {
  return { kind: type.name, misfit: (value, name) => (value instanceof type ? null : mismatch(name, type.name, value)) };
}

/* @__NO_SIDE_EFFECTS__ */
export function floats() {
  return instance<Float32Array<ArrayBuffer>>(Float32Array);
}

/* @__NO_SIDE_EFFECTS__ */
export function list<T>(inner: Shape<T>): Shape<T[]> {
  return {
    kind: "list",
    inner,
    misfit(value, name) {
      return Array.isArray(value) ? first(value.entries(), ([at, item]) => inner.misfit(item, `${name}[${at}]`)) : mismatch(name, "Array", value);
    },
  };
}

/** A value, or null. A missing field counts as null. */
/* @__NO_SIDE_EFFECTS__ */
export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return { kind: "nullable", inner, misfit: (value, name) => (isMissing(value) ? null : inner.misfit(value, name)) };
}

/** A field that may be left out. */
/* @__NO_SIDE_EFFECTS__ */
export function optional<T>(inner: Shape<T>): Shape<T> & Optional {
  return { ...nullable(inner), optional: true } as Shape<T> & Optional;
}

/** An object with exactly these fields: a misspelt one would be ignored silently. */
/* @__NO_SIDE_EFFECTS__ */
export function record<F extends Fields>(fields: F): Shape<Entries<F>> & { readonly fields: F } {
  return {
    kind: "record",
    fields,
    misfit(value, name) {
      if (!isObject(value)) return mismatch(name, "object", value);
      const strange = Object.keys(value).find((field) => !Object.hasOwn(fields, field));
      if (strange !== undefined) return `${name}: unknown ${spelled(strange)}, known are ${Object.keys(fields).join(", ")}`;
      return misfitOf(fields, value, name);
    },
  };
}

/** An object with at least these fields. */
/* @__NO_SIDE_EFFECTS__ */
export function atLeast<F extends Fields>(fields: F): Shape<Entries<F>> {
  return {
    kind: "record",
    fields,
    misfit: (value, name) => (isObject(value) ? misfitOf(fields, value, name) : mismatch(name, "object", value)),
  };
}

/** Records that one field distinguishes; `fieldsOf` has the other fields for each of its values. */
/* @__NO_SIDE_EFFECTS__ */
export function variants<T extends string, V extends Readonly<Record<string, Fields>>>(tag: T, fieldsOf: V) {
  type Variants = { [K in keyof V & string]: Flat<Record<T, K> & Entries<V[K]>> };
  const tags = atLeast({ [tag]: words(...Object.keys(fieldsOf)) });
  const misfit = (value: unknown, name: string) => {
    const wrong = tags.misfit(value, name);
    return wrong ?? record({ [tag]: string, ...fieldsOf[(value as Record<T, string>)[tag]] }).misfit(value, name);
  };
  return { kind: "variants", fieldsOf, misfit } as Shape<Variants[keyof V & string]> & { readonly fieldsOf: V };
}

/** One record if the value has a field, and another if not. */
/* @__NO_SIDE_EFFECTS__ */
export function either<A, B>(field: keyof A & string, withIt: Shape<A>, without: Shape<B>): Shape<A | B> {
  return { kind: "either", misfit: (value, name) => (isObject(value) && field in value ? withIt : without).misfit(value, name) };
}

function misfitOf(fields: Fields, value: object, name: string): string | null {
  return first(Object.entries(fields), ([field, inner]) => inner.misfit((value as Record<string, unknown>)[field], `${name}.${field}`));
}

/** The first answer that is not null. */
function first<T>(items: Iterable<T>, ask: (item: T) => string | null): string | null {
  for (const item of items) {
    const answer = ask(item);
    if (answer !== null) return answer;
  }
  return null;
}

const isMissing = (value: unknown) => value === undefined || value === null;
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** What is wrong where a value is none of those that are expected. */
export function mismatch(name: string, expected: string, value: unknown): string {
  const found = value === null ? "null" : typeof value === "object" ? (value.constructor?.name ?? "object") : typeof value;
  return `${name}: expected ${expected}, found ${found}`;
}
