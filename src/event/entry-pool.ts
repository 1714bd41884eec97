/**
 * Which entries are in use, as a bitmap. A new entry is the next free one behind the last, round and round,
 * so that records which are written one after another stand near each other in memory: a stack of freed
 * entries would scatter them, which took twice the time. An entry is touched for the first time only when
 * nearly all of those before it are in use, so the memory is that of the most entries at once.
 */
const WORD_BITS = 32;
const ALL = 0xffffffff;
/**
 * A share of the entries is left free, so that the search for a free one is short: of those touched so far,
 * and of all.
 */
const EXTENT_SHARE_FREE = 1 / 16;
const SHARE_FREE = 1 / 64;
const EXTENT_GROWTH = 1 / 8;

export class EntryPool {
  /** Entries in use. */
  count = 0;
  #used: Uint32Array;
  /** How many words of the bitmap were ever needed. */
  #extent = 1;
  /** From so many entries on the extent grows. */
  #extendFrom = WORD_BITS * (1 - EXTENT_SHARE_FREE);
  /** The word of the bitmap where the search for a free entry goes on. */
  #hand = 0;

  /** `capacity`: a multiple of 32. */
  constructor(capacity: number) {
    this.#used = new Uint32Array(capacity / WORD_BITS);
  }

  get capacity(): number {
    return this.#used.length * WORD_BITS;
  }

  /** Whether it must grow before another one is taken. */
  get isFull(): boolean {
    return this.count >= this.capacity * (1 - SHARE_FREE);
  }

  /** All entries are below this. */
  get top(): number {
    return this.#extent * WORD_BITS;
  }

  take(): number {
    if (this.count >= this.#extendFrom) this.#extend();
    const used = this.#used;
    const extent = this.#extent;
    let word = this.#hand;
    while (used[word] === ALL) if (++word === extent) word = 0;
    this.#hand = word;
    const free = ~used[word];
    const lowest = free & -free;
    used[word] |= lowest;
    this.count++;
    return word * WORD_BITS + 31 - Math.clz32(lowest);
  }

  free(entry: number): void {
    this.#used[entry >>> 5] &= ~(1 << (entry & 31));
    this.count--;
  }

  /** Twice the capacity. */
  grow(): void {
    const used = new Uint32Array(this.#used.length * 2);
    used.set(this.#used);
    this.#used = used;
  }

  /** Every entry in use, in order; `visit` may free the one it is given. */
  forEach(visit: (entry: number) => void): void {
    for (let word = 0; word < this.#extent; word++)
      for (let bits = this.#used[word]; bits !== 0; bits &= bits - 1)
        visit(word * WORD_BITS + 31 - Math.clz32(bits & -bits));
  }

  #extend(): void {
    const before = this.#extent;
    this.#extent = Math.min(this.#used.length, before + Math.ceil(before * EXTENT_GROWTH));
    if (this.#extent > before) this.#hand = before;
    this.#extendFrom = this.#extent * WORD_BITS * (1 - EXTENT_SHARE_FREE);
  }
}
