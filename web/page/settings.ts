// How a photograph becomes the model's input.

import { remaining } from "../shared/format";
import type { Encoded, ModelInfo, Settings } from "../shared/protocol";
import { part } from "./dom";
import { secondsFor } from "./estimate";
import { askedSettings, plainStart } from "./link";

/** Pixels of the short side: patches fine enough to show what is in a photograph. */
const FINE = 448;
/** Patches of a photograph where the visitor has given no size: those of 448 px on the short side and four times as many on the other. */
const MOST_PATCHES = 4096;

/** Of a first look. */
const QUICK = 224;
/** Seconds above which the time is told before. */
const LONG = 2;

/** The size of a patch before the model is known. */
const USUAL_PATCH = 14;

export class SettingsForm {
  readonly #resize: HTMLSelectElement;
  readonly #imageSize: HTMLInputElement;
  readonly #tiles: HTMLInputElement;
  readonly #button: HTMLButtonElement;
  readonly #time: HTMLElement;
  /** Whether the page encodes as the model's own preprocessing does. */
  readonly #plain = plainStart();
  #model: ModelInfo | null = null;
  /** The last photograph that was encoded. */
  #last: Encoded | null = null;

  constructor(form: HTMLFormElement, onSubmit: () => void) {
    this.#resize = part(form, "#resize", HTMLSelectElement);
    this.#imageSize = part(form, "#image-size", HTMLInputElement);
    this.#tiles = part(form, "#tiles", HTMLInputElement);
    this.#button = part(form, "button", HTMLButtonElement);
    this.#time = part(form, "#time", HTMLElement);
    const asked = askedSettings();
    if (this.#plain) this.#resize.value = "squash";
    if (asked.resize) this.#resize.value = asked.resize;
    if (asked.image_size) this.#imageSize.valueAsNumber = asked.image_size;
    if (asked.tiles) this.#tiles.valueAsNumber = asked.tiles;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSubmit();
    });
    form.addEventListener("input", () => this.#tell());
  }

  read(): Settings {
    const settings: Settings = { resize: this.#resize.value as NonNullable<Settings["resize"]> };
    const side = this.#imageSize.value ? this.#imageSize.valueAsNumber : this.#usualSide;
    if (side) settings.image_size = side;
    if (!this.#imageSize.value && settings.resize === "native") settings.most_patches = MOST_PATCHES;
    if (this.#tiled) settings.tiles = this.#tiles.valueAsNumber;
    return settings;
  }

  /** How to encode for a first look; null where that would not be much quicker. */
  quick(): Settings | null {
    if (this.#plain || this.#imageSize.value || this.#tiled || (this.#usualSide ?? 0) < 2 * this.#wholePatches(QUICK)) return null;
    return { ...this.read(), image_size: this.#wholePatches(QUICK) };
  }

  fit(model: ModelInfo) {
    this.#model = model;
    this.#last = null;
    this.#imageSize.min = this.#imageSize.step = String(model.patch); // whole patches
    if (!this.#imageSize.checkValidity()) this.#imageSize.value = "";
    this.#tell();
  }

  /** Whether there is a photograph to encode again. */
  enable(ready: boolean) {
    this.#button.disabled = !ready;
  }

  /** The time of the next encoding by that of a known photograph, or of the last one where only the size is known; empty where it is short or unknown. */
  estimate(known: Encoded | null, size: { width: number; height: number } | null = null): string {
    this.#last = known ?? (this.#last && size ? { ...this.#last, width: size.width, height: size.height } : this.#last);
    this.#tell();
    return this.#timeFor(this.#last);
  }

  get #tiled(): boolean {
    return this.#tiles.valueAsNumber > 1;
  }

  /** The side where the visitor has given none. A tile has the model's own. */
  get #usualSide(): number | undefined {
    if (this.#plain || this.#tiled || !this.#model) return undefined;
    return Math.max(this.#wholePatches(FINE), this.#model.image_size);
  }

  #wholePatches(side: number): number {
    const patch = this.#model?.patch ?? USUAL_PATCH;
    return Math.round(side / patch) * patch;
  }

  #timeFor(known: Encoded | null): string {
    const seconds = known && this.#model ? secondsFor(this.read(), known, this.#model) : 0;
    return seconds >= LONG ? `, about ${remaining(seconds)}` : "";
  }

  #tell() {
    if (this.#model) this.#imageSize.placeholder = String(this.#usualSide ?? this.#model.image_size);
    const text = this.#timeFor(this.#last);
    this.#time.textContent = text ? `This will take${text.slice(1)}.` : "";
  }
}
