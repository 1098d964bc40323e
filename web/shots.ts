// The photographs of this visit, as a strip to choose from.

import { make, part, pen } from "./dom";
import type { Encoding } from "./protocol";

/** A photograph of this visit. */
export interface Shot {
  file: File;
  /** Null until it is encoded by the model that is loaded now. */
  encoding: Encoding | null;
  /** What the browser's own decoder made of it, until then. */
  preview: ImageBitmap | null;
}

/** Features lie in the device's memory: only so many photographs keep theirs. */
export const MOST = 12;

export interface ShotStrip {
  show(shots: readonly Shot[], current: Shot | null): void;
}

export function shotStrip(root: HTMLElement, onChoose: (shot: Shot) => void): ShotStrip {
  const list = part(root, "ul", HTMLUListElement);
  return {
    show(shots, current) {
      root.hidden = shots.length < 2;
      list.replaceChildren(
        ...shots.map((shot) => {
          const picture = make("canvas", { width: 96, height: 72 });
          const bitmap = shot.encoding?.bitmap ?? shot.preview;
          const paint = () => bitmap && cover(picture, bitmap);
          paint();
          picture.addEventListener("contextrestored", paint);
          picture.setAttribute("aria-hidden", "true");
          const button = make("button", { type: "button", ariaPressed: String(shot === current), title: shot.file.name }, picture);
          button.ariaLabel = shot.file.name;
          button.addEventListener("click", () => onChoose(shot));
          return make("li", {}, button);
        }),
      );
    },
  };
}

/** Fills the canvas with the middle of the picture. */
export function cover(canvas: HTMLCanvasElement, bitmap: ImageBitmap) {
  const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  pen(canvas)?.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
}
