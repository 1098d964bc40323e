// The picture: the photograph on the stage, a second one beside it, the legend, and the patch under the pointer in words.

import type { ViewMap } from "../../shared/protocol";
import type { BesideMap } from "./beside";
import { byTouch, make, part } from "../dom";
import type { Mark, Scene } from "./drawing";
import { showLegend } from "./legend";
import type { Light } from "./light";
import { placeOf, type Place } from "../../shared/patches";
import type { PointerHandlers } from "./pointer";
import type { Shot } from "../photographs/shots";
import { Stage } from "./stage";
import type { View } from "../views/view";
import { Wipe } from "./wipe";
import { Zoom } from "./zoom";

/** How long a new picture takes to appear. */
const REVEAL_MILLISECONDS = 200;

/** What is drawn: a view of a photograph, or of `second` beside it. */
export interface Painting {
  view: View;
  shot: Shot;
  second: Shot | null;
  map: ViewMap | null;
  /** The chosen patch of `shot`. */
  token: number | null;
  /** The patch of `shot` that is put into words. */
  pointed: number | null;
  /** Whether that patch is the page's own choice, until the visitor points at one. */
  unpointed: boolean;
  opacity: number;
  /** Whether colours blend in no view. */
  blocks: boolean;
  /** A second view of `shot`, beside the first. */
  beside: BesideMap | null;
}

export class Picture {
  readonly #stage: Stage;
  readonly #otherStage: Stage;
  readonly #frame: HTMLElement;
  readonly #otherFrame: HTMLElement;
  readonly #legend: HTMLElement;
  readonly #readout: HTMLElement;
  readonly #pill: HTMLElement;
  /** Whether the visitor has seen what pointing does. */
  #pointed = false;
  /** Whether the view is on the photograph beside. */
  #second = false;
  /** Between the photograph and the view. */
  readonly wipe: Wipe;
  /** Whether there is nothing to part. */
  #bare = false;
  readonly #zoom: Zoom;
  /** What is on the stage. */
  #shot: Shot | null = null;
  /** The part of its opacity that a new picture has reached; null once it has appeared. */
  #reached: number | null = null;
  #animation = 0;

