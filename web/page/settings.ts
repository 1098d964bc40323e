// How a photograph becomes the model's input.

import { remaining } from "../shared/format";
import type { Encoded, ModelInfo, Settings } from "../shared/protocol";
import { Detail } from "./detail";
import { part } from "./dom";
import { patchesOf, secondsBy, secondsFor } from "./device/estimate";
import type { Present } from "./models/gain";
import { askedSettings, OWN, plainStart, type Resizing } from "./link";

/** Pixels of the short side: patches fine enough to show what is in a photograph. */
const FINE = 448;
/** Patches of a photograph where the visitor has given no size: those of 448 px on the short side and four times as many on the other. */
const MOST_PATCHES = 4096;
/** The same on a device that takes longer than `QUICK_ENOUGH` for them: those of a square of 448 px. */
const SLOW_PATCHES = 1024;

/** The shape of most photographs. */
const USUAL_SHAPE = { width: 3, height: 2 };
/** Seconds that the usual detail may take. */
const QUICK_ENOUGH = 1.2;
/** Patches of a photograph at the finest detail, twice as fine as usual. */
const MOST_FINEST = 12_288;

/** Pixels of the short side at the quick detail. */
const QUICK = 224;
/** The same of a first look, which is replaced by the usual detail. */
const FIRST = 140;
/** Seconds up to which a photograph is waited for, without a first look. */
const SHORT = 1.5;
/** Seconds above which the time is told before. */
const LONG = 2;

/** The size of a patch before the model is known. */
const USUAL_PATCH = 14;

export class SettingsForm {
  readonly #resize: HTMLSelectElement;
  readonly #imageSize: HTMLInputElement;
  readonly #tiles: HTMLInputElement;
  readonly #shifts: HTMLSelectElement;
  readonly #button: HTMLButtonElement;
  readonly #time: HTMLElement;
  readonly #detail: Detail;
  /** Whether the device is quick enough for the model's own size; null where that is unknown. */
  #finer: boolean | null = null;
  /** Patches at the usual detail, by the measured speed. */
  #usualPatches = SLOW_PATCHES;
  /** Whether the page encodes squares of the model's own size until the visitor chooses another detail. */
  readonly #plain = plainStart();
  #model: ModelInfo | null = null;
  /** The last photograph that was encoded. */
  #last: Encoded | null = null;

  constructor(form: HTMLFormElement, onSubmit: () => void) {
    this.#resize = part(form, "#resize", HTMLSelectElement);
    this.#imageSize = part(form, "#image-size", HTMLInputElement);
    this.#tiles = part(form, "#tiles", HTMLInputElement);
    this.#shifts = part(form, "#shifts", HTMLSelectElement);
    this.#button = part(form, "button", HTMLButtonElement);
    this.#time = part(form, "#time", HTMLElement);
    this.#detail = new Detail(() => {
      this.#imageSize.value = "";
      if (this.#plain) this.#resize.value = "native";
      onSubmit();
    });
    const asked = askedSettings();
    if (this.#plain) this.#resize.value = "squash";
    if (asked.resize) this.#resize.value = asked.resize;
    if (asked.image_size) this.#imageSize.valueAsNumber = asked.image_size;
    if (asked.tiles) this.#tiles.valueAsNumber = asked.tiles;
    const shifts = [...this.#shifts.options].find(({ value }) => value === String(asked.shifts));
    if (shifts) shifts.selected = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSubmit();
    });
    form.addEventListener("input", () => this.#tell());
  }

