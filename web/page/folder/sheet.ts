// A sheet of small pictures to choose from.

import { make } from "../dom";
import type { Photo } from "./reading";

/** A photograph on the sheet, and what is said below it. */
export interface Item {
  photo: Photo;
  note: string;
}

interface Tile {
  item: HTMLLIElement;
  button: HTMLButtonElement;
  image: HTMLImageElement;
  note: HTMLElement;
}

export class Sheet {
  readonly root = make("ul", { className: "sheet-of-photos", ariaLabel: "Photographs of the folder" });
  readonly #choose: (photo: Photo) => void;
  readonly #tiles = new Map<Photo, Tile>();
  #chosen: Photo | null = null;

  constructor(choose: (photo: Photo) => void) {
    this.#choose = choose;
  }

  /** Shows photographs in this order. */
  show(items: readonly Item[]) {
    const all = items.map(({ photo, note }) => {
      const tile = this.#tile(photo);
      if (tile.note.textContent !== note) tile.note.textContent = note;
      return tile.item;
    });
    this.root.replaceChildren(...all);
  }

  /** Something is known of a photograph. */
  update(photo: Photo) {
    const tile = this.#tiles.get(photo);
    if (!tile) return;
    if (photo.thumbnail && tile.image.getAttribute("src") !== photo.thumbnail) tile.image.src = photo.thumbnail;
    tile.button.dataset.state = photo.embedded ? "read" : photo.failure === null ? "waiting" : "failed";
    tile.button.title = photo.failure === null ? photo.path : `${photo.path}: ${photo.failure}`;
  }

  mark(photo: Photo | null) {
    if (this.#chosen) this.#tiles.get(this.#chosen)?.button.setAttribute("aria-pressed", "false");
    this.#chosen = photo;
    if (photo) this.#tiles.get(photo)?.button.setAttribute("aria-pressed", "true");
  }

  /** Another folder. */
  clear() {
    this.#tiles.clear();
    this.#chosen = null;
    this.root.replaceChildren();
  }

  #tile(photo: Photo): Tile {
    const known = this.#tiles.get(photo);
    if (known) return known;
    const image = make("img", { alt: "", decoding: "async", width: 96, height: 72 });
    const note = make("span", { className: "note-of-photo" });
    const button = make("button", { type: "button", ariaPressed: "false", onclick: () => this.#choose(photo) }, image);
    button.ariaLabel = photo.path;
    const tile = { item: make("li", {}, button, note), button, image, note };
    this.#tiles.set(photo, tile);
    this.update(photo);
    return tile;
  }
}
