// The lines about the device and about an encoded photograph.

import { make, part } from "../dom";
import { duration } from "../../shared/format";
import { tellDevice } from "./chips";
import type { Device, Encoding, Model } from "../../shared/protocol";

/** Shows the device; with a model also the number of its threads. */
export function showDevice(root: HTMLElement, device: Device, model: Model | null, news = "") {
  part(root, ".name", HTMLElement).textContent = deviceName(device, model);
  const note = part(root, ".note", HTMLElement);
  note.hidden = device.kind === "gpu" && !news;
  note.textContent = [news, device.kind === "gpu" ? "" : onProcessor(device, model)].filter(Boolean).join(" ");
}

function onProcessor(device: Device, model: Model | null): string {
  // Browsers offer WebGPU to pages at https addresses and at localhost only.
  const reason = isSecureContext ? device.reason : "browsers let only pages at https addresses and at localhost use the GPU";
  const why = reason ? `: ${reason}` : "";
  const alone = model?.alone ? ` On one thread: ${model.alone}.` : "";
  return `Running on your CPU${why}. Same result, slower.${alone}`;
}

function deviceName({ kind, name, backend }: Device, model: Model | null): string {
  if (kind === "gpu" || !model) return `${name} (${backend})`;
  return `${name}, ${model.threads} ${model.threads === 1 ? "thread" : "threads"} (${backend})`;
}

export function showFacts(list: HTMLElement, photo: string, encoding: Encoding, device: Device, model: Model | null) {
  const { width, height, rows, cols, tiles, tokens, hidden, milliseconds, byBrowser } = encoding;
  const several = tiles > 1;
  const facts: [string, string][] = [
    ["Photograph", `${photo}, ${width} × ${height}`],
    ["Time", duration(milliseconds)],
    ["Device", deviceName(device, model)],
    ["Patches", `${cols} × ${rows}`],
    ["Tokens", several ? `${tiles} × ${tokens} × ${hidden}` : `${tokens} × ${hidden}`],
  ];
  // The browser's decoder may give slightly other pixels than the command line's.
  if (byBrowser) facts.push(["Read by", "the browser"]);
  if (several) facts.push(["Pictures encoded", String(tiles)]);
  tellDevice(device, milliseconds);
  list.replaceChildren(
    ...facts.map(([term, fact]) => make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: fact }))),
  );
}
