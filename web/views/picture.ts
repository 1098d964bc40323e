// The PCA picture over the photograph, with a slider that fades between them.

import { part } from "../dom";
import type { Encoding } from "../protocol";

export interface PictureView {
  /** Shows a photograph that is about to be encoded. */
  preview(photo: ImageBitmap, patches: number): void;
  show(encoding: Encoding, photo: string): void;
  /** Goes back to the last picture shown; false where there is none. */
  revert(): boolean;
  png(): Promise<Blob>;
}

interface Shown {
  photo: ImageBitmap;
  pca: ImageBitmap | null;
  label: string;
}

/** Some browsers refuse larger canvases; larger photographs are drawn smaller. */
const MAX_PIXELS = 16e6;
const REVEAL_MILLISECONDS = 700;

export function pictureView(root: HTMLElement): PictureView {
  const canvas = part(root, "canvas", HTMLCanvasElement);
  const frame = part(root, ".frame", HTMLElement);
  const slider = part(root, "input[type=range]", HTMLInputElement);
  const context = canvas.getContext("2d", { alpha: false });
  let chosen = slider.valueAsNumber;
  let current: Shown | null = null;
  let last: Shown | null = null;
  let frameRequest = 0;

  slider.addEventListener("input", () => {
    chosen = slider.valueAsNumber;
    cancelAnimationFrame(frameRequest);
    frameRequest = requestAnimationFrame(draw);
  });

  function place(next: Shown) {
    cancelAnimationFrame(frameRequest);
    current = next;
    const { width, height } = next.photo;
    const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.ariaLabel = next.label;
    frame.style.setProperty("--aspect", String(width / height));
    draw();
  }

  function draw() {
    if (!current || !context) return;
    const layers: [ImageBitmap | null, number][] = [[current.photo, 1], [current.pca, slider.valueAsNumber / 100]];
    for (const [layer, opacity] of layers) {
      if (!layer) continue;
      context.globalAlpha = opacity;
      context.drawImage(layer, 0, 0, canvas.width, canvas.height);
    }
  }

  /** The features rise out of the photograph, unless the visitor prefers stillness. */
  function reveal() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const start = performance.now();
    const rise = (now: number) => {
      const part = Math.min(1, Math.max(0, now - start) / REVEAL_MILLISECONDS);
      slider.valueAsNumber = chosen * part;
      draw();
      if (part < 1) frameRequest = requestAnimationFrame(rise);
    };
    frameRequest = requestAnimationFrame(rise);
  }

  return {
    preview(photo, patches) {
      frame.style.setProperty("--patches", String(patches));
      place({ photo, pca: null, label: "The photograph" });
    },
    show({ photo, pca }, name) {
      last = { photo, pca, label: `The features of ${name} as colours, over the photograph` };
      place(last);
      reveal();
    },
    revert() {
      if (last && last !== current) place(last);
      return last !== null;
    },
    png() {
      return new Promise((resolve, reject) => {
        const failed = new Error("The browser could not write the picture.");
        canvas.toBlob((blob) => (blob ? resolve(blob) : reject(failed)), "image/png");
      });
    },
  };
}
