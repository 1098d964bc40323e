// The map of a folder: photographs that are alike lie near each other. It is moved, enlarged, and parts of it are encircled.

import { pen } from "../dom";
import type { Atlas } from "./atlas";
import { inside, type Point } from "./lasso";

/** What lies on the map. */
export interface Charted {
  /** `[photographs, 2]`, each axis from 0 to 1. */
  places: Float32Array;
  /** The place of each photograph's picture in the atlas. */
  pictures: readonly number[];
  /** Colours of frames, of groups; null for none. */
  colours: readonly string[] | null;
}

export interface MapActions {
  /** A photograph is pointed at; null for none. */
  hover(at: number | null, x: number, y: number): void;
  choose(at: number): void;
  /** Photographs were encircled; none lets go of those before. */
  encircle(all: number[]): void;
}

/** Pixels of a picture: least and most where the whole map is seen, and most where it is enlarged. */
const [SMALL, USUAL, LARGE] = [18, 56, 96];
/** Part of the map that pictures would cover if none lay over another. */
const COVER = 0.3;
const MOST_ZOOM = 60;
/** Pixels around the map. */
const MARGIN = 40;
/** Pixels that an arrow key moves the map, and how much a key or a notch of the wheel enlarges it. */
const [STEP, FACTOR] = [60, 1.25];
/** Pixels by which a click may miss its place. */
const SLIP = 4;
/** Part of the canvas by which what is drawn reaches over each side: so far the map moves without being drawn again. */
const BEYOND = 0.25;

/** Where the map lies: pixels of its side, the middle of the canvas, and what of the map lies there. */
interface Frame {
  size: number;
  middle: Point;
  centre: Point;
}

export class FolderMap {
  readonly #canvas: HTMLCanvasElement;
  readonly #atlas: Atlas;
  readonly #on: MapActions;
  #charted: Charted | null = null;
  #zoom = 1;
  /** What lies in the middle of the canvas, in parts of the map. */
  #centre: Point = [0.5, 0.5];
  #encircled: ReadonlySet<number> = new Set();
  #chosen: number | null = null;
  #hovered: number | null = null;
  readonly #pointers = new Map<number, Point>();
  #begun: Point = [0, 0];
  #lasso: Point[] | null = null;
  /** Whether a drag encircles instead of moving the map. */
  lassoing = false;
  #request = 0;
  /** All pictures, without what is lit; its middle is null where it is to be drawn again. */
  readonly #drawn = document.createElement("canvas");
  #drawnAt: Point | null = null;

