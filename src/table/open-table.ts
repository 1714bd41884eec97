/**
 * The connections that are open, of one family, by key. Table worker's thread, for every event that is read back and every entry of a
 * dump: what that costs is the cache lines it misses. So all of an entry stands together in one record, and `approach` asks for
 * the records of many rows at once, so that memory answers them side by side instead of one after another.
 *
 *   word 0 hash   1 next of its bucket   2 key ...   then state (bits below)   timeUs   lastSeenUs (doubles)   status   mark
 */
import { hashKey, type KeyedRows } from './keyed-rows.js';

const NONE = -1;
const CAPACITY_MIN = 4096;
/** Buckets per entry: most hold one or none. */
const BUCKETS_PER_ENTRY = 2;
const NEXT = 1;
const KEY = 2;
/** Words of a record beside its key; with it an even number, for the doubles. */
const OTHER_WORDS = 9;

// State: RecordFlag bits in the lowest eight, then these.
const SOURCE_SHIFT = 8;
const SOURCE_MASK = 7;
const IN_USE = 1 << 11;
const FROM_TABLE = 1 << 12;
const GONE = 1 << 13;
const AUDIT_SHIFT = 16;
const AUDIT_MASK = 0xffff;

export class OpenTable {
  /** The key that `loadKey` loads and `findKey` looks for. */
  readonly key: Uint32Array;
  /** Entries in use. */
  count = 0;

  readonly #recordWords: number;
  /** Of the state in a record, and of timeUs in its doubles. */
  readonly #stateAt: number;
  readonly #timeAt: number;
  #capacity = CAPACITY_MIN;
  #words: Uint32Array;
  #doubles: Float64Array;
  /** First entry of each bucket, newest first. */
  #buckets: Int32Array;
  /** Entries ever used; beyond them the pool is untouched. */
  #top = 0;
  /** Entries that were freed: a stack. */
  #free = new Int32Array(CAPACITY_MIN);
  #freeCount = 0;
  /** First entry of each row's bucket; and what `approach` read, kept so that it is read. */
  readonly #heads = new Int32Array(CAPACITY_MIN);
  readonly #touched = new Uint32Array(1);

  constructor(readonly keyWords: number) {
    this.key = new Uint32Array(keyWords);
    this.#recordWords = keyWords + OTHER_WORDS;
    this.#stateAt = KEY + keyWords;
    this.#timeAt = (this.#stateAt + 1) / 2;
    this.#words = new Uint32Array(CAPACITY_MIN * this.#recordWords);
    this.#doubles = new Float64Array(this.#words.buffer);
    this.#buckets = new Int32Array(CAPACITY_MIN * BUCKETS_PER_ENTRY).fill(NONE);
  }

  /** Before these rows are looked up: hash them, and have what they will need on its way. */
  approach(rows: KeyedRows): void {
    rows.hash();
    const heads = this.#heads;
    const buckets = this.#buckets;
    const mask = buckets.length - 1;
    const { hashes, count } = rows;
    for (let row = 0; row < count; row++) heads[row] = buckets[hashes[row] & mask];
    const words = this.#words;
    const recordWords = this.#recordWords;
    let touched = 0;
    for (let row = 0; row < count; row++) if (heads[row] !== NONE) touched ^= words[heads[row] * recordWords];
    this.#touched[0] = touched;
  }

  /** Newest entry of a row's key, or -1. The rows are hashed. */
  find(rows: KeyedRows, row: number): number {
    return this.#match(rows.keys, row * this.keyWords, rows.hashes[row]);
  }

  /** Newest entry of `key`, or -1. */
  findKey(): number {
    return this.#match(this.key, 0, hashKey(this.key, 0, this.keyWords));
  }

