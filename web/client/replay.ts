// Which calls leave state in the worker, and which need that state: what a replacement worker must replay.

import type { Call, Calls } from "../shared/protocol";

/** The state that a call leaves in the worker: one of these, or a photograph, by its number. */
export type Key = "open" | "setPrecision" | "load" | "head" | "basis" | number;

/** A call with its argument. */
export type Request = { [K in Call]: { call: K; given: Calls[K]["given"] } }[Call];

/** A call to replay in a replacement worker. */
export interface ReplayEntry {
  request: Request;
  /** Whether the current worker has its state. */
  done: boolean;
  /** The current worker's number for a photograph. */
  number: number;
}

/** The state that a call leaves, photographs excepted. */
export function stateOf({ call, given }: Request): Key | null {
  if (call === "open" || call === "setPrecision" || call === "load") return call;
  if (call === "teach" || call === "importHead") return "head";
  return call === "view" && given.request.view === "pca" && given.request.basis === "keep" ? "basis" : null;
}

/** The state that a call needs. */
export function needs({ call, given }: Request): Key[] {
  if (call === "open" || call === "forget" || call === "archive") return [];
  if (call === "setPrecision") return ["open"];
  if (call === "load") return ["open", "setPrecision"];
  const list: Key[] = ["open", "setPrecision", "load"];
  if (call === "tensor" || call === "kept" || call === "labels") list.push(given.photo);
  if (call === "teach") list.push(...given.examples.map(({ photo }) => photo));
  if (call === "exportHead") list.push("head");
  if (call === "masks" || call === "maskFiles" || call === "cutOut") list.push("head", given.photo);
  if (call !== "view") return list;
  const { photo, request } = given;
  list.push(photo);
  if (request.view === "similarity") list.push(request.of);
  if (request.view === "taught") list.push("head");
  if (request.view === "pca" && request.basis === "kept") list.push("basis");
  return list;
}

/** The call's argument with the photographs' numbers replaced. */
export function renumbered({ call, given }: Request, number: (photo: number) => number): Calls[Call]["given"] {
  switch (call) {
    case "tensor":
    case "kept":
    case "labels":
    case "masks":
    case "maskFiles":
    case "cutOut":
      return { ...given, photo: number(given.photo) };
    case "view": {
      const { photo, request } = given;
      return { ...given, photo: number(photo), request: request.view === "similarity" ? { ...request, of: number(request.of) } : request };
    }
    case "teach":
      return { ...given, examples: given.examples.map((example) => ({ ...example, photo: number(example.photo) })) };
    case "forget":
      return number(given);
    default:
      return given;
  }
}
