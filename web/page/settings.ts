// How a photograph becomes the network's input.

import { part } from "./dom";
import { remaining } from "../shared/format";
import { askedSettings, plainStart } from "./link";
import type { Encoded, ModelInfo, Settings } from "../shared/protocol";
import { secondsFor } from "./estimate";

export interface SettingsForm {
  read(): Settings;
  /** How to encode for a first look; null where that would not be much quicker. */
  quick(): Settings | null;
  fit(model: ModelInfo): void;
  /** Whether there is a photograph to encode again. */
  enable(ready: boolean): void;
  /** What the next encoding will take, as far as that of a photograph tells; empty where it is short or unknown. */
  estimate(known: Encoded | null): string;
}

/** Pixels of the short side: patches fine enough to show what is in a photograph. */
const FINE = 448;
/** Of a first look. */
const QUICK = 224;
/** Seconds above which the time is told before. */
const LONG = 2;

export function settingsForm(form: HTMLFormElement, onSubmit: () => void): SettingsForm {
  const resize = part(form, "#resize", HTMLSelectElement);
  const imageSize = part(form, "#image-size", HTMLInputElement);
  const tiles = part(form, "#tiles", HTMLInputElement);
  const button = part(form, "button", HTMLButtonElement);
  const time = part(form, "#time", HTMLElement);
  const plain = plainStart();
  const asked = askedSettings();
  /** The loaded model; the last photograph that was encoded. */
  let model: ModelInfo | null = null;
  let last: Encoded | null = null;
  if (plain) resize.value = "squash";
  if (asked.resize) resize.value = asked.resize;
  if (asked.image_size) imageSize.valueAsNumber = asked.image_size;
  if (asked.tiles) tiles.valueAsNumber = asked.tiles;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onSubmit();
  });
  form.addEventListener("input", tell);

  const whole = (side: number) => Math.round(side / (model?.patch ?? 14)) * (model?.patch ?? 14);
  const tiled = () => tiles.valueAsNumber > 1;
  /** The side where the visitor has given none. A tile has the model's own. */
  const usual = () => (plain || tiled() || !model ? undefined : Math.max(whole(FINE), model.image_size));

  function read(): Settings {
    const settings: Settings = { resize: resize.value as NonNullable<Settings["resize"]> };
    const side = imageSize.value ? imageSize.valueAsNumber : usual();
    if (side) settings.image_size = side;
    if (tiled()) settings.tiles = tiles.valueAsNumber;
    return settings;
  }

  const estimate = (known: Encoded | null) => {
    const seconds = known && model ? secondsFor(read(), known, model) : 0;
    return seconds >= LONG ? `, about ${remaining(seconds)}` : "";
  };

  function tell() {
    if (model) imageSize.placeholder = String(usual() ?? model.image_size);
    const text = estimate(last);
    time.textContent = text ? `This will take${text.slice(1)}.` : "";
  }

  return {
    read,
    quick() {
      if (plain || imageSize.value || tiled() || (usual() ?? 0) < 2 * whole(QUICK)) return null;
      return { ...read(), image_size: whole(QUICK) };
    },
    fit(info) {
      model = info;
      last = null;
      imageSize.min = imageSize.step = String(info.patch); // whole patches
      if (!imageSize.checkValidity()) imageSize.value = "";
      tell();
    },
    enable(ready) {
      button.disabled = !ready;
    },
    estimate(known) {
      last = known ?? last;
      tell();
      return estimate(known ?? last);
    },
  };
}
