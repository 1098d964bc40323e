// Decodes pictures that the Rust module does not read, by the browser's decoder.

import { bounded, MOST_PHOTO, reading } from "./bounds";

/** Advice where the browser cannot read a picture either. */
const ADVICE = "Export it as JPEG or PNG";

/** First bytes of the formats that the module reads, or refuses with a reason of its own. */
const KNOWN: readonly (readonly number[])[] = [
  [0x89, 0x50, 0x4e, 0x47], // PNG
  [0xff, 0xd8], // JPEG
  [0x47, 0x49, 0x46, 0x38], // GIF
  [0x42, 0x4d], // BMP
  [0x49, 0x49, 0x2a, 0], [0x4d, 0x4d, 0, 0x2a], // TIFF
  [0x49, 0x49, 0x2b, 0], [0x4d, 0x4d, 0, 0x2b], // BigTIFF
];

/** Formats by the brands in the first box of the ISO media container. */
const BRANDS: Record<string, string> = {
  avif: "AVIF", avis: "AVIF",
  heic: "HEIC", heix: "HEIC", heim: "HEIC", heis: "HEIC", hevc: "HEIC", hevx: "HEIC", hevm: "HEIC", hevs: "HEIC", mif1: "HEIC", msf1: "HEIC",
};

/** Bytes that tell all these formats apart. */
const HEAD = 64;

export interface Readable {
  bytes: Uint8Array<ArrayBuffer>;
  /** Whether the browser decoded the picture. */
  byBrowser: boolean;
}

/** A photograph's bytes in a format that the module reads, if the browser can convert it. */
export async function readable(photo: File): Promise<Readable> {
  bounded(photo, MOST_PHOTO, "a photograph");
  const head = new Uint8Array(await reading(photo.name, photo.slice(0, HEAD).arrayBuffer()));
  const whole = async () => ({ bytes: new Uint8Array(await reading(photo.name, photo.arrayBuffer())), byBrowser: false });
  if (head.length === 0 || known(head)) return whole();
  const kind = kindOf(head);
  const bytes = await byBrowser(photo);
  if (bytes) return { bytes, byBrowser: true };
  if (kind) throw new Error(`${photo.name}: ${kind} cannot be opened here. ${ADVICE}.`);
  return whole();
}

function known(head: Uint8Array): boolean {
  if (ascii(head, 0, 4) === "RIFF" && ascii(head, 8, 12) === "WEBP") return true;
  return KNOWN.some((magic) => magic.every((byte, at) => head[at] === byte));
}

/** The name of a format that only some browsers read. */
function kindOf(head: Uint8Array): string | null {
  if (head[0] === 0xff && head[1] === 0x0a) return "JPEG XL";
  if (ascii(head, 4, 8) === "JXL ") return "JPEG XL";
  if (ascii(head, 4, 8) === "ftyp") {
    const end = Math.min(head.length, new DataView(head.buffer).getUint32(0));
    // The compatible brands follow the major one and its version; an AVIF container lists its own there.
    const brands = [ascii(head, 8, 12)];
    for (let at = 16; at + 4 <= end; at += 4) brands.push(ascii(head, at, at + 4));
    const names = brands.map((brand) => BRANDS[brand]).filter((name) => name !== undefined);
    return names.find((name) => name === "AVIF") ?? names[0] ?? null;
  }
  if (ascii(head, 4, 8) === "jP  " || (head[0] === 0xff && head[1] === 0x4f && head[2] === 0xff && head[3] === 0x51)) return "JPEG 2000";
  if (/^\s*(<\?xml|<svg)/.test(ascii(head, 0, HEAD))) return "SVG";
  return null;
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

/** The picture as PNG, losslessly, by the browser's decoder; null where it cannot read it. */
async function byBrowser(photo: File): Promise<Uint8Array<ArrayBuffer> | null> {
  if (!("createImageBitmap" in globalThis)) return null; // outside a browser
  // No colour profile is applied: the module reads the numbers in the file too.
  const bitmap = await createImageBitmap(photo, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(() => null);
  if (!bitmap) return null;
  try {
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    if (!context) return null;
    context.drawImage(bitmap, 0, 0);
    return new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
  } catch {
    return null; // larger than a canvas may be
  } finally {
    bitmap.close();
  }
}
