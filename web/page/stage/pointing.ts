// What the pointer does on the picture: lights up what is alike, reads a patch, holds one, paints.

import type { Picture } from "./picture";
import type { PointerHandlers } from "./pointer";
import { placeOf, tokenAt, type Place } from "../../shared/patches";
import type { Shot } from "../photographs/shots";
import { REST, type Pointed } from "./spot";
import type { Teaching } from "../teach/teaching";
import type { ViewMap } from "../../shared/protocol";
import type { View } from "../views/view";

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
  #timer = 0;
  #moving = false;

  /** `light` lights up what is alike. */
  constructor(ground: Ground, picture: () => Picture, light: (pointed: Pointed | null) => void) {
    this.#ground = ground;
    this.#picture = picture;
    this.#light = light;
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.#letGo());
  }

  #letGo() {
    const { view, at } = this.#ground;
    // The key that closes a sheet lets no patch go.
    const sheet = document.querySelector(":popover-open") !== null;
    if (!sheet && (view.pointing === "hold" || view.pointing === "choose") && at !== null) this.#ground.point(null);
  }

  /** In a view that holds patches, the one under the pointer; else that of a finger. */
  get hovered(): number | null {
    return this.#hovered;
  }

  /** Whether the pointer moves in a view that holds patches: what is drawn is soon drawn again. */
  get moving(): boolean {
    return this.#moving;
  }

  /** Another picture, or another view: nothing is pointed at. */
  leave() {
    this.#rest();
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
        else this.#hover(this.#before(place), place, true);
      },
      pick: (token, place, ...how) => !partner() && this.#pick(this.#before(place) ?? token, place, ...how, true),
    };
  }

  /** The patch of the picture in front at a place of the one beside, whose model may have another grid. */
  #before(place: Place | null): number | null {
    const encoding = this.#ground.shown?.encoding;
    return encoding ? tokenAt(place, encoding) : null;
  }

  /** `onOther`: the pointer is on the picture beside. */
  #hover(token: number | null, place: Place | null, onOther: boolean) {
    const { view, map, shown, shots, at, held, layer } = this.#ground;
    const picture = this.#picture();
    picture.mirror(place, onOther);
    if (view.pointing !== "hold") {
      this.#light(token !== null && shown?.encoding && view.lights ? { shot: shown, token, layer } : null);
      return picture.describe(view, map, shown, token, place);
    }
    if (token === this.#hovered) return;
    this.#hovered = token;
    // While a patch is held the map stays, and is read; the map of a second photograph is read there.
    if (at === null) return this.#move();
    if (view.partner(shots) || !shown?.encoding) return;
    // While none is pointed at, the held one is put into words, or the best.
    picture.describe(view, map, shown, token ?? (held === shown ? tokenAt(at, shown.encoding) : (map?.best ?? null)), null);
  }

  /** Draws what is pointed at, and once more when the pointer rests. */
  #move() {
    clearTimeout(this.#timer);
    this.#moving = true;
    this.#ground.update();
    this.#timer = setTimeout(() => {
      this.#rest();
      this.#ground.update();
    }, REST);
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#moving = false;
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
    else if (!drag && touch) this.#touch(token, at, onOther);
  }

  /** A finger points without moving; once more on the same patch, it points no longer. */
  #touch(token: number, at: Place, onOther: boolean) {
    this.#hovered = token === this.#hovered ? null : token;
    if (this.#hovered === null) this.#hover(null, null, onOther);
    else this.#hover(token, at, onOther);
  }

  #hold(token: number, held: number | null, at: Place, touch: boolean, onOther: boolean) {
    // A finger cannot point without a tap: while a patch is held, the tapped one is read.
    if (touch && held !== null && held !== token) return this.#hover(token, at, onOther);
    if (touch) this.#hovered = null;
    this.#rest();
    this.#ground.point(held === token ? null : at);
  }
}
