import { readFileSync } from "node:fs";

/** The tensors of a file, { name: { shape, data } }, read as numbers of 32 or 64 bits. */
export function readSafetensors(file) {
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start));
  delete header.__metadata__;
  return Object.fromEntries(Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) => {
    const part = bytes.buffer.slice(bytes.byteOffset + start + from, bytes.byteOffset + start + to);
    const Numbers = { F32: Float32Array, F64: Float64Array, I32: Int32Array }[dtype];
    if (!Numbers) throw new Error(`${file}: ${name} is ${dtype}, which the specs do not read.`);
    return [name, { shape, data: new Numbers(part) }];
  }));
}

/** ‖actual − expected‖ / ‖expected‖, NaN where anything is. */
export function relativeL2(actual, expected) {
  if (actual.length !== expected.length) throw new Error(`${actual.length} numbers instead of ${expected.length}.`);
  let error = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(error / norm);
}
