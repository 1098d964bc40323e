// Attention: where the class token or a patch looks, in one layer or through all layers up to it.

import type { ModelInfo, ViewMap, ViewRequest } from "../../shared/protocol";
import type { Address } from "../address";
import { Cells } from "../stage/cells";
import { make, part } from "../dom";
import type { Shot } from "../photographs/shots";
import { percentileLight, shadeOf, type Light } from "../stage/light";
import { View, type Subject, type Surface } from "./view";

export class Attention extends View {
  readonly title = "Attention";
  readonly about = "What the model pays attention to. Click a place to see what that place attends to.";
  override readonly edges = "smooth";
  readonly opacity = 100;
  override readonly pointing = "choose";
  override readonly firstLayer = 1;
  readonly #heads: HTMLSelectElement;
  readonly #rollout: HTMLInputElement;
  readonly #classToken: HTMLButtonElement;
  /** All heads at a glance, and their mean. */
  readonly #glance: Cells;
  #changed: () => void = () => undefined;
  /** Null is the mean of all heads. */
  #head: number | null = null;
  #throughLayers = false;

  constructor(root: HTMLElement) {
    super();
    this.#heads = part(root, "#head", HTMLSelectElement);
    this.#rollout = part(root, "#rollout", HTMLInputElement);
    this.#glance = new Cells(part(root, "#heads", HTMLElement), (index) => {
      this.#head = index < this.#heads.options.length - 1 ? index : null;
      this.#changed();
    });
    this.#classToken = part(root, "#class-token", HTMLButtonElement);
  }

  override connect({ changed, unpoint }: Surface) {
    this.#changed = changed;
    this.#rollout.addEventListener("change", () => {
      this.#throughLayers = this.#rollout.checked;
      changed();
    });
    this.#heads.addEventListener("change", () => {
      this.#head = this.#heads.value === "" ? null : Number(this.#heads.value);
      changed();
    });
    this.#classToken.addEventListener("click", unpoint);
  }

  override sync() {
    this.#rollout.checked = this.#throughLayers;
    this.#heads.disabled = this.#throughLayers;
    this.#heads.value = this.#head === null ? "" : String(this.#head);
  }

  override read(address: Address) {
    this.#head = address.whole("head", 0, 200);
    this.#throughLayers = address.has("rollout");
  }

  override write(address: URLSearchParams) {
    if (this.#head !== null) address.set("head", String(this.#head));
    if (this.#throughLayers) address.set("rollout", "");
  }

  override fit({ heads }: ModelInfo) {
    this.#heads.replaceChildren(
      make("option", { value: "", textContent: "mean of all" }),
      ...Array.from({ length: heads }, (_, index) => make("option", { value: String(index), textContent: String(index + 1) })),
    );
  }

  request({ layer, token }: Subject): ViewRequest {
    if (this.#throughLayers) return { view: "rollout", layer: Math.max(1, layer), token };
    return { view: "attention", layer: Math.max(1, layer), token, head: this.#head };
  }

  /** The map holds one part for each head and then their mean, or the only part of a rollout. */
  describe(map: ViewMap, token: number): string {
    return `${(100 * (this.#shown(map)[token] ?? 0)).toFixed(2)} % of the attention`;
  }

  override light(map: ViewMap): Light {
    return percentileLight(map, this.#shown(map), 0.5, 0.985);
  }

  override drawn(map: ViewMap, shot: Shot) {
    const photo = shot.encoding?.bitmap;
    const area = map.width * map.height;
    const count = this.#throughLayers || !photo ? 0 : map.data.length / area;
    // The heads, and then their mean.
    const plain = { ...map, fine: null };
    const cells = Array.from({ length: count }, (_, at) => {
      const over = shadeOf(percentileLight(plain, map.data.subarray(at * area, (at + 1) * area), 0.5, 0.985));
      return photo && { photo, over, title: at < count - 1 ? `head ${at + 1}` : "mean of all" };
    });
    this.#glance.show(cells.filter((cell) => cell !== undefined));
    this.#glance.mark(this.#head ?? count - 1);
  }

  /** The part of the map that is shown. */
  #shown({ data, width, height }: ViewMap): Float32Array {
    const area = width * height;
    const last = data.length / area - 1;
    const at = Math.min((this.#throughLayers ? null : this.#head) ?? last, last);
    return data.subarray(at * area, (at + 1) * area);
  }

  override number(value: number): string {
    return `${(100 * value).toPrecision(2)} %`;
  }
}
