// In how many bits the GPU stores a model: a choice that stays in the address.

import { bytes } from "../../shared/format";
import type { Device, Dtype, ModelInfo } from "../../shared/protocol";
import { part } from "../dom";
import type { Engine } from "../engine";

const ALL: readonly string[] = ["f32", "f16", "int8", "w8a8", "int4"] satisfies Dtype[];

/** The precision in the address. */
export function askedPrecision(): Dtype {
  const asked = new URLSearchParams(location.search).get("dtype") ?? "";
  return ALL.includes(asked) ? (asked as Dtype) : "f32";
}

/** Shows the choice where there is a GPU. Resolves once the engine knows the first choice; `onChange` follows each other. */
export async function precisionChoice(root: HTMLElement, device: Promise<Device>, engine: Engine, onChange: () => void): Promise<void> {
  const select = part(root, "select", HTMLSelectElement);
  const setPrecision = () => engine.call("setPrecision", select.value as Dtype);
  const kind = await device.then(({ kind }) => kind, () => null);
  if (kind !== "gpu") return;
  root.hidden = false;
  select.value = askedPrecision();
  select.addEventListener("change", () => {
    const url = new URL(location.href);
    if (select.value === "f32") url.searchParams.delete("dtype");
    else url.searchParams.set("dtype", select.value);
    history.replaceState(history.state, "", url);
    void setPrecision().then(onChange);
  });
  await setPrecision();
}

/**
 * Bits of a value of the blocks' weights, and of every other; int4 has sixteen bits of scale for each 32 values, and leaves the
 * third of a block that is attention's in 8 bits.
 */
const BITS: Record<Dtype, [number, number]> = { f32: [32, 32], f16: [16, 16], int8: [8, 32], w8a8: [8, 32], int4: [(8 + 2 * 4.5) / 3, 32] };

/** About how many bytes a model's weights take on the GPU. */
export function memory({ parameters, layers, hidden }: Pick<ModelInfo, "parameters" | "layers" | "hidden">, dtype: Dtype): number {
  // A block has four products of the width for attention, and eight in its MLP of four times the width.
  const blocks = Math.min(parameters, 12 * layers * hidden ** 2);
  const [ofBlocks, ofOthers] = BITS[dtype];
  return (blocks * ofBlocks + (parameters - blocks) * ofOthers) / 8;
}

/** Names each choice's memory for the loaded model, and what it was before the choice. */
export class MemoryHint {
  readonly #select: HTMLSelectElement;
  readonly #hint: HTMLElement;
  /** What the choices are called, without their memory. */
  readonly #titles: ReadonlyMap<HTMLOptionElement, string>;
  readonly #explanation: string;
  /** What the hint told last. */
  #shown: { parameters: number; dtype: Dtype } | null = null;

  constructor(root: HTMLElement) {
    this.#select = part(root, "select", HTMLSelectElement);
    this.#hint = part(root, "#dtype-hint", HTMLElement);
    this.#titles = new Map([...this.#select.options].map((option) => [option, option.text]));
    this.#explanation = this.#hint.textContent ?? "";
  }

  show(info: ModelInfo) {
    const about = (dtype: Dtype) => bytes(memory(info, dtype));
    for (const [option, title] of this.#titles) option.text = `${title}, ${about(option.value as Dtype)}`;
    const now = this.#select.value as Dtype;
    const last = this.#shown;
    const before = last && last.parameters === info.parameters && last.dtype !== now ? `, before ${about(last.dtype)}` : "";
    this.#shown = { parameters: info.parameters, dtype: now };
    this.#hint.textContent = `The weights take about ${about(now)} of the GPU’s memory${before}. ${this.#explanation}`;
  }
}
