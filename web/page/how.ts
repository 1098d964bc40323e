// “How it works”: the photograph's way through the model, drawn from live data.

import { part, pen } from "./dom";
import type { Engine } from "./engine";
import type { Encoding, ViewMap } from "../shared/protocol";
import { rasterOf } from "./stage/drawing";

export interface HowItWorks {
  show(encoding: Encoding, layers: number): Promise<void>;
}

const [WIDTH, HEIGHT] = [240, 180];

export function howItWorks(root: HTMLDetailsElement, engine: Engine): HowItWorks {
  const figure = (name: string) => part(root, `[data-figure="${name}"] canvas`, HTMLCanvasElement);
  let wanted: { encoding: Encoding; layers: number } | null = null;
  let drawn: Encoding | null = null;

  async function fill() {
    if (!wanted || !root.open || drawn === wanted.encoding) return;
    const { encoding, layers } = wanted;
    drawn = encoding;
    const pca = (layer: number) =>
      engine.call("view", { photo: encoding.photo, request: { view: "pca", layer, foreground: false, basis: "own" }, edges: "patches" });
    patches(figure("patches"), encoding);
    tokens(figure("tokens"), encoding, await pca(0));
    const steps = [1, Math.ceil(layers / 3), Math.ceil((2 * layers) / 3), layers];
    const maps: ViewMap[] = [];
    for (const layer of steps) maps.push(await pca(layer));
    blocks(figure("blocks"), maps);
    features(figure("features"), encoding, await pca(layers));
  }

  root.addEventListener("toggle", () => void fill().catch(() => undefined));
  figure("features").addEventListener("contextrestored", () => {
    drawn = null;
    void fill().catch(() => undefined);
  });
  return {
    async show(encoding, layers) {
      wanted = { encoding, layers };
      await fill();
    },
  };
}

function begin(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  return pen(canvas);
}

function patches(canvas: HTMLCanvasElement, { bitmap, region: [left, top, width, height], rows, cols }: Encoding) {
  const context = begin(canvas);
  if (!context) return;
  const gap = 1.5;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const [w, h] = [WIDTH / cols, HEIGHT / rows];
      const from = [left + (col * width) / cols, top + (row * height) / rows, width / cols, height / rows] as const;
      context.drawImage(bitmap, ...from, col * w + gap / 2, row * h + gap / 2, w - gap, h - gap);
    }
  }
}

/** Draws one row of patches as a sequence: each token is a column of its first numbers. */
function tokens(canvas: HTMLCanvasElement, { rows, cols }: Encoding, map: ViewMap) {
  const context = begin(canvas);
  if (!context) return;
  const row = Math.floor(rows / 2);
  const [w, top, h] = [WIDTH / (cols + 1), 20, (HEIGHT - 40) / 3];
  for (let col = -1; col < cols; col++) {
    for (let channel = 0; channel < 3; channel++) {
      const light = col < 0 ? 128 : (map.rgba[4 * (row * cols + col) + channel] ?? 0);
      context.fillStyle = col < 0 ? "#b23f0e" : `rgb(${light} ${light} ${light})`;
      context.fillRect((col + 1) * w + 0.75, top + channel * h, w - 1.5, h - 1.5);
    }
  }
}

function blocks(canvas: HTMLCanvasElement, maps: ViewMap[]) {
  const context = begin(canvas);
  if (!context) return;
  context.imageSmoothingEnabled = false;
  maps.forEach((map, index) => {
    const shift = (index * WIDTH * 0.4) / (maps.length - 1);
    const drop = (index * HEIGHT * 0.4) / (maps.length - 1);
    context.drawImage(rasterOf(map), shift, drop, WIDTH * 0.6, HEIGHT * 0.6);
    context.strokeStyle = "#fff";
    context.strokeRect(shift, drop, WIDTH * 0.6, HEIGHT * 0.6);
  });
}

function features(canvas: HTMLCanvasElement, { bitmap, region }: Encoding, map: ViewMap) {
  const context = begin(canvas);
  if (!context) return;
  context.drawImage(bitmap, ...region, 0, 0, WIDTH, HEIGHT);
  context.globalAlpha = 0.85;
  context.drawImage(rasterOf(map), 0, 0, WIDTH, HEIGHT);
}
