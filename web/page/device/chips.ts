// The chips of the bar: the device with its last time, and the model with its size.

import { bytes, duration } from "../../shared/format";
import type { Device, Model } from "../../shared/protocol";
import { spelled } from "../../shared/spelled";
import { part } from "../dom";

/** Longest name of a model in its chip, in characters. */
const MOST = 28;

/** Names the device, and how long it took for the last picture. */
export function tellDevice({ kind }: Device, milliseconds: number | null) {
  const chip = part(document, "#device-chip", HTMLElement);
  chip.dataset.kind = kind;
  const time = milliseconds === null ? "" : ` · ${duration(milliseconds)}`;
  part(chip, "[data-text]", HTMLElement).textContent = `${kind === "gpu" ? "WebGPU" : "CPU"}${time}`;
}

/** Names the model; null while none is loaded. */
export function tellModel(model: Model | null) {
  const text = model ? `${spelled(model.name.replace(/^[\w.-]+\//, ""), MOST)} · ${bytes(model.info.bytes)} ▾` : "Model ▾";
  part(document, "#model-chip [data-text]", HTMLElement).textContent = text;
}
