// Drawing a photograph, a view stretched over it, and marks on patches.

import type { Encoded, ViewMap } from "../../shared/protocol";
import { pen } from "../dom";
import type { Light } from "./light";
import type { Place } from "../../shared/patches";

export interface Mark {
  token: number;
  /** Null for an outline. */
  colour: readonly [number, number, number] | null;
}

/** A point or a stroke that was painted. */
export interface Stroke {
  path: readonly Place[];
  /** In parts of the region's longer side. */
  radius: number;
  colour: readonly [number, number, number];
  /** Whether it is pointed at in a list. */
  lit: boolean;
  /** Whether it is no mark yet, but a place to make one: a ring. */
  offered?: boolean;
}

export interface Scene {
  photo: ImageBitmap;
  /** Null while the photograph is being encoded. */
  grid: Encoded | null;
  map: ViewMap | null;
  /** Drawn in place of the map's colours. */
  light: Light | null;
  /** Whether colours blend from patch to patch. */
  smooth: boolean;
  /** Whether the photograph is darkened below transparent parts of the map. */
  shaded: boolean;
  /** Whether the photograph's light and shade lie on the colours. */
  lit: boolean;
  /** Lines between patches of different labels. */
  outlines: boolean;
  marks: Mark[];
  strokes: Stroke[];
  opacity: number;
  label: string;
}

/** What a scene is drawn with. */
export interface Paint {
  /** The scene's photograph, at the canvas's size or its own. */
  photo: ImageBitmap | HTMLCanvasElement;
  /** The map's colours or its light, one pixel for each patch. */
  raster: HTMLCanvasElement | null;
  /** Lines of the light, in units of its pixels. */
  lines: readonly number[][];
  /** Light on what is pointed at, over the view. */
  spot: HTMLCanvasElement | null;
  /** The part of the width, from the left, that shows the photograph alone. */
  wipe: number;
  /** The keyboard's patch. */
  cursor: number | null;
}

/** How much of the photograph's light lies on a view's colours. */
const LIT = 0.85;

/** Left, top, width and height, in pixels of the canvas. */
type Box = readonly [number, number, number, number];

/** The scene's grid on a canvas. */
interface Board {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
  /** Pixels of the canvas for each pixel of the photograph. */
  scale: number;
  region: Box;
  rows: number;
  cols: number;
  box(token: number): Box;
}

/** A view's colours. */
export function rasterOf({ rgba, width, height }: Pick<ViewMap, "rgba" | "width" | "height">): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pixels = new Uint8ClampedArray(rgba.buffer, rgba.byteOffset, rgba.length);
  pen(canvas)?.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

/** A view's colours in a photograph's own light and shade; `region` is the part of it that they cover. */
export function litBy(colours: HTMLCanvasElement, photo: ImageBitmap, region: Encoded["region"]): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  const { width, height } = colours;
  [canvas.width, canvas.height] = [width, height];
  const context = pen(canvas);
  if (!context) return colours;
  context.drawImage(colours, 0, 0);
  context.globalAlpha = LIT;
  context.globalCompositeOperation = "soft-light";
  context.filter = "grayscale(1)";
  context.drawImage(photo, ...region, 0, 0, width, height);
  context.filter = "none";
  context.globalAlpha = 1;
  // What is transparent stays so.
  context.globalCompositeOperation = "destination-in";
  context.drawImage(colours, 0, 0);
  return canvas;
}

/** A copy of the photograph at the canvas's size. */
export function scaled(photo: ImageBitmap, { width, height }: HTMLCanvasElement): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = pen(canvas);
  if (context) context.imageSmoothingQuality = "high";
  context?.drawImage(photo, 0, 0, width, height);
  return canvas;
}

/** Draws what of a scene does not change while it is pointed at: the photograph, and the view over it. */
export function drawGround(canvas: HTMLCanvasElement, scene: Scene, paint: Paint) {
  const context = pen(canvas, false);
  if (!context) return;
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(paint.photo, 0, 0, canvas.width, canvas.height);
  if (!scene.grid) return;
  const board = boardOf(canvas, context, scene, scene.grid);
  context.save();
  context.beginPath();
  context.rect(paint.wipe * canvas.width, 0, canvas.width, canvas.height);
  context.clip();
  drawView(board, scene, scene.grid, paint);
  context.restore();
}

/** Draws a scene on a ground of the canvas's size. */
export function draw(canvas: HTMLCanvasElement, scene: Scene, ground: HTMLCanvasElement, paint: Paint) {
  const context = pen(canvas, false);
  if (!context) return;
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = false;
  context.drawImage(ground, 0, 0);
  if (!scene.grid) return;
  const board = boardOf(canvas, context, scene, scene.grid);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  if (paint.spot) context.drawImage(paint.spot, ...board.region);
  for (const one of scene.strokes) drawStroke(board, one);
  for (const mark of scene.marks) drawMark(board, mark);
  if (paint.cursor !== null) drawCursor(board, paint.cursor);
}

/** What lies over the photograph: colours or light, and lines. */
function drawView(board: Board, scene: Scene, grid: Encoded, { photo, raster, lines }: Paint) {
  const { context } = board;
  if (!raster || !scene.map) return;
  if (scene.light) drawLight(board, scene, scene.light, raster, lines);
  else drawMap(board, scene, grid, photo, raster);
  context.globalAlpha = 1;
  if (scene.outlines && !scene.map.fine) drawOutlines(board, scene.map);
}

