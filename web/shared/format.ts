// Formats numbers for readers.

const plain = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export function bytes(count: number): string {
  if (count >= 1e9) return `${short.format(count / 1e9)} GB`;
  return count < 1e6 ? `${short.format(count / 1e3)} kB` : `${(count / 1e6).toFixed(count < 1e8 ? 1 : 0)} MB`;
}

export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${short.format(milliseconds)} ms` : `${short.format(milliseconds / 1000)} s`;
}

/** A remaining time, given in seconds, in round numbers. */
export function remaining(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

export function many(count: number): string {
  if (count >= 1e9) return `${short.format(count / 1e9)} billion`;
  return count >= 1e6 ? `${short.format(count / 1e6)} million` : plain.format(count);
}
