// In how many bits the GPU keeps a model: a choice that stays in the address.

import { part } from "./dom";
import type { Engine } from "./engine";
import type { Device, Dtype } from "./protocol";

const ALL: readonly string[] = ["f32", "f16", "int8", "w8a8", "int4"] satisfies Dtype[];

/** Shown where there is a GPU; `onChange` loads the model anew. Done when the engine knows the first choice. */
export async function dtypeChoice(root: HTMLElement, device: Promise<Device>, engine: Engine, onChange: () => void): Promise<void> {
  const select = part(root, "select", HTMLSelectElement);
  const keep = () => engine.call("keep", select.value as Dtype);
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
    void keep().then(onChange);
  });
  await keep();
}