function drawLight({ canvas, context, region }: Board, { opacity, smooth, map }: Scene, light: Light, raster: HTMLCanvasElement, lines: readonly number[][]) {
  context.globalAlpha = opacity / 100;
  context.imageSmoothingEnabled = smooth || Boolean(map?.fine);
  context.drawImage(raster, ...region);
  if (lines.length === 0) return;
  const [left, top, width, height] = region;
  const [x, y] = [width / light.width, height / light.height];
  context.beginPath();
  for (const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] of lines) {
    context.moveTo(left + x1 * x, top + y1 * y);
    context.lineTo(left + x2 * x, top + y2 * y);
  }
  stroke(context, canvas.width);
}

function boardOf(canvas: HTMLCanvasElement, context: CanvasRenderingContext2D, scene: Scene, { region, rows, cols }: Encoded): Board {
  const scale = canvas.width / scene.photo.width;
  const [left, top, width, height] = region.map((v) => v * scale) as [number, number, number, number];
  const [cellWidth, cellHeight] = [width / cols, height / rows];
  return {
    canvas, context, scale, rows, cols, region: [left, top, width, height],
    box: (token) => [left + (token % cols) * cellWidth, top + Math.floor(token / cols) * cellHeight, cellWidth, cellHeight],
  };
}

/** What the model did not see, or what is no foreground, stays behind a shade. */
function drawMap({ canvas, context, region }: Board, scene: Scene, grid: Encoded, photo: ImageBitmap | HTMLCanvasElement, raster: HTMLCanvasElement) {
  context.globalAlpha = (scene.opacity / 100) * 0.7;
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (!scene.shaded) {
    context.globalAlpha = 1;
    const [x, y, w, h] = grid.region.map((v) => (v * photo.width) / scene.photo.width) as [number, number, number, number];
    context.drawImage(photo, x, y, w, h, ...region);
  }
  context.globalAlpha = scene.opacity / 100;
  context.imageSmoothingEnabled = scene.smooth || Boolean(scene.map?.fine);
  context.drawImage(raster, ...region);
}

/** Lines between neighbours of different labels. */
function drawOutlines({ canvas, context, rows, cols, box }: Board, { labels }: ViewMap) {
  context.beginPath();
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const token = row * cols + col;
      const [x, y, width, height] = box(token);
      if (col > 0 && labels[token - 1] !== labels[token]) {
        context.moveTo(x, y);
        context.lineTo(x, y + height);
      }
      if (row > 0 && labels[token - cols] !== labels[token]) {
        context.moveTo(x, y);
        context.lineTo(x + width, y);
      }
    }
  }
  stroke(context, canvas.width);
}

function drawMark({ canvas, context, box }: Board, { token, colour }: Mark) {
  context.beginPath();
  const [x, y, width, height] = box(token);
  if (colour) {
    context.arc(x + width / 2, y + height / 2, Math.min(width, height) * 0.36, 0, 2 * Math.PI);
    context.fillStyle = `rgb(${colour.join(" ")})`;
    context.fill();
  } else context.rect(x, y, width, height);
  stroke(context, canvas.width);
}

/** A point as a dot, a stroke as wide as it was painted. */
function drawStroke({ canvas, context, region: [left, top, width, height] }: Board, { path, radius, colour, lit, offered }: Stroke) {
  // A dot is as large on any screen, however far the picture is enlarged; of a file its part of the picture.
  const shown = canvas.getBoundingClientRect().width;
  const unit = shown > 0 ? (1.6 * canvas.width) / shown : Math.max(canvas.width, canvas.height) / 400;
  const own = radius * Math.max(width, height);
  const at = ([x, y]: Place) => [left + x * width, top + y * height] as const;
  const [first] = path;
  if (!first) return;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  if (offered) {
    context.arc(...at(first), 11 * unit, 0, 2 * Math.PI);
    for (const [line, style] of [[5 * unit, "rgb(255 255 255 / 90%)"], [3 * unit, `rgb(${colour.join(" ")})`]] as const) {
      context.lineWidth = line;
      context.strokeStyle = style;
      context.stroke();
    }
    return;
  }
  if (path.length === 1) {
    // Its colour shows inside its rim.
    const size = Math.max(lit ? 6 * unit : 3.5 * unit, own, 1.5);
    context.arc(...at(first), size, 0, 2 * Math.PI);
    context.fillStyle = `rgb(${colour.join(" ")} / ${own > 8 * unit ? 60 : 100}%)`;
    context.fill();
    return stroke(context, shown > 0 ? (canvas.width * canvas.clientWidth) / shown : canvas.width);
  }
  context.moveTo(...at(first));
  for (const place of path) context.lineTo(...at(place));
  const wide = Math.max(2 * own, 2.5 * unit);
  const rim = lit ? 2.5 * unit : unit;
  // The picture shows through a wide stroke.
  const [edge, inside] = own > 3 * unit ? [20, 60] : [70, 100];
  for (const [line, style] of [[wide + rim, `rgb(255 255 255 / ${lit ? 100 : edge}%)`], [wide, `rgb(${colour.join(" ")} / ${inside}%)`]] as const) {
    context.lineWidth = line;
    context.strokeStyle = style;
    context.stroke();
  }
}

function drawCursor({ canvas, context, scale, box }: Board, cursor: number) {
  context.beginPath();
  context.rect(...box(cursor));
  context.setLineDash([4 * scale + 2, 3 * scale + 1]);
  stroke(context, canvas.width);
  context.setLineDash([]);
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
