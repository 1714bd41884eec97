/** Seeded random numbers (sfc32, 32 bits a draw), so that a trace is the same on every machine. */
export class Random {
  #a = 0x9e3779b9 | 0;
  #b = 0x243f6a88 | 0;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#c = seed | 0;
    for (let i = 0; i < 15; i++) this.uint32();
  }

  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** In [0, 1). */
  unit(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** An integer in [0, count). */
  below(count: number): number {
    return Math.floor(this.unit() * count);
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit());
  }
}

/**
 * Draws i of [0, count) with a probability proportional to 1 / (i + 1)^exponent, in constant time (Walker's
 * alias method).
 */
export class Zipf {
  readonly #threshold: Float64Array;
  readonly #alias: Uint32Array;

  constructor(
    readonly random: Random,
    readonly count: number,
    exponent: number,
  ) {
    const scaled = Float64Array.from({ length: count }, (_, i) => (i + 1) ** -exponent);
    const sum = scaled.reduce((a, b) => a + b, 0);
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < count; i++) {
      scaled[i] *= count / sum;
      (scaled[i] < 1 ? small : large).push(i);
    }
    this.#threshold = scaled;
    this.#alias = Uint32Array.from({ length: count }, (_, i) => i);
    while (small.length > 0 && large.length > 0) {
      const less = small.pop() as number;
      const more = large[large.length - 1];
      this.#alias[less] = more;
      scaled[more] -= 1 - scaled[less];
      if (scaled[more] < 1) small.push(large.pop() as number);
    }
  }

  draw(): number {
    const i = this.random.below(this.count);
    return this.random.unit() < this.#threshold[i] ? i : this.#alias[i];
  }
}
