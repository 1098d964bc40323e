// The parameters of an address, read with care: anybody can write one.

export class Address {
  readonly #asked: URLSearchParams;

  constructor(hash: string) {
    this.#asked = new URLSearchParams(hash.replace(/^#/, ""));
  }

  has(name: string): boolean {
    return this.#asked.has(name);
  }

  text(name: string): string {
    return this.#asked.get(name) ?? "";
  }

  /** Places as pairs of parts of the picture's width and height; none where one of them is wrong. */
  places(name: string, most: number): (readonly [number, number])[] {
    const numbers = this.text(name).split(",").filter(Boolean).map(Number);
    if (numbers.length % 2 !== 0 || numbers.some((v) => !(v >= 0 && v < 1))) return [];
    return Array.from({ length: Math.min(most, numbers.length / 2) }, (_, at) => [numbers[2 * at] ?? 0, numbers[2 * at + 1] ?? 0] as const);
  }

  /** A whole number within bounds; null for anything else. */
  whole(name: string, low: number, high: number): number | null {
    const value = Number(this.text(name));
    return this.text(name) && Number.isInteger(value) && value >= low && value <= high ? value : null;
  }
}
