// Which calls leave something in the worker, and which build on that: what it takes to bring another worker there.

import type { Call, Calls } from "../shared/protocol";

/** What a call leaves in the worker: one of these, or a photograph, by its number. */
export type Key = "open" | "keep" | "load" | "head" | "basis" | number;

/** A call with what it is given. */
export type Asked = { [K in Call]: { call: K; given: Calls[K]["given"] } }[Call];

/** A call whose effect lasts. */
export interface Deed {
  asked: Asked;
  /** Whether the worker that is here now has done it. */
  done: boolean;
  /** Of a photograph, that worker's number for it. */
  number: number;
}

/** What a call leaves, besides photographs. */
export function leaves({ call, given }: Asked): Key | null {
  if (call === "open" || call === "keep" || call === "load") return call;
  if (call === "teach" || call === "importHead") return "head";
  return call === "view" && given.request.view === "pca" && given.request.basis === "keep" ? "basis" : null;
}

/** What must be there before a call. */
export function needs({ call, given }: Asked): Key[] {
  if (call === "open" || call === "forget") return [];
  if (call === "keep") return ["open"];
  if (call === "load") return ["open", "keep"];
  const list: Key[] = ["open", "keep", "load"];
  if (call === "tensor" || call === "vectors") list.push(given.photo);
  if (call === "teach") list.push(...given.examples.map(({ photo }) => photo));
  if (call === "exportHead") list.push("head");
  if (call !== "view") return list;
  const { photo, request } = given;
  list.push(photo);
  if (request.view === "similarity") list.push(request.of);
  if (request.view === "taught") list.push("head");
  if (request.view === "pca" && request.basis === "kept") list.push("basis");
  return list;
}

/** What the call is given, with other numbers for the photographs. */
export function numbered({ call, given }: Asked, number: (photo: number) => number): Calls[Call]["given"] {
  switch (call) {
    case "tensor":
    case "vectors":
      return { ...given, photo: number(given.photo) };
    case "view": {
      const { photo, request } = given;
      return { photo: number(photo), request: request.view === "similarity" ? { ...request, of: number(request.of) } : request };
    }
    case "teach":
      return { ...given, examples: given.examples.map((example) => ({ ...example, photo: number(example.photo) })) };
    case "forget":
      return number(given);
    default:
      return given;
  }
}
