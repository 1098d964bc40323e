// BMP: a header before the pixels as they are, so that a frame becomes a file in no time.

/** Bytes before the pixels: the file's header, the picture's, and the masks of red, green and blue. */
const [FILE, PICTURE, MASKS] = [14, 40, 12] as const;
/** The masks follow. */
const BY_MASKS = 3;

/** The parts of a file. What is transparent becomes opaque. */
export function bmpParts({ data, width, height }: Pick<ImageData, "data" | "width" | "height">): [Uint8Array<ArrayBuffer>, ImageData["data"]] {
  const start = FILE + PICTURE + MASKS;
  const header = new DataView(new ArrayBuffer(start));
  const numbers: [at: number, value: number][] = [
    [2, start + data.length], [10, start], [FILE, PICTURE], [FILE + 4, width], [FILE + 8, -height], // the first row is the top one
    [FILE + 16, BY_MASKS], [FILE + 20, data.length], [FILE + PICTURE, 0xff], [FILE + PICTURE + 4, 0xff00], [FILE + PICTURE + 8, 0xff0000],
  ];
  header.setUint16(0, 0x424d);
  for (const [at, value] of numbers) header.setInt32(at, value, true);
  header.setUint16(FILE + 12, 1, true);
  header.setUint16(FILE + 14, 32, true);
  return [new Uint8Array(header.buffer), data];
}
