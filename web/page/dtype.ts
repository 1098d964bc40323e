// In how many bits the GPU keeps a model: a choice that stays in the address.

import { part } from "./dom";
import type { Engine } from "./engine";
import { bytes } from "../shared/format";
import type { Device, Dtype, ModelInfo } from "../shared/protocol";

const ALL: readonly string[] = ["f32", "f16", "int8", "w8a8", "int4"] satisfies Dtype[];

/** Shown where there is a GPU; `onChange` loads the model anew. Done when the engine knows the first choice. */
export async function dtypeChoice(root: HTMLElement, device: Promise<Device>, engine: Engine, onChange: () => void): Promise<void> {
  const select = part(root, "select", HTMLSelectElement);
  const setPrecision = () => engine.call("setPrecision", select.value as Dtype);
  const kind = await device.then(({ kind }) => kind, () => null);
  if (kind !== "gpu") return;
  root.hidden = false;
  const asked = new URLSearchParams(location.search).get("dtype") ?? "";
  if (ALL.includes(asked)) select.value = asked;
  select.addEventListener("change", () => {
    const url = new URL(location.href);
    if (select.value === "f32") url.searchParams.delete("dtype");
    else url.searchParams.set("dtype", select.value);
    history.replaceState(null, "", url);
    void setPrecision().then(onChange);
  });
  await setPrecision();
}

/** Bits of a value of the blocks' weights, and of every other; with int4 sixteen bits of scale for each 32 values. */
const BITS: Record<Dtype, [number, number]> = { f32: [32, 32], f16: [16, 16], int8: [8, 32], w8a8: [8, 32], int4: [4.5, 32] };

/** About how many bytes a model's weights take on the GPU. */
export function memory({ parameters, layers, hidden }: ModelInfo, dtype: Dtype): number {
  // A block has four products of the width for attention, and eight in its MLP of four times the width.
  const blocks = Math.min(parameters, 12 * layers * hidden ** 2);
  const [ofBlocks, ofOthers] = BITS[dtype];
  return (blocks * ofBlocks + (parameters - blocks) * ofOthers) / 8;
}

/** Names each choice's memory for the model that is loaded now, and what it was before the choice. */
export function showMemory(root: HTMLElement, info: ModelInfo) {
  const select = part(root, "select", HTMLSelectElement);
  const hint = part(root, "#dtype-hint", HTMLElement);
  const about = (dtype: Dtype) => bytes(memory(info, dtype));
  for (const option of select.options) {
    titles.set(option, titles.get(option) ?? option.text);
    option.text = `${titles.get(option)}, ${about(option.value as Dtype)}`;
  }
  explanation ??= hint.textContent;
  const now = select.value as Dtype;
  const before = shown && shown.parameters === info.parameters && shown.dtype !== now ? `, before ${about(shown.dtype)}` : "";
  shown = { parameters: info.parameters, dtype: now };
  hint.textContent = `The weights take about ${about(now)} of the GPU’s memory${before}. ${explanation}`;
}

/** What the choices are called, without their memory. */
const titles = new Map<HTMLOptionElement, string>();
let explanation: string | null = null;
/** What the hint told last. */
let shown: { parameters: number; dtype: Dtype } | null = null;
