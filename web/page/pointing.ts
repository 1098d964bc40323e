// What the pointer does on the picture: lights up what is alike, reads a patch, holds one, paints.

import type { Picture } from "./picture";
import type { PointerHandlers } from "./pointer";
import { placeOf, tokenAt, type Place } from "./patches";
import type { Shot } from "./shots";
import type { Pointed } from "./spot";
import type { Teaching } from "./teaching";
import type { ViewMap } from "../shared/protocol";
import type { View } from "./views/view";

/** What is pointed at, and what pointing changes. */
export interface Ground {
  readonly view: View;
  readonly layer: number;
  readonly map: ViewMap | null;
  /** The photograph on the stage, and all of the visit. */
  readonly shown: Shot | null;
  readonly shots: readonly Shot[];
  /** The chosen place, and the photograph that it is on. */
  readonly at: Place | null;
  readonly held: Shot | null;
  readonly teaching: Teaching;
  update(): void;
  /** Stops what moves. */
  halt(): void;
  point(at: Place | null): void;
}

export class Pointing {
  readonly #ground: Ground;
  readonly #picture: () => Picture;
  readonly #light: (pointed: Pointed | null) => void;
  #hovered: number | null = null;

  /** `light` lights up what is alike. */
  constructor(ground: Ground, picture: () => Picture, light: (pointed: Pointed | null) => void) {
    this.#ground = ground;
    this.#picture = picture;
    this.#light = light;
  }

  /** In a view that holds patches, the one under the pointer. */
  get hovered(): number | null {
    return this.#hovered;
  }

  /** Another picture, or another view: nothing is pointed at. */
  leave() {
    this.#hovered = null;
    this.#light(null);
  }

  handlers(): PointerHandlers {
    return { hover: (token, place) => this.#hover(token, place, false), pick: (...click) => this.#pick(...click, false), trace: (place) => this.#trace(place) };
  }

  /** A second photograph is read, but not clicked; a second view of the first is both. */
  otherHandlers(): PointerHandlers {
    const partner = () => this.#ground.view.partner(this.#ground.shots);
    return {
      hover: (token, place) => {
        const other = partner();
        if (other) this.#picture().describe(this.#ground.view, this.#ground.map, other, token, place);
        else this.#hover(token, place, true);
      },
      pick: (...click) => !partner() && this.#pick(...click, true),
    };
  }

  /** `onOther`: the pointer is on the picture beside. */
  #hover(token: number | null, place: Place | null, onOther: boolean) {
    const { view, map, shown, shots, at, held, layer } = this.#ground;
    const picture = this.#picture();
    picture.mirror(token, onOther);
    if (view.pointing !== "hold") {
      this.#light(token === null || !shown?.encoding || view.pointing === "teach" ? null : { shot: shown, token, layer });
      return picture.describe(view, map, shown, token, place);
    }
    if (token === this.#hovered) return;
    this.#hovered = token;
    // While a patch is held the map stays, and is read; the map of a second photograph is read there.
    if (at === null) return this.#ground.update();
    if (view.partner(shots) || !shown?.encoding) return;
    // While none is pointed at, the held one is put into words, or the best.
    picture.describe(view, map, shown, token ?? (held === shown ? tokenAt(at, shown.encoding) : (map?.best ?? null)), null);
  }

  /** The pressed pointer moves. */
  #trace(place: Place) {
    const { shown, view, teaching } = this.#ground;
    if (shown && !shown.frame && view.pointing === "teach") teaching.paint(shown, place, true);
  }

  #pick(token: number, place: Place, drag: boolean, touch: boolean, onOther: boolean) {
    const { shown, view, teaching, at: chosen } = this.#ground;
    if (!shown?.encoding) return;
    // The picture on the stage may be older than the encoding.
    const grid = this.#picture().scene?.grid ?? shown.encoding;
    const at = placeOf(token, grid);
    if (view.pointing === "teach") {
      if (drag) return;
      if (shown.frame) this.#ground.halt();
      else teaching.paint(shown, place, false);
    } else if (!drag && view.pointing === "hold") {
      const held = this.#ground.held === shown ? tokenAt(chosen, grid) : null;
      if (chosen && held !== token && view.pin(shown, at)) return this.#ground.update();
      this.#hold(token, held, at, touch, onOther);
    }
    else if (!drag && view.pointing === "choose") this.#ground.point(at);
  }

  #hold(token: number, held: number | null, at: Place, touch: boolean, onOther: boolean) {
    // A finger cannot point without a tap: while a patch is held, the tapped one is read.
    if (touch && held !== null && held !== token) return this.#hover(token, at, onOther);
    if (touch) this.#hovered = null;
    this.#ground.point(held === token ? null : at);
  }
}
