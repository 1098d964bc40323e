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

  /** A whole number within bounds; null for anything else. */
  whole(name: string, low: number, high: number): number | null {
    const value = Number(this.text(name));
    return this.text(name) && Number.isInteger(value) && value >= low && value <= high ? value : null;
  }
}
