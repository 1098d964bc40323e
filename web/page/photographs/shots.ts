// The photographs of this visit, as a strip to choose from.

import { make, part, pen } from "../dom";
import type { Encoding } from "../../shared/protocol";

/** A photograph of this visit. */
export interface Shot {
  file: File;
  /** Null until the current model has encoded the photograph, and after its features were released. */
  encoding: Encoding | null;
  /** Whether the encoding is only the quick first look. */
  coarse: boolean;
  /** The browser's own decoding, shown until the encoding is there. */
  preview: ImageBitmap | null;
  /** The picture in the strip; null while no decoder has read the file. */
  thumbnail: ImageBitmap | null;
  /** Whether the file has been encoded once, so that it is known to be readable. */
  opened: boolean;
  /** Whether it is a frame of a camera or a video, which is gone when the next one is there. */
  frame: boolean;
}

export function newShot(file: File): Shot {
  return { file, encoding: null, coarse: false, preview: null, thumbnail: null, opened: false, frame: false };
}

/** Number of photographs whose features stay in the device's memory. The strip keeps all photographs. */
export const MOST = 12;

/** Pixels of a thumbnail. */
const [WIDTH, HEIGHT] = [96, 72];

export interface ShotStrip {
  show(shots: readonly Shot[], current: Shot | null): void;
}

interface Item {
  item: HTMLLIElement;
  button: HTMLButtonElement;
  picture: HTMLCanvasElement;
  painted: ImageBitmap | null;
}

export function shotStrip(root: HTMLElement, onChoose: (shot: Shot) => void, onRemove: (shot: Shot) => void): ShotStrip {
  const list = part(root, "ul", HTMLUListElement);
  const items = new WeakMap<Shot, Item>();

  function itemOf(shot: Shot): Item {
    const known = items.get(shot);
    if (known) return known;
    const picture = make("canvas", { width: WIDTH, height: HEIGHT });
    picture.setAttribute("aria-hidden", "true");
    picture.addEventListener("contextrestored", () => shot.thumbnail && cover(picture, shot.thumbnail));
    const button = make("button", { type: "button", title: shot.file.name }, picture);
    button.ariaLabel = shot.file.name;
    button.addEventListener("click", () => onChoose(shot));
    const cross = make("button", { type: "button", className: "remove", textContent: "×", ariaLabel: `Remove ${shot.file.name}` });
    cross.addEventListener("click", () => onRemove(shot));
    const made = { item: make("li", {}, button, cross), button, picture, painted: null };
    items.set(shot, made);
    return made;
  }

  return {
    show(shots, current) {
      root.hidden = shots.length === 0;
      const shown = shots.map((shot) => {
        const known = itemOf(shot);
        known.button.ariaPressed = String(shot === current);
        if (shot.thumbnail && known.painted !== shot.thumbnail) cover(known.picture, shot.thumbnail);
        known.painted = shot.thumbnail;
        return known.item;
      });
      // An element that is moved loses the focus.
      if (shown.length !== list.children.length || shown.some((item, at) => list.children[at] !== item)) list.replaceChildren(...shown);
    },
  };
}

/** A small picture of a photograph. */
export function thumbnail(source: File | ImageBitmap): Promise<ImageBitmap | null> {
  return createImageBitmap(source, { resizeHeight: HEIGHT * 2, resizeQuality: "medium" }).catch(() => null);
}

/** Fills the canvas with the middle of the picture. */
export function cover(canvas: HTMLCanvasElement, bitmap: ImageBitmap) {
  const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  pen(canvas)?.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
}
