import { readFileSync, writeFileSync } from "node:fs";

/** The tensors of a file, { name: { shape, data } }, read as numbers of 32 or 64 bits. */
export function readSafetensors(file) {
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start));
  delete header.__metadata__;
  return Object.fromEntries(Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) => {
    const part = bytes.buffer.slice(bytes.byteOffset + start + from, bytes.byteOffset + start + to);
    const Numbers = { F32: Float32Array, F64: Float64Array, I32: Int32Array, I64: BigInt64Array }[dtype];
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

/** The tensors of a file with their bytes. */
function stored(file) {
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start));
  delete header.__metadata__;
  return Object.entries(header).map(([name, { dtype, shape, data_offsets: [begin, end] }]) => ({ name, dtype, shape, data: bytes.subarray(start + begin, start + end) }));
}

function write(file, tensors) {
  writeFileSync(file, joined(tensors));
}

/** A file of tensors in 32 bits, { name: { shape, data } }. */
export function safetensors(tensors) {
  return joined(Object.entries(tensors).map(([name, { shape, data }]) => ({ name, dtype: "F32", shape, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength) })));
}

function joined(tensors) {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, data }) => [name, { dtype, shape, data_offsets: [end, (end += data.length)] }]);
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...tensors.map(({ data }) => data)]);
}

/** The model of a file whose table of tokens repeats its rows up to so many. */
export function writeWithTokens(from, to, rows) {
  write(to, stored(from).map((tensor) => {
    if (!tensor.name.endsWith("token_embedding.weight")) return tensor;
    const [own, width] = tensor.shape;
    const times = Math.ceil(rows / own);
    const data = Buffer.concat(Array(times).fill(tensor.data)).subarray(0, (tensor.data.length / own) * rows);
    return { ...tensor, shape: [rows, width], data };
  }));
}

/** The weights of a folder in two shards and their index. */
export function writeShards(from, to) {
  const all = stored(`${from}/model.safetensors`);
  const half = all.length >> 1;
  const shards = [all.slice(0, half), all.slice(half)].map((tensors, at) => [`model-0000${at + 1}-of-00002.safetensors`, tensors]);
  for (const [file, tensors] of shards) write(`${to}/${file}`, tensors);
  const map = shards.flatMap(([file, tensors]) => tensors.map(({ name }) => [name, file]));
  writeFileSync(`${to}/model.safetensors.index.json`, JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(map) }));
}

/**
 * A vision-language model around the model in a folder: three shards and their index. The encoder lies in the
 * first two, beside tensors of a language model; the third is the language model's alone.
 */
export function writeVlm(from, to) {
  const own = stored(`${from}/model.safetensors`).filter(({ name }) => name.startsWith("vision_model."));
  const other = (name) => ({ name: `language_model.${name}`, dtype: "F16", shape: [1000, 3000], data: Buffer.alloc(6e6, 1) });
  const half = own.length >> 1;
  const shards = [[other("a"), ...own.slice(0, half)], [...own.slice(half, half + 9), other("b"), ...own.slice(half + 9)], [other("c")]];
  const map = {};
  shards.forEach((tensors, at) => {
    const file = `model-0000${at + 1}-of-00003.safetensors`;
    for (const { name } of tensors) map[name] = file;
    write(`${to}/${file}`, tensors);
  });
  writeFileSync(`${to}/model.safetensors.index.json`, JSON.stringify({ metadata: {}, weight_map: map }));
  const { segmentation, ...vision } = JSON.parse(readFileSync(`${from}/config.json`, "utf8"));
  writeFileSync(`${to}/config.json`, JSON.stringify({ model_type: "internvl_chat", vision_config: vision }));
}
