// Small pictures on few large sheets, from which a map draws them quickly.

import { pen } from "../dom";

/** Pixels of a side of a small picture, and how many stand in a row and in a column of a sheet. */
const [SIDE, ROW] = [64, 32];

export class Atlas {
  readonly #sheets: HTMLCanvasElement[] = [];

  /** Puts a picture in its place, its middle as a square. */
  put(place: number, picture: CanvasImageSource, width: number, height: number) {
    const { sheet, x, y } = this.#at(place);
    const side = Math.min(width, height);
    pen(sheet)?.drawImage(picture, (width - side) / 2, (height - side) / 2, side, side, x, y, SIDE, SIDE);
  }

  draw(context: CanvasRenderingContext2D, place: number, left: number, top: number, side: number) {
    const { sheet, x, y } = this.#at(place);
    context.drawImage(sheet, x, y, SIDE, SIDE, left, top, side, side);
  }

  clear() {
    this.#sheets.length = 0;
  }

  #at(place: number) {
    const number = Math.floor(place / ROW ** 2);
    const inside = place % ROW ** 2;
    let sheet = this.#sheets[number];
    if (!sheet) {
      sheet = document.createElement("canvas");
      sheet.width = sheet.height = SIDE * ROW;
      this.#sheets[number] = sheet;
    }
    return { sheet, x: SIDE * (inside % ROW), y: SIDE * Math.floor(inside / ROW) };
  }
}
