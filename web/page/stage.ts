// A photograph on a canvas, a view stretched over it, and the patches that the visitor points at.

import { pen } from "./dom";
import type { Encoded, ViewMap } from "../shared/protocol";

export interface Mark {
  token: number;
  /** An outline where there is no colour. */
  colour: [number, number, number] | null;
}

export interface Scene {
  photo: ImageBitmap;
  /** Unknown while the photograph is being encoded. */
  grid: Encoded | null;
  map: ViewMap | null;
  /** Whether colours blend from patch to patch. */
  smooth: boolean;
  /** Whether the photograph is darkened below transparent parts of the map. */
  shaded: boolean;
  /** Lines between patches of different labels. */
  outlines: boolean;
  marks: Mark[];
  opacity: number;
  label: string;
}

export interface Stage {
  show(scene: Scene): void;
  /** The scene at the photograph's size. */
  png(): Promise<Blob>;
  readonly scene: Scene | null;
}

export interface Hands {
  /** The patch under the pointer or the keyboard's cursor; null where there is none. */
  hover(token: number | null, place: [number, number] | null): void;
  /** A click, a tap, Enter; `drag` where the pointer was pressed before, `touch` where a finger cannot hover. */
  pick(token: number, drag: boolean, touch: boolean): void;
}

/** Some browsers refuse larger canvases. */
const MAX_PIXELS = 16e6;
/** Enough for any screen, and quick to draw. */
const SCREEN_SIDE = 1600;

export function makeStage(frame: HTMLElement, canvas: HTMLCanvasElement, hands: Hands): Stage {
  let scene: Scene | null = null;
  let raster: HTMLCanvasElement | null = null;
  /** The photograph at the canvas's size. */
  let backdrop: HTMLCanvasElement | null = null;
  let request = 0;
  let cursor: number | null = null;
  let pressed: number | null = null;

  const redraw = () => {
    cancelAnimationFrame(request);
    request = requestAnimationFrame(() => scene && backdrop && draw(canvas, scene, backdrop, raster, cursor));
  };

  /** The patch at a point of the canvas, and the point as parts of the region. */
  function under({ clientX, clientY }: PointerEvent): [number, [number, number]] | null {
    if (!scene?.grid) return null;
    const { region: [left, top, width, height], rows, cols } = scene.grid;
    const box = canvas.getBoundingClientRect();
    const x = (((clientX - box.left) / box.width) * scene.photo.width - left) / width;
    const y = (((clientY - box.top) / box.height) * scene.photo.height - top) / height;
    if (!(x >= 0 && x < 1 && y >= 0 && y < 1)) return null;
    return [Math.floor(y * rows) * cols + Math.floor(x * cols), [x, y]];
  }

  canvas.addEventListener("pointermove", (event) => {
    const found = under(event);
    hands.hover(found?.[0] ?? null, found?.[1] ?? null);
    if (found && pressed !== null && pressed !== found[0]) {
      pressed = found[0];
      hands.pick(found[0], true, event.pointerType === "touch");
    }
  });
  // A finger that is lifted leaves what it pointed at.
  canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && hands.hover(null, null));
  canvas.addEventListener("pointerdown", (event) => {
    const found = under(event);
    if (!found || event.button !== 0) return;
    pressed = found[0];
    if (cursor !== null) cursor = found[0];
    hands.pick(found[0], false, event.pointerType === "touch");
  });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (pressed = null));

  canvas.addEventListener("keydown", (event) => {
    if (!scene?.grid) return;
    const { rows, cols } = scene.grid;
    const moves: Record<string, [number, number]> = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const move = moves[event.key];
    const middle = Math.floor(rows / 2) * cols + Math.floor(cols / 2);
    if (move) {
      const at = cursor ?? middle;
      const row = Math.min(rows - 1, Math.max(0, Math.floor(at / cols) + move[0]));
      const col = Math.min(cols - 1, Math.max(0, (at % cols) + move[1]));
      cursor = row * cols + col;
      hands.hover(cursor, [(col + 0.5) / cols, (row + 0.5) / rows]);
    } else if (event.key === "Enter" || event.key === " ") {
      cursor ??= middle;
      hands.pick(cursor, false, false);
    } else return;
    event.preventDefault();
    redraw();
  });
  canvas.addEventListener("blur", () => {
    cursor = null;
    redraw();
  });
  // When the browser's graphics process crashes, every canvas is emptied.
  canvas.addEventListener("contextrestored", () => {
    if (!scene) return;
    backdrop = scaled(scene.photo, canvas);
    raster = scene.map && rasterOf(scene.map);
    redraw();
  });

  return {
    get scene() {
      return scene;
    },
    show(next) {
      const { width, height } = next.photo;
      if (scene?.photo !== next.photo) {
        const scale = Math.min(1, SCREEN_SIDE / Math.max(width, height));
        canvas.width = Math.max(1, Math.round(width * scale));
        canvas.height = Math.max(1, Math.round(height * scale));
        backdrop = scaled(next.photo, canvas);
        frame.style.setProperty("--aspect", String(width / height));
        cursor = null;
      }
      if (scene?.map !== next.map) raster = next.map && rasterOf(next.map);
      scene = next;
      canvas.ariaLabel = next.label;
      redraw();
    },
    png() {
      if (!scene) return Promise.reject(new Error("There is nothing to save yet."));
      const { width, height } = scene.photo;
      const full = document.createElement("canvas");
      const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
      full.width = Math.round(width * scale);
      full.height = Math.round(height * scale);
      draw(full, scene, scene.photo, raster, null);
      return new Promise((resolve, reject) => {
        const failed = new Error("The browser could not write the picture.");
        full.toBlob((blob) => (blob ? resolve(blob) : reject(failed)), "image/png");
      });
    },
  };
}