  /** A new entry for a row's key, ahead of its older ones; the caller fills it. */
  add(rows: KeyedRows, row: number): number {
    const entry = this.#allocate();
    const hash = rows.hashes[row];
    const bucket = hash & (this.#buckets.length - 1);
    const words = this.#words;
    let at = entry * this.#recordWords;
    words[at++] = hash;
    words[at++] = this.#buckets[bucket];
    this.#buckets[bucket] = entry;
    const { keys } = rows;
    const from = row * this.keyWords;
    for (let i = 0; i < this.keyWords; i++) words[at + i] = keys[from + i];
    this.count++;
    return entry;
  }

  /** What the row says of the entry, but for its times; `audit` is the last one that began. */
  fill(entry: number, rows: KeyedRows, row: number, flags: number, audit: number): void {
    const at = this.#at(entry) + this.#stateAt;
    const words = this.#words;
    words[at] =
      flags | (rows.timeSource[row] << SOURCE_SHIFT) | IN_USE | ((audit & AUDIT_MASK) << AUDIT_SHIFT);
    words[at + 5] = rows.status[row];
    words[at + 6] = rows.mark[row];
  }

  /** The audit showed the entry, with these flags, status and mark. */
  show(entry: number, rows: KeyedRows, row: number, flags: number, audit: number): void {
    const at = this.#at(entry) + this.#stateAt;
    const words = this.#words;
    words[at] = (words[at] & ~(AUDIT_MASK << AUDIT_SHIFT)) | ((audit & AUDIT_MASK) << AUDIT_SHIFT) | flags;
    words[at + 5] = rows.status[row];
    words[at + 6] = rows.mark[row];
  }

  remove(entry: number): void {
    const words = this.#words;
    const at = this.#at(entry);
    const bucket = words[at] & (this.#buckets.length - 1);
    const next = words[at + NEXT] | 0;
    let before = this.#buckets[bucket];
    if (before === entry) this.#buckets[bucket] = next;
    else {
      while ((words[this.#at(before) + NEXT] | 0) !== entry) before = words[this.#at(before) + NEXT] | 0;
      words[this.#at(before) + NEXT] = next;
    }
    words[at + this.#stateAt] = 0;
    this.#free[this.#freeCount++] = entry;
    this.count--;
  }

  /** Copy an entry's key into `key`. */
  loadKey(entry: number): void {
    const from = this.#at(entry) + KEY;
    for (let i = 0; i < this.keyWords; i++) this.key[i] = this.#words[from + i];
  }

  /** Start, as far as it is known; microseconds since the epoch. */
  timeUs(entry: number): number {
    return this.#doubles[this.#at(entry) / 2 + this.#timeAt];
  }

  setTimeUs(entry: number, timeUs: number): void {
    this.#doubles[this.#at(entry) / 2 + this.#timeAt] = timeUs;
  }

  /** When it was last known to be open. */
  lastSeenUs(entry: number): number {
    return this.#doubles[this.#at(entry) / 2 + this.#timeAt + 1];
  }

  setLastSeenUs(entry: number, timeUs: number): void {
    this.#doubles[this.#at(entry) / 2 + this.#timeAt + 1] = timeUs;
  }

  /** RecordFlag bits. */
  flags(entry: number): number {
    return this.#state(entry) & 0xff;
  }

  /** Where `timeUs` comes from: a TimeSource. */
  timeSource(entry: number): number {
    return (this.#state(entry) >>> SOURCE_SHIFT) & SOURCE_MASK;
  }

  /** The kernel told the true start. */
  setStart(entry: number, timeUs: number, timeSource: number, flagsOff: number): void {
    const at = this.#at(entry) + this.#stateAt;
    const state = this.#words[at] & ~((SOURCE_MASK << SOURCE_SHIFT) | flagsOff);
    this.#words[at] = state | (timeSource << SOURCE_SHIFT);
    this.setTimeUs(entry, timeUs);
  }

  status(entry: number): number {
    return this.#words[this.#at(entry) + this.#stateAt + 5];
  }

  mark(entry: number): number {
    return this.#words[this.#at(entry) + this.#stateAt + 6];
  }

  /** The audit of this number showed it, or began last when its start came. */
  isOfAudit(entry: number, audit: number): boolean {
    return this.#state(entry) >>> AUDIT_SHIFT === (audit & AUDIT_MASK);
  }

  /** Only the kernel's table has told of it so far. */
  isFromTable(entry: number): boolean {
    return (this.#state(entry) & FROM_TABLE) !== 0;
  }

  setFromTable(entry: number, isFromTable: boolean): void {
    this.#setBit(entry, FROM_TABLE, isFromTable);
  }

  /** Found gone; what an event says of it since takes that back. */
  isGone(entry: number): boolean {
    return (this.#state(entry) & GONE) !== 0;
  }

  setGone(entry: number, isGone: boolean): void {
    this.#setBit(entry, GONE, isGone);
  }

  /** Every entry, in no order; `visit` may remove the entry it is given. */
  forEach(visit: (entry: number) => void): void {
    const top = this.#top;
    for (let entry = 0; entry < top; entry++) if (this.#state(entry) & IN_USE) visit(entry);
  }

  /**
   * All entries by start time, those of the same microsecond in no order; of a million over more than two hours, of the same few.
   * Time and entry in one double: a typed array without a comparator sorts natively, in a third of the time.
   */
  sorted(): Uint32Array {
    const packed = new Float64Array(this.count);
    let count = 0;
    let minUs = Number.POSITIVE_INFINITY;
    let maxUs = Number.NEGATIVE_INFINITY;
    this.forEach((entry) => {
      const timeUs = this.timeUs(entry);
      packed[count++] = entry;
      minUs = Math.min(minUs, timeUs);
      maxUs = Math.max(maxUs, timeUs);
    });
    const scale = 2 ** (32 - Math.clz32(this.#top));
    const stepUs = Math.max(1, Math.ceil(((maxUs - minUs) * scale) / Number.MAX_SAFE_INTEGER));
    for (let i = 0; i < count; i++)
      packed[i] += Math.floor((this.timeUs(packed[i]) - minUs) / stepUs) * scale;
    packed.sort();
    const entries = new Uint32Array(count);
    for (let i = 0; i < count; i++) entries[i] = packed[i] % scale;
    return entries;
  }

  #at(entry: number): number {
    return entry * this.#recordWords;
  }

  #state(entry: number): number {
    return this.#words[entry * this.#recordWords + this.#stateAt];
  }

  #setBit(entry: number, bit: number, isSet: boolean): void {
    const at = this.#at(entry) + this.#stateAt;
    this.#words[at] = isSet ? this.#words[at] | bit : this.#words[at] & ~bit;
  }

  #match(keys: Uint32Array, from: number, hash: number): number {
    const words = this.#words;
    let entry = this.#buckets[hash & (this.#buckets.length - 1)];
    while (entry !== NONE) {
      const at = entry * this.#recordWords;
      if (words[at] === hash) {
        let i = 0;
        while (i < this.keyWords && words[at + KEY + i] === keys[from + i]) i++;
        if (i === this.keyWords) return entry;
      }
      entry = words[at + NEXT] | 0;
    }
    return NONE;
  }

  #allocate(): number {
    if (this.#freeCount > 0) return this.#free[--this.#freeCount];
    if (this.#top === this.#capacity) this.#grow();
    return this.#top++;
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    const words = new Uint32Array(capacity * this.#recordWords);
    words.set(this.#words);
    this.#words = words;
    this.#doubles = new Float64Array(words.buffer);
    this.#free = new Int32Array(capacity); // nothing is free now
    this.#capacity = capacity;
    this.#splitBuckets();
  }

  /** Twice as many buckets. The order within a chain is kept, because it is the order of age. */
  #splitBuckets(): void {
    const old = this.#buckets;
    const words = this.#words;
    const buckets = new Int32Array(old.length * 2).fill(NONE);
    for (let bucket = 0; bucket < old.length; bucket++) {
      // Those of one bucket go to it or to the one that is as far behind as there were buckets.
      let low = NONE;
      let high = NONE;
      for (let entry = old[bucket]; entry !== NONE; ) {
        const at = this.#at(entry);
        const following = words[at + NEXT] | 0;
        const isHigh = (words[at] & old.length) !== 0;
        const last = isHigh ? high : low;
        if (last === NONE) buckets[isHigh ? bucket + old.length : bucket] = entry;
        else words[this.#at(last) + NEXT] = entry;
        words[at + NEXT] = NONE;
        if (isHigh) high = entry;
        else low = entry;
        entry = following;
      }
    }
    this.#buckets = buckets;
  }
}
