/** Everything of a world that is left to chance comes from one of these, so that a seed says all of it. */
export class Random {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #counter = 1;

  constructor(readonly seed: number) {
    this.#a = seed | 0;
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** sfc32 (Chris Doty-Humphrey, PractRand). */
  #next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor((this.#next() / 2 ** 32) * below);
  }

  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  chance(probability: number): boolean {
    return this.#next() / 2 ** 32 < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}
