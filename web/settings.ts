// How a photograph becomes the network's input.

import { part } from "./dom";
import { askedSettings } from "./link";
import type { ModelInfo, Settings } from "./protocol";

export interface SettingsForm {
  read(): Settings;
  fit(model: ModelInfo): void;
  /** Whether there is a photograph to encode again. */
  enable(ready: boolean): void;
}

export function settingsForm(form: HTMLFormElement, onSubmit: () => void): SettingsForm {
  const resize = part(form, "#resize", HTMLSelectElement);
  const imageSize = part(form, "#image-size", HTMLInputElement);
  const tiles = part(form, "#tiles", HTMLInputElement);
  const button = part(form, "button", HTMLButtonElement);
  const asked = askedSettings();
  if (asked.resize) resize.value = asked.resize;
  if (asked.image_size) imageSize.valueAsNumber = asked.image_size;
  if (asked.tiles) tiles.valueAsNumber = asked.tiles;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onSubmit();
  });

  return {
    read() {
      const settings: Settings = { resize: resize.value as NonNullable<Settings["resize"]> };
      if (imageSize.value) settings.image_size = imageSize.valueAsNumber;
      if (tiles.valueAsNumber > 1) settings.tiles = tiles.valueAsNumber;
      return settings;
    },
    fit({ image_size, patch }) {
      imageSize.placeholder = String(image_size);
      imageSize.min = imageSize.step = String(patch); // whole patches
      if (!imageSize.checkValidity()) imageSize.value = "";
    },
    enable(ready) {
      button.disabled = !ready;
    },
  };
}
