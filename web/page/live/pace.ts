// How large live pictures are encoded: as large as the device keeps up with.

/** Sides to choose from, in pixels of the short side, and the place of the one to begin with. */
const SIDES = [112, 168, 224, 336, 448] as const;
const FIRST = 2;
/** Milliseconds of a picture above which a smaller side is taken, and below which the time of the next larger one must lie. */
const [SLOW, QUICK] = [200, 110] as const;
/** Pictures by which a side is judged, and by which one that is far too slow is. */
const [JUDGED, FEW] = [5, 2] as const;
/** Milliseconds over which pictures are counted. */
const COUNTED = 3000;

export class Pace {
  #at: number = FIRST;
  /** What the last pictures of this side took, in milliseconds. */
  #took: number[] = [];
  /** When the last pictures were shown. */
  #shown: number[] = [];

  /** `guess` is what a picture of a side will take, in milliseconds, by what is known; 0 where nothing is. */
  constructor(guess: (side: number) => number) {
    while (this.#at > 0 && guess(SIDES[this.#at] ?? 0) > SLOW) this.#at--;
  }

  /** Pixels of the short side, a whole number of patches. */
  side(patch: number): number {
    return Math.max(1, Math.round((SIDES[this.#at] ?? 0) / patch)) * patch;
  }

  /** Pictures a second of late; null before there are two. */
  get rate(): number | null {
    const [first, last] = [this.#shown[0], this.#shown.at(-1)];
    return first === undefined || last === undefined || last === first ? null : (1000 * (this.#shown.length - 1)) / (last - first);
  }

  /** A picture is shown, which took this number of milliseconds; `fixed` leaves the side. */
  shown(now: number, milliseconds: number, fixed: boolean) {
    this.#shown = [...this.#shown.filter((then) => now - then < COUNTED), now];
    this.#took.push(milliseconds);
    const hopeless = this.#took.length >= FEW && Math.min(...this.#took) > 2 * SLOW;
    if (fixed || (this.#took.length < JUDGED && !hopeless)) return;
    const usual = this.#took.toSorted((a, b) => a - b)[this.#took.length >> 1] ?? 0;
    const side = SIDES[this.#at] ?? 0;
    // The work grows as the number of patches, and that of attention with its square.
    const larger = usual * ((SIDES[this.#at + 1] ?? Infinity) / side) ** 2.2;
    if (usual > SLOW && this.#at > 0) this.#at--;
    else if (larger < QUICK) this.#at++;
    this.#took = [];
  }

  /** Counts from here: nothing was shown meanwhile. */
  rest() {
    this.#shown = this.#took = [];
  }
}