  read(): Settings {
    const way = this.#resize.value as Resizing;
    const settings: Settings = way === OWN ? {} : { resize: way };
    const side = this.#imageSize.value ? this.#imageSize.valueAsNumber : this.#usualSide;
    if (side) settings.image_size = side;
    if (!this.#imageSize.value && (way === "native" || way === OWN)) settings.most_patches = this.#detail.chosen === "finest" ? MOST_FINEST : this.#usualPatches;
    if (this.#tiled) settings.tiles = this.#tiles.valueAsNumber;
    else if (this.#shifts.value !== "1") settings.shifts = Number(this.#shifts.value);
    return settings;
  }

  /** What a link tells of the settings: the visitor's own size or detail. */
  told(): { settings: Settings; detail: string } {
    const { image_size: _, ...settings } = this.read();
    const side = this.#imageSize.value ? { image_size: this.#imageSize.valueAsNumber } : {};
    return { settings: { ...settings, ...side }, detail: side.image_size || this.#detail.chosen === "fine" ? "" : this.#detail.chosen };
  }

  /** How to encode for a first look; null where that would not be much quicker, or the usual detail is there soon. */
  quick(): Settings | null {
    if (this.#plain || this.#detail.chosen === "quick" || this.#imageSize.value || this.#tiled || (this.#usualSide ?? 0) < 2 * this.#wholePatches(FIRST)) return null;
    if (this.usualSeconds <= SHORT) return null;
    const { shifts: _, ...settings } = this.read();
    return { ...settings, image_size: this.#wholePatches(FIRST) };
  }

  fit(model: ModelInfo) {
    const { model: before, last } = this.present;
    this.#model = model;
    this.#judge(before && last ? secondsBy(model, patchesOf(upTo(MOST_PATCHES, FINE), { ...last, ...USUAL_SHAPE }, model), last, before) : Infinity);
    [this.#last, this.#finer] = [null, null];
    this.#imageSize.min = this.#imageSize.step = String(model.patch); // whole patches
    if (!this.#imageSize.checkValidity()) this.#imageSize.value = "";
    this.#tell();
  }

  /** The model in use, and the last photograph that it encoded. */
  get present(): Present {
    return { model: this.#model, last: this.#last };
  }

  /** Chooses the usual detail by the seconds that the most patches take; in between it stays, as the speed is never quite the same. */
  #judge(seconds: number) {
    if (seconds <= QUICK_ENOUGH) this.#usualPatches = MOST_PATCHES;
    else if (seconds > 2 * QUICK_ENOUGH) this.#usualPatches = SLOW_PATCHES;
  }

  /** Whether there is a photograph to encode again. */
  enable(ready: boolean) {
    this.#button.disabled = !ready;
  }

  /** The time of the next encoding by that of a known photograph, or of the last one where only the size is known; empty where it is short or unknown. */
  estimate(known: Encoded | null, size: { width: number; height: number } | null = null): string {
    if (known && this.#model) {
      this.#finer ??= secondsFor(upTo(MOST_PATCHES, this.#model.image_size), known, this.#model) <= QUICK_ENOUGH;
      // By the usual shape: the next photograph need not be as square as this one.
      this.#judge(secondsFor(upTo(MOST_PATCHES, FINE), { ...known, ...USUAL_SHAPE }, this.#model));
    }
    this.#last = known ?? (this.#last && size ? { ...this.#last, width: size.width, height: size.height } : this.#last);
    this.#tell();
    return this.#timeFor(this.#last);
  }

  /** Seconds that a photograph like the last one takes; infinite where none is known. */
  get usualSeconds(): number {
    return this.#last && this.#model ? secondsFor(this.read(), this.#last, this.#model) : Infinity;
  }

  /** Whether an encoding takes long, or may, by the size of the photograph. */
  get long(): boolean {
    return this.#tiled || this.#timeFor(this.#last) !== "";
  }

  get #tiled(): boolean {
    return this.#tiles.valueAsNumber > 1;
  }

  /** The side where the visitor has given none. A tile has the model's own. */
  get #usualSide(): number | undefined {
    const { chosen } = this.#detail;
    if (this.#tiled || !this.#model || ((this.#plain || this.#resize.value === OWN) && chosen === "fine")) return undefined;
    if (chosen === "quick") return this.#wholePatches(QUICK);
    return chosen === "finest" ? 2 * this.#fineSide : this.#fineSide;
  }

  /** The model's own size where that is larger than usual, and quick enough here. */
  get #fineSide(): number {
    const own = this.#model?.image_size ?? 0;
    return own > FINE && this.#finer ? own : this.#wholePatches(FINE);
  }

  #wholePatches(side: number): number {
    const patch = this.#model?.patch ?? USUAL_PATCH;
    return Math.round(side / patch) * patch;
  }

  #timeFor(known: Encoded | null): string {
    const seconds = known && this.#model ? secondsFor(this.read(), known, this.#model) : 0;
    return seconds >= LONG ? `, about ${remaining(seconds)}` : "";
  }

  /** What the finest detail costs. */
  #finestTime(model: ModelInfo): string {
    if (!this.#last) return "";
    return remaining(secondsFor(upTo(MOST_FINEST, 2 * this.#fineSide), this.#last, model));
  }

  #tell() {
    if (this.#model) this.#imageSize.placeholder = String(this.#usualSide ?? this.#model.image_size);
    this.#detail.show(this.#last, this.#model ? this.#finestTime(this.#model) : "", Boolean(this.#imageSize.value) || this.#tiled);
    const text = this.#timeFor(this.#last);
    this.#time.textContent = text ? `This will take${text.slice(1)}.` : "";
  }
}

/** A photograph in its own shape, with a bound on its patches. */
function upTo(most_patches: number, image_size: number): Settings {
  return { image_size, resize: "native", most_patches };
}
