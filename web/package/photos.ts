// Photographs in all their forms as files, which the engine reads.

import { bmpParts } from "../shared/bmp";
import { ModelError } from "./errors";
import type { ListOfFiles, Photo, Pixels } from "./types";

/** Reads the file at an address. */
export type ReadFile = (address: string | URL, signal: AbortSignal | undefined) => Promise<File>;

/** What a photograph is called that has no name. */
const UNNAMED = "photograph";

export async function fileOf(photo: Photo, read: ReadFile, signal: AbortSignal | undefined): Promise<File> {
  if (photo instanceof File) return photo;
  if (photo instanceof Blob) return new File([photo], UNNAMED, { type: photo.type });
  if (typeof photo === "string" || photo instanceof URL) return read(photo, signal);
  if (photo instanceof ArrayBuffer || photo instanceof Uint8Array) return new File([new Uint8Array(photo)], UNNAMED);
  const pixels = isPixels(photo) ? photo : await drawn(photo as ImageBitmapSource);
  return new File(bmpParts(onWhite(pixels)), `${UNNAMED}.bmp`, { type: "image/bmp" });
}

/** Whether several were given; a browser's choice of files is no array. */
export function isList<T>(given: T | readonly T[] | ListOfFiles): given is readonly T[] | ListOfFiles {
  return Array.isArray(given) || ("FileList" in globalThis && given instanceof FileList);
}

function isPixels(photo: object): photo is Pixels {
  return "data" in photo && ArrayBuffer.isView(photo.data) && "width" in photo && "height" in photo;
}

/** The pixels of what can be drawn. */
async function drawn(source: ImageBitmapSource): Promise<Pixels> {
  if (!("createImageBitmap" in globalThis)) throw new ModelError("input", "A photograph is a path, a URL, a Blob, the bytes of its file, or pixels { data, width, height }.");
  const bitmap = await createImageBitmap(source).catch((error: unknown) => {
    throw new ModelError("input", "A photograph is an address, a Blob, the bytes of its file, pixels, or something that can be drawn, as an image that is loaded.", { cause: error });
  });
  try {
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    if (!context) throw new ModelError("device", "The browser has no canvas left to read a photograph’s pixels.");
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

/** The pixels without transparency. */
function onWhite({ data, width, height }: Pixels) {
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new ModelError("input", "Pixels are a Uint8ClampedArray or a Uint8Array: red, green, blue, alpha from 0 to 255.");
  }
  const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!whole || data.length !== 4 * width * height) {
    throw new ModelError("input", `Pixels of ${width} × ${height} have ${data.length} bytes, expected four for each: red, green, blue, alpha.`);
  }
  const opaque = new Uint8ClampedArray(data);
  // What shines through is white, as it is where the engine decodes a file.
  for (let at = 0; at < opaque.length; at += 4) {
    const alpha = opaque[at + 3] ?? 255;
    if (alpha < 255) for (let i = at; i < at + 3; i++) opaque[i] = 255 + ((opaque[i] ?? 0) - 255) * (alpha / 255);
  }
  return { data: opaque, width, height };
}