export function rasterOf({ rgba, width, height }: ViewMap): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pixels = new Uint8ClampedArray(rgba.buffer, rgba.byteOffset, rgba.length);
  pen(canvas)?.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

function scaled(photo: ImageBitmap, { width, height }: HTMLCanvasElement): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = pen(canvas);
  if (context) context.imageSmoothingQuality = "high";
  context?.drawImage(photo, 0, 0, width, height);
  return canvas;
}

/** `photo` is the scene's, at the canvas's size or its own. */
function draw(
  canvas: HTMLCanvasElement, scene: Scene, photo: ImageBitmap | HTMLCanvasElement, raster: HTMLCanvasElement | null, cursor: number | null,
) {
  const context = pen(canvas, false);
  if (!context) return;
  const scale = canvas.width / scene.photo.width;
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  if (!scene.grid) return;
  const [left, top, width, height] = scene.grid.region.map((v) => v * scale) as [number, number, number, number];
  if (raster && scene.map) {
    // What the network did not see, or what is no foreground, stays behind a shade.
    context.globalAlpha = (scene.opacity / 100) * 0.7;
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!scene.shaded) {
      context.globalAlpha = 1;
      const [x, y, w, h] = scene.grid.region.map((v) => (v * photo.width) / scene.photo.width) as typeof scene.grid.region;
      context.drawImage(photo, x, y, w, h, left, top, width, height);
    }
    context.globalAlpha = scene.opacity / 100;
    context.imageSmoothingEnabled = scene.smooth;
    context.drawImage(raster, left, top, width, height);
  }
  const { rows, cols } = scene.grid;
  const [cellWidth, cellHeight] = [width / cols, height / rows];
  context.globalAlpha = 1;
  if (scene.outlines && scene.map) {
    context.beginPath();
    const { labels } = scene.map;
    for (let row = 0; row < rows; row++) {
      for (let col = 0; col < cols; col++) {
        const [x, y, here] = [left + col * cellWidth, top + row * cellHeight, labels[row * cols + col]];
        if (col > 0 && labels[row * cols + col - 1] !== here) {
          context.moveTo(x, y);
          context.lineTo(x, y + cellHeight);
        }
        if (row > 0 && labels[(row - 1) * cols + col] !== here) {
          context.moveTo(x, y);
          context.lineTo(x + cellWidth, y);
        }
      }
    }
    stroke(context, canvas.width);
  }
  const box = (token: number): [number, number, number, number] =>
    [left + (token % cols) * cellWidth, top + Math.floor(token / cols) * cellHeight, cellWidth, cellHeight];
  for (const { token, colour } of scene.marks) {
    context.beginPath();
    if (colour) {
      const [x, y, w, h] = box(token);
      context.arc(x + w / 2, y + h / 2, Math.min(w, h) * 0.36, 0, 2 * Math.PI);
      context.fillStyle = `rgb(${colour.join(" ")})`;
      context.fill();
    } else context.rect(...box(token));
    stroke(context, canvas.width);
  }
  if (cursor !== null) {
    context.beginPath();
    context.rect(...box(cursor));
    context.setLineDash([4 * scale + 2, 3 * scale + 1]);
    stroke(context, canvas.width);
    context.setLineDash([]);
  }
}

/** A line that shows on any ground. */
function stroke(context: CanvasRenderingContext2D, width: number) {
  const line = Math.max(1, width / 400);
  context.lineWidth = 2.5 * line;
  context.strokeStyle = "rgb(0 0 0 / 75%)";
  context.stroke();
  context.lineWidth = line;
  context.strokeStyle = "#fff";
  context.stroke();
}
