// Vectors that stand for whole photographs.

/** The mean of rows with this number of channels, summed in 64 bits. */
export function mean(values: Float32Array, channels: number): Float32Array<ArrayBuffer> {
  const sums = new Float64Array(channels);
  for (let at = 0; at < values.length; at++) {
    const channel = at % channels;
    sums[channel] = (sums[channel] ?? 0) + (values[at] ?? 0);
  }
  return Float32Array.from(sums, (sum) => sum / (values.length / channels));
}

/** The same direction, of length 1. */
export function unit(values: Float32Array): Float32Array<ArrayBuffer> {
  const length = Math.hypot(...values) || 1;
  return Float32Array.from(values, (value) => value / length);
}
