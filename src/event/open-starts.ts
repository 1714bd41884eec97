/**
 * The starts whose end has not come yet, by key: a pool of typed arrays with hash chains, newest start first.
 * Memory grows with the connections open at once, never with the length of the log. For pairing.
 */
const INITIAL_CAPACITY = 4096;
const NONE = -1;

export class OpenStarts {
  /** The key to look up or add: filled by the caller. */
  readonly key: Uint32Array;
  /** Start of each entry, and the kernel's start time of it (0 = none), in microseconds. */
  timeUs = new Float64Array(INITIAL_CAPACITY);
  kernelStartUs = new Float64Array(INITIAL_CAPACITY);
  /** Latest possible end when a newer start of the same key was seen; 0 = none. */
  endedBeforeUs = new Float64Array(INITIAL_CAPACITY);
  /** RecordFlag bits, TimeSource, and 1 for what only the kernel's table has told so far. */
  flags = new Uint8Array(INITIAL_CAPACITY);
  timeSource = new Uint8Array(INITIAL_CAPACITY);
  fromTable = new Uint8Array(INITIAL_CAPACITY);
  /** Number of gaps seen before it. */
  epoch = new Uint32Array(INITIAL_CAPACITY);
  status = new Uint32Array(INITIAL_CAPACITY);
  mark = new Uint32Array(INITIAL_CAPACITY);
  /** Of an end without a start: where it stands in the output (pair.ts). */
  lastSeenUs = new Float64Array(INITIAL_CAPACITY);
  /** Entries in use. */
  count = 0;

  #keys: Uint32Array;
  #hashes = new Uint32Array(INITIAL_CAPACITY);
  #next = new Int32Array(INITIAL_CAPACITY);
  #buckets = new Int32Array(INITIAL_CAPACITY).fill(NONE);
  /** Entries ever used; beyond it the pool is untouched. Freed ones are chained through `#next`. */
  #top = 0;
  #free = NONE;

  constructor(readonly keyWords: number) {
    this.key = new Uint32Array(keyWords);
    this.#keys = new Uint32Array(INITIAL_CAPACITY * keyWords);
  }

  /** Newest entry of the key, or -1. */
  newest(): number {
    const hash = this.#hash();
    return this.#match(this.#buckets[hash & (this.#buckets.length - 1)], hash);
  }

  /**
   * The next older entry of the same key as `entry`, which `newest` or `older` found; -1 when there is none.
   */
  older(entry: number): number {
    return this.#match(this.#next[entry], this.#hashes[entry]);
  }

