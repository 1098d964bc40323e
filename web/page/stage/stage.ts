// A canvas that shows a scene, and the pointer on it.

import { draw, drawGround, litBy, rasterOf, scaled, type Paint, type Scene } from "./drawing";
import { contour, shadeOf, type Light } from "./light";
import { placeOf, sameGrid, tokenAt, type Place } from "../../shared/patches";
import { Pointer, type PointerHandlers } from "./pointer";

/** Some browsers refuse larger canvases. */
const MAX_PIXELS = 16e6;
/** Enough for any screen, and quick to draw. */
const SCREEN_SIDE = 1600;

export class Stage {
  readonly #frame: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #pointer: Pointer;
  #scene: Scene | null = null;
  #raster: HTMLCanvasElement | null = null;
  #lines: readonly number[][] = [];
  /** The photograph at the canvas's size. */
  #backdrop: HTMLCanvasElement | null = null;
  /** What is drawn below what is pointed at; null where it is to be drawn anew. */
  #ground: HTMLCanvasElement | null = null;
  readonly #sheet = document.createElement("canvas");
  #spot: HTMLCanvasElement | null = null;
  #wipe = 0;
  /** The patch that is pointed at in a picture beside. */
  #mirrored: number | null = null;
  #request = 0;

  constructor(frame: HTMLElement, canvas: HTMLCanvasElement, handlers: PointerHandlers) {
    this.#frame = frame;
    this.#canvas = canvas;
    this.#pointer = new Pointer(canvas, () => this.#scene, handlers, () => this.#redraw());
    // When the browser's graphics process crashes, every canvas is emptied.
    canvas.addEventListener("contextrestored", () => this.#restore());
  }

  get scene(): Scene | null {
    return this.#scene;
  }

  /** Where the keyboard's cursor is, in parts of the photograph. */
  get cursor(): Place | null {
    const [scene, token] = [this.#scene, this.#pointer.cursor];
    if (!scene?.grid || token === null) return null;
    const { region: [left, top, width, height] } = scene.grid;
    const [x, y] = placeOf(token, scene.grid);
    return [(left + x * width) / scene.photo.width, (top + y * height) / scene.photo.height];
  }

  show(next: Scene) {
    if (this.#scene?.photo !== next.photo) this.#take(next.photo);
    if (!sameGrid(this.#scene?.grid, next.grid)) this.#pointer.cursor = null;
    if (this.#scene?.light !== next.light) this.#lines = next.light ? contour(next.light) : [];
    if (this.#scene?.map !== next.map || this.#scene?.light !== next.light) this.#raster = painted(next);
    this.#scene = next;
    this.#ground = null;
    this.#canvas.ariaLabel = next.label;
    this.#redraw();
  }

  /** Lights up what is alike to what is pointed at. */
  spot(light: Light | null) {
    this.#spot = light && shadeOf(light);
    this.#redraw();
  }

  /** Marks the patch at the place that is pointed at in a picture beside; null for none. */
  mirror(at: Place | null) {
    const grid = this.#scene?.grid;
    const token = grid ? tokenAt(at, grid) : null;
    if (token === this.#mirrored) return;
    this.#mirrored = token;
    this.#redraw();
  }

  /** Shows the photograph alone in a part of the width, from the left. */
  wipe(at: number) {
    if (at === this.#wipe) return;
    this.#wipe = at;
    this.#ground = null;
    this.#redraw();
  }

  /** The canvas is larger or smaller on the screen: points stay as they were. */
  resized() {
    this.#redraw();
  }

  /** The scene at the photograph's size. */
  png(): Promise<Blob> {
    const scene = this.#scene;
    if (!scene) return Promise.reject(new Error("There is nothing to save yet."));
    const { width, height } = scene.photo;
    const full = document.createElement("canvas");
    const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
    full.width = Math.round(width * scale);
    full.height = Math.round(height * scale);
    const paint = { photo: scene.photo, raster: this.#raster, lines: this.#lines, spot: null, wipe: 0, cursor: null };
    drawGround(full, scene, paint);
    draw(full, scene, full, paint);
    return new Promise((resolve, reject) => {
      const failed = new Error("The browser could not write the picture.");
      full.toBlob((blob) => (blob ? resolve(blob) : reject(failed)), "image/png");
    });
  }

  #take(photo: ImageBitmap) {
    const { width, height } = photo;
    const scale = Math.min(1, SCREEN_SIDE / Math.max(width, height));
    const [wide, tall] = [width, height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
    // A canvas whose size is set is emptied.
    if (this.#canvas.width !== wide || this.#canvas.height !== tall) [this.#canvas.width, this.#canvas.height] = [wide, tall];
    this.#backdrop = scaled(photo, this.#canvas);
    this.#frame.style.setProperty("--aspect", String(width / height));
  }

  #restore() {
    if (!this.#scene) return;
    this.#backdrop = scaled(this.#scene.photo, this.#canvas);
    this.#raster = painted(this.#scene);
    this.#ground = null;
    this.#redraw();
  }

  #redraw() {
    cancelAnimationFrame(this.#request);
    this.#request = requestAnimationFrame(() => {
      const cursor = this.#pointer.cursor ?? this.#mirrored;
      if (!this.#scene || !this.#backdrop) return;
      const paint = { photo: this.#backdrop, raster: this.#raster, lines: this.#lines, spot: this.#spot, wipe: this.#wipe, cursor };
      this.#ground ??= this.#grounded(this.#scene, paint);
      draw(this.#canvas, this.#scene, this.#ground, paint);
    });
  }

  /** Draws what stays while the pointer moves. */
  #grounded(scene: Scene, paint: Paint): HTMLCanvasElement {
    const { width, height } = this.#canvas;
    if (this.#sheet.width !== width || this.#sheet.height !== height) [this.#sheet.width, this.#sheet.height] = [width, height];
    drawGround(this.#sheet, scene, paint);
    return this.#sheet;
  }
}

/** The colours or the light of a scene's map. */
function painted({ map, light, lit, photo, grid }: Scene): HTMLCanvasElement | null {
  if (light) return shadeOf(light);
  const colours = map && rasterOf(map.fine ?? map);
  return colours && lit && grid ? litBy(colours, photo, grid.region) : colours;
}