  constructor(root: HTMLElement, handlers: PointerHandlers, otherHandlers: PointerHandlers) {
    this.#frame = part(root, "#frame", HTMLElement);
    this.#otherFrame = part(root, "#other-frame", HTMLElement);
    this.#legend = part(root, "#legend", HTMLElement);
    this.#readout = part(root, "#readout", HTMLElement);
    this.#stage = new Stage(this.#frame, part(root, "#frame canvas", HTMLCanvasElement), handlers);
    this.#pill = part(root, "#pill", HTMLElement);
    this.wipe = new Wipe(this.#frame, () => this.#part());
    this.#zoom = new Zoom(part(root, ".frames", HTMLElement), () => {
      this.#part();
      this.#stage.resized();
    });
    this.#frame.addEventListener("keydown", ({ key }) => {
      const { cursor } = this.#stage;
      if (cursor && key.startsWith("Arrow")) this.#zoom.reveal(cursor);
    });
    this.#otherStage = new Stage(this.#otherFrame, part(root, "#other-frame canvas", HTMLCanvasElement), otherHandlers);
  }

  /** The scene on the stage, which may be older than the last encoding. */
  get scene(): Scene | null {
    return this.#stage.scene;
  }

  /** Another picture begins whole; the next frame of what moves does not. */
  #take(shot: Shot | null) {
    if (shot !== this.#shot && !(shot?.frame && this.#shot?.frame)) this.#zoom.reset();
    this.#shot = shot;
  }

  /** The handle stays where it is in the frame, whatever of the picture is below it. */
  #part() {
    this.#stage.wipe(this.#bare ? 0 : this.#zoom.across(this.wipe.at));
  }

  /** Shows a photograph that is about to be encoded. */
  preview(shot: Shot | null, photo: ImageBitmap, patches: number) {
    this.#take(shot);
    this.#frame.style.setProperty("--patches", String(patches));
    this.#otherFrame.hidden = true;
    this.#stage.show({ photo, grid: null, map: null, light: null, smooth: true, lit: false, shaded: false, outlines: false, marks: [], strokes: [], opacity: 0, label: "The photograph" });
  }

  paint(painting: Painting) {
    const { view, shot, second, map, token, pointed, unpointed, beside } = painting;
    this.#take(shot);
    const marks: Mark[] = token === null ? [] : [{ token, colour: null }];
    const main = this.#sceneOf(painting, shot, second ? null : map, [...marks, ...view.marks(shot)]);
    if (main) this.#stage.show(main);
    // Without a view over the photograph the handle parts nothing; in a lesson it would be in the brush's way.
    this.#bare = second !== null || map === null || view.pointing === "teach";
    this.#frame.toggleAttribute("data-bare", this.#bare);
    this.#part();
    this.#second = second !== null;
    this.#otherFrame.hidden = second === null && !beside;
    title(this.#frame, beside?.own);
    title(this.#otherFrame, beside?.title);
    const best = map?.best ?? null;
    const other = beside
      ? this.#sceneOf({ ...painting, view: beside.view, opacity: beside.view.opacity }, beside.shot, beside.map, beside.token === null ? [] : [{ token: beside.token, colour: null }])
      : second && this.#sceneOf(painting, second, map, best === null ? [] : [{ token: best, colour: null }]);
    if (other) this.#otherStage.show(other);
    this.#pointed ||= view.pointing === "hold" && map !== null && !unpointed;
    if (view.pointing !== "teach") this.#invite(map !== null && view.lights);
    else this.#tell(shot.frame && map === null ? "Click the picture: it stops, to be painted on" : "");
    showLegend(this.#legend, map, view, main?.light ?? other?.light ?? null);
    this.describe(view, map, second ?? shot, second ? best : pointed, null);
    if (view.prompt !== null && (map === null || unpointed)) this.say(view.prompt);
  }

  /** While pictures move, what is read of each is not read out. */
  moves(on: boolean) {
    this.#readout.ariaLive = on ? "off" : "polite";
  }

  /** Lights up what is alike to what is pointed at; once it did, the visitor need not be told. */
  spot(light: Light | null) {
    this.#stage.spot(light);
    this.#pointed ||= light !== null;
    if (light) this.#invite(false);
  }

  /** The same in the picture beside. */
  spotBeside(light: Light | null) {
    this.#otherStage.spot(light);
  }

  /** Marks the place that is pointed at in the picture beside the one that the pointer is on; null for none. */
  mirror(at: Place | null, onOther: boolean) {
    this.#stage.mirror(onOther ? at : null);
    this.#otherStage.mirror(onOther ? null : at);
  }

  /** Tells a first visitor what to do, until it was done; `here` is false where it does nothing. */
  #invite(here: boolean) {
    if (this.#pointed) here = false;
    const verb = byTouch() ? "Touch" : "Move over";
    this.#tell(here ? `${verb} the picture: what is alike lights up` : "");
  }

  #tell(text: string) {
    this.#pill.hidden = !text;
    this.#pill.textContent = text;
  }

  /** Puts a patch into words. */
  describe(view: View, map: ViewMap | null, shot: Shot | null, token: number | null, place: Place | null) {
    if (!shot?.encoding || token === null || !map) return this.say("");
    const { cols } = shot.encoding;
    const where = `Row ${Math.floor(token / cols) + 1}, column ${(token % cols) + 1}`;
    this.say(`${where}: ${view.describe(map, token, place ?? placeOf(token, shot.encoding))}`);
    const colour = view.colour(map, token);
    if (!colour) return;
    const swatch = make("span", { className: "swatch" });
    swatch.style.background = `rgb(${colour.join(" ")})`;
    this.#readout.prepend(swatch);
  }

  say(text: string) {
    this.#readout.textContent = text;
  }

  /** Draws the scenes again with another opacity. */
  fade(opacity: number) {
    cancelAnimationFrame(this.#animation);
    this.#reached = null;
    for (const stage of [this.#stage, this.#otherStage]) if (stage.scene) stage.show({ ...stage.scene, opacity });
  }

  /** Lets a new view appear over its photograph, unless the visitor prefers stillness. */
  reveal(opacity: () => number) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const begin = performance.now();
    this.#reached = 0;
    const step = (now: number) => {
      const reached = Math.min(1, Math.max(0, now - begin) / REVEAL_MILLISECONDS);
      this.#reached = reached;
      if (this.#stage.scene) this.#stage.show({ ...this.#stage.scene, opacity: reached * opacity() });
      if (reached < 1) this.#animation = requestAnimationFrame(step);
      else this.#reached = null;
    };
    cancelAnimationFrame(this.#animation);
    this.#animation = requestAnimationFrame(step);
  }

  /** The picture with the view as a file. */
  png(): Promise<Blob> {
    return (this.#second ? this.#otherStage : this.#stage).png();
  }

  #sceneOf({ view, shot, opacity, blocks }: Painting, of: Shot, map: ViewMap | null, marks: Mark[]): Scene | null {
    const { title, smooth, shaded, outlines } = view;
    return of.encoding && {
      photo: of.encoding.bitmap, grid: of.encoding, map, light: map && view.light(map), smooth: smooth && !blocks, shaded, lit: view.lit && map?.fine != null && !of.frame, outlines, marks, strokes: of === shot ? view.strokes(of) : [],
      opacity: (this.#reached ?? 1) * opacity, label: `${title} of ${of.file.name}`,
    };
  }
}

/** Names a picture among two. */
function title(frame: HTMLElement, text = "") {
  const tag = part(frame, ".tag[data-title]", HTMLElement);
  tag.textContent = text;
  tag.hidden = !text;
}