  /** A new entry for the key, ahead of its older ones; the caller fills the columns. */
  add(): number {
    const entry = this.#allocate();
    const hash = this.#hash();
    const bucket = hash & (this.#buckets.length - 1);
    this.#hashes[entry] = hash;
    this.#next[entry] = this.#buckets[bucket];
    this.#buckets[bucket] = entry;
    const at = entry * this.keyWords;
    // A loop, because `set` costs more than so few words.
    for (let i = 0; i < this.keyWords; i++) this.#keys[at + i] = this.key[i];
    this.count++;
    return entry;
  }

  remove(entry: number): void {
    const bucket = this.#hashes[entry] & (this.#buckets.length - 1);
    let at = this.#buckets[bucket];
    if (at === entry) this.#buckets[bucket] = this.#next[entry];
    else {
      while (this.#next[at] !== entry) at = this.#next[at];
      this.#next[at] = this.#next[entry];
    }
    this.#next[entry] = this.#free;
    this.#free = entry;
    this.#hashes[entry] = 0;
    this.timeUs[entry] = Number.NaN;
    this.count--;
  }

  /** Copy an entry's key into `key`. */
  loadKey(entry: number): void {
    const from = entry * this.keyWords;
    for (let i = 0; i < this.keyWords; i++) this.key[i] = this.#keys[from + i];
  }

  /** Every entry, in no order; `visit` may remove the entry it is given. */
  forEach(visit: (entry: number) => void): void {
    const top = this.#top;
    for (let entry = 0; entry < top; entry++) if (!Number.isNaN(this.timeUs[entry])) visit(entry);
  }

  /** Remove all; the memory is kept. */
  clear(): void {
    this.forEach((entry) => {
      this.remove(entry);
    });
  }

  /**
   * All entries by start time, those of the same microsecond in no order; of a million over more than two
   * hours, of the same few. Time and entry in one double: a typed array without a comparator sorts natively,
   * in a third of the time.
   */
  sorted(): Uint32Array {
    const { timeUs } = this;
    const packed = new Float64Array(this.count);
    let count = 0;
    let minUs = Number.POSITIVE_INFINITY;
    let maxUs = Number.NEGATIVE_INFINITY;
    this.forEach((entry) => {
      packed[count++] = entry;
      minUs = Math.min(minUs, timeUs[entry]);
      maxUs = Math.max(maxUs, timeUs[entry]);
    });
    const scale = 2 ** (32 - Math.clz32(this.#top));
    const stepUs = Math.max(1, Math.ceil(((maxUs - minUs) * scale) / Number.MAX_SAFE_INTEGER));
    for (let i = 0; i < count; i++) packed[i] += Math.floor((timeUs[packed[i]] - minUs) / stepUs) * scale;
    packed.sort();
    const entries = new Uint32Array(count);
    for (let i = 0; i < count; i++) entries[i] = packed[i] % scale;
    return entries;
  }

  #match(entry: number, hash: number): number {
    const { key, keyWords } = this;
    for (; entry !== NONE; entry = this.#next[entry]) {
      if (this.#hashes[entry] !== hash) continue;
      const from = entry * keyWords;
      let i = 0;
      while (i < keyWords && this.#keys[from + i] === key[i]) i++;
      if (i === keyWords) return entry;
    }
    return NONE;
  }

  #hash(): number {
    let hash = 0;
    for (let i = 0; i < this.keyWords; i++) {
      hash = Math.imul(hash ^ this.key[i], 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash >>> 0;
  }

  #allocate(): number {
    if (this.#free !== NONE) {
      const entry = this.#free;
      this.#free = this.#next[entry];
      return entry;
    }
    if (this.#top === this.timeUs.length) this.#grow();
    return this.#top++;
  }

  #grow(): void {
    const capacity = this.timeUs.length * 2;
    this.timeUs = copied(new Float64Array(capacity), this.timeUs);
    this.kernelStartUs = copied(new Float64Array(capacity), this.kernelStartUs);
    this.endedBeforeUs = copied(new Float64Array(capacity), this.endedBeforeUs);
    this.flags = copied(new Uint8Array(capacity), this.flags);
    this.timeSource = copied(new Uint8Array(capacity), this.timeSource);
    this.fromTable = copied(new Uint8Array(capacity), this.fromTable);
    this.epoch = copied(new Uint32Array(capacity), this.epoch);
    this.status = copied(new Uint32Array(capacity), this.status);
    this.mark = copied(new Uint32Array(capacity), this.mark);
    this.lastSeenUs = copied(new Float64Array(capacity), this.lastSeenUs);
    this.#hashes = copied(new Uint32Array(capacity), this.#hashes);
    this.#next = copied(new Int32Array(capacity), this.#next);
    this.#keys = copied(new Uint32Array(capacity * this.keyWords), this.#keys);
    this.#splitBuckets();
  }

  /** Twice as many buckets. The order within a chain is kept, because it is the order of age. */
  #splitBuckets(): void {
    const old = this.#buckets;
    const buckets = new Int32Array(old.length * 2).fill(NONE);
    const tails = new Int32Array(old.length * 2).fill(NONE);
    for (let entry of old)
      while (entry !== NONE) {
        const following = this.#next[entry];
        const bucket = this.#hashes[entry] & (buckets.length - 1);
        if (tails[bucket] === NONE) buckets[bucket] = entry;
        else this.#next[tails[bucket]] = entry;
        tails[bucket] = entry;
        this.#next[entry] = NONE;
        entry = following;
      }
    this.#buckets = buckets;
  }
}

function copied<T extends Uint8Array | Uint32Array | Int32Array | Float64Array>(larger: T, smaller: T): T {
  larger.set(smaller);
  return larger;
}