  constructor(canvas: HTMLCanvasElement, atlas: Atlas, on: MapActions) {
    [this.#canvas, this.#atlas, this.#on] = [canvas, atlas, on];
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"] as const) canvas.addEventListener(end, (event) => this.#up(event));
    canvas.addEventListener("pointerleave", () => this.#point(null, 0, 0));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(FACTOR ** (-event.deltaY / 100), this.#at(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("contextrestored", () => this.redraw());
    new ResizeObserver(() => this.#fit()).observe(canvas);
  }

  show(charted: Charted | null) {
    const same = this.#charted?.places === charted?.places;
    this.#charted = charted;
    if (!same) {
      [this.#encircled, this.#chosen, this.#hovered] = [new Set(), null, null];
      this.whole();
    }
    this.redraw();
  }

  /** The whole map in sight. */
  whole() {
    [this.#zoom, this.#centre] = [1, [0.5, 0.5]];
    this.redraw();
  }

  /** Enlarges around a point, or around the middle. */
  zoom(by: number, around: Point = this.#middle) {
    const before = this.#size;
    this.#zoom = Math.max(0.5, Math.min(MOST_ZOOM, this.#zoom * by));
    // What lies there stays there.
    const part = 1 / before - 1 / this.#size;
    const [x, y] = this.#middle;
    this.#centre = [this.#centre[0] + (around[0] - x) * part, this.#centre[1] + (around[1] - y) * part];
    this.redraw();
  }

  mark(chosen: number | null, encircled: ReadonlySet<number>) {
    [this.#chosen, this.#encircled] = [chosen, encircled];
    this.redraw();
  }

  redraw() {
    this.#drawnAt = null;
    this.#refresh();
  }

  /** The same pictures at another place, or with other ones lit. */
  #refresh() {
    cancelAnimationFrame(this.#request);
    this.#request = requestAnimationFrame(() => this.#draw());
  }

  /** Pixels of the map's side. */
  get #size(): number {
    return this.#zoom * Math.max(50, Math.min(this.#canvas.clientWidth, this.#canvas.clientHeight) - 2 * MARGIN);
  }

  get #middle(): Point {
    return [this.#canvas.clientWidth / 2, this.#canvas.clientHeight / 2];
  }

  #shift(right: number, down: number) {
    this.#centre = [this.#centre[0] - right / this.#size, this.#centre[1] - down / this.#size];
    this.#refresh();
  }

  get #side(): number {
    const even = (this.#size / this.#zoom) * Math.sqrt(COVER / Math.max(1, this.#count));
    return Math.min(LARGE, Math.max(SMALL, Math.min(USUAL, even)) * this.#zoom ** 0.6);
  }

  /** Asked once for many pictures: the canvas's size is the browser's to tell. */
  get #frame(): Frame {
    return { size: this.#size, middle: this.#middle, centre: this.#centre };
  }

  #screen(at: number, { size, middle: [x, y], centre: [u, v] }: Frame): Point {
    const { places } = this.#charted ?? { places: [] };
    return [x + ((places[2 * at] ?? 0) - u) * size, y + ((places[2 * at + 1] ?? 0) - v) * size];
  }

  #fit() {
    const { clientWidth, clientHeight } = this.#canvas;
    // While it is hidden it has no size.
    if (clientWidth === 0) return;
    const scale = Math.min(2, devicePixelRatio);
    [this.#canvas.width, this.#canvas.height] = [Math.round(clientWidth * scale), Math.round(clientHeight * scale)];
    this.redraw();
  }

  #at({ offsetX, offsetY }: MouseEvent): Point {
    return [offsetX, offsetY];
  }

  #down(event: PointerEvent) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#at(event));
    this.#begun = this.#at(event);
    this.#lasso = this.#pointers.size === 1 && (this.lassoing || event.shiftKey) ? [this.#begun] : null;
  }

  #move(event: PointerEvent) {
    const now = this.#at(event);
    const before = this.#pointers.get(event.pointerId);
    if (!before) return this.#point(this.#under(now), ...now);
    this.#pointers.set(event.pointerId, now);
    if (this.#lasso) {
      this.#lasso.push(now);
      return this.#refresh();
    }
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) return this.zoom(apart(now, other) / Math.max(1, apart(before, other)), other);
    this.#shift(now[0] - before[0], now[1] - before[1]);
  }

  #up(event: PointerEvent) {
    const now = this.#at(event);
    this.#pointers.delete(event.pointerId);
    const path = this.#lasso;
    this.#lasso = null;
    this.#refresh();
    if (event.type === "pointercancel") return;
    if (apart(now, this.#begun) > SLIP) return path ? this.#on.encircle(this.#within(path)) : undefined;
    const under = this.#under(now);
    if (under !== null) this.#on.choose(under);
    else this.#on.encircle([]);
  }

  #key(event: KeyboardEvent) {
    const moves: Record<string, Point> = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    const move = moves[event.key];
    if (move) this.#shift(...move);
    else if (event.key === "+" || event.key === "=") this.zoom(FACTOR);
    else if (event.key === "-") this.zoom(1 / FACTOR);
    else if (event.key === "0") this.whole();
    else return;
    event.preventDefault();
  }

  #point(at: number | null, x: number, y: number) {
    if (at === this.#hovered) return;
    this.#hovered = at;
    this.#canvas.style.cursor = at === null ? "" : "pointer";
    this.#on.hover(at, x, y);
    this.#refresh();
  }

