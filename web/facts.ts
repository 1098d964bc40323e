// What there is to know about a device and about a result.

import { make, part } from "./dom";
import { duration } from "./format";
import type { Device, Encoding } from "./protocol";

export function showDevice(root: HTMLElement, device: Device) {
  part(root, ".name", HTMLElement).textContent = deviceName(device);
  const note = part(root, ".note", HTMLElement);
  note.hidden = device.kind === "gpu";
  const why = device.reason ? `: ${device.reason}` : "";
  note.textContent = `The network runs on the processor${why}. The result is the same.`;
}

function deviceName({ name, backend }: Device): string {
  return `${name} (${backend})`;
}

export function showFacts(list: HTMLElement, photo: string, encoding: Encoding, device: Device) {
  const { width, height, rows, cols, tiles, tokens, hidden, milliseconds } = encoding;
  const facts: [string, string][] = [
    ["Photograph", `${photo}, ${width} × ${height}`],
    ["Time", duration(milliseconds)],
    ["Device", deviceName(device)],
    ["Patches", `${cols} × ${rows}`],
    ["Tokens", `${tokens} × ${hidden}`],
  ];
  if (tiles > 1) facts.push(["Tiles", String(tiles)]);
  list.replaceChildren(
    ...facts.map(([term, fact]) => make("div", {}, make("dt", { textContent: term }), make("dd", { textContent: fact }))),
  );
}