  /** The photograph at a point, the one that lies above others. */
  #under([x, y]: Point): number | null {
    const [half, frame] = [this.#side / 2, this.#frame];
    for (let at = this.#count - 1; at >= 0; at--) {
      const [left, top] = this.#screen(at, frame);
      if (Math.abs(x - left) <= half && Math.abs(y - top) <= half) return at;
    }
    return null;
  }

  #within(path: readonly Point[]): number[] {
    const frame = this.#frame;
    return Array.from({ length: this.#count }, (_, at) => at).filter((at) => inside(path, this.#screen(at, frame)));
  }

  get #count(): number {
    return this.#charted?.pictures.length ?? 0;
  }

  #draw() {
    const context = pen(this.#canvas);
    if (!context) return;
    const [{ width, height, clientWidth, clientHeight }, frame] = [this.#canvas, this.#frame];
    const scale = width / Math.max(1, clientWidth);
    const moved = ([u, v]: Point): Point => [(u - frame.centre[0]) * frame.size, (v - frame.centre[1]) * frame.size];
    const shown = ([x, y]: Point) => Math.abs(x) <= BEYOND * clientWidth && Math.abs(y) <= BEYOND * clientHeight;
    if (!this.#drawnAt || !shown(moved(this.#drawnAt))) this.#drawAll(scale, frame);
    const [x, y] = moved(this.#drawnAt ?? frame.centre);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.drawImage(this.#drawn, Math.round(x * scale) - beyond(width), Math.round(y * scale) - beyond(height));
    context.setTransform(scale, 0, 0, scale, 0, 0);
    for (const at of [this.#chosen, this.#hovered]) if (at !== null && at < this.#count) this.#drawOne(context, at, frame, this.#side, true);
    this.#drawLasso(context);
  }

  /** Draws all that lies on the canvas and somewhat beyond it. */
  #drawAll(scale: number, frame: Frame) {
    const [{ width, height }, drawn, side] = [this.#canvas, this.#drawn, this.#side];
    [drawn.width, drawn.height] = [width + 2 * beyond(width), height + 2 * beyond(height)];
    const context = pen(drawn);
    if (!context) return;
    this.#drawnAt = frame.centre;
    context.setTransform(scale, 0, 0, scale, beyond(width), beyond(height));
    context.imageSmoothingQuality = "medium";
    const [[right, down], half] = [[(width + beyond(width)) / scale, (height + beyond(height)) / scale], side / 2];
    const [left, top] = [-beyond(width) / scale, -beyond(height) / scale];
    for (let at = 0; at < this.#count; at++) {
      const [x, y] = this.#screen(at, frame);
      if (x > left - half && y > top - half && x < right + half && y < down + half) this.#drawOne(context, at, frame, side);
    }
  }

  #drawOne(context: CanvasRenderingContext2D, at: number, frame: Frame, usual: number, lit = false) {
    const { pictures, colours } = this.#charted ?? { pictures: [], colours: null };
    const side = usual * (lit ? 1.4 : 1);
    const [x, y] = this.#screen(at, frame);
    const [left, top] = [x - side / 2, y - side / 2];
    context.globalAlpha = lit || this.#encircled.size === 0 || this.#encircled.has(at) ? 1 : 0.2;
    this.#atlas.draw(context, pictures[at] ?? 0, left, top, side);
    if (colours || lit) {
      context.lineWidth = lit ? 3 : Math.max(1.5, side / 14);
      context.strokeStyle = lit ? "#ff8c50" : (colours?.[at] ?? "#888");
      context.strokeRect(left, top, side, side);
    }
    context.globalAlpha = 1;
  }

  #drawLasso(context: CanvasRenderingContext2D) {
    if (!this.#lasso) return;
    context.beginPath();
    for (const [x, y] of this.#lasso) context.lineTo(x, y);
    context.closePath();
    context.fillStyle = "rgb(255 140 80 / 15%)";
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = "#ff8c50";
    context.stroke();
  }
}

const apart = ([x, y]: Point, [a, b]: Point) => Math.hypot(x - a, y - b);

/** Pixels of what is drawn beyond a side of the canvas. */
const beyond = (pixels: number) => Math.ceil(BEYOND * pixels);
