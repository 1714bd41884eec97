/**
 * The connections that are open, of one family, by key. Table worker's thread, for every event that is read
 * back and every entry of a dump: what that costs is the cache lines it misses. So all of an entry stands
 * together in one record, an event that ends it touches only the index (key-index.ts), and `approach` asks
 * for the lines of many rows at once.
 *
 *   record  hash   state (bits below)   key ...   rest of the hash
 *           timeUs   lastSeenUs (doubles)   status   mark
 */
import { hashKey, KEY4_WORDS } from '../../event/key.js';
import type { KeyedRows } from '../../event/keyed-rows.js';
import { EntryPool } from './entry-pool.js';
import { KeyIndex } from './key-index.js';

const NONE = -1;
const CAPACITY_MIN = 4096;
/** Records that `visit` asks for ahead: they must stay in the cache until they are visited. */
const ENTRIES_ASKED = 128;
const STATE = 1;
const KEY = 2;
/**
 * Words of a record beside its key; with it an even number, for the doubles. 16 words in all for IPv4: a
 * cache line.
 */
const OTHER_WORDS = 9;

// State: RecordFlag bits in the lowest eight, then these.
const SOURCE_SHIFT = 8;
const SOURCE_MASK = 7;
const FROM_TABLE = 1 << 12;
const GONE = 1 << 13;
const AUDIT_SHIFT = 16;
const AUDIT_MASK = 0xffff;

export class OpenTable {
  /** The key that `loadKey` loads and `findKey` looks for. */
  readonly key: Uint32Array;
  readonly #pool = new EntryPool(CAPACITY_MIN);
  readonly #index = new KeyIndex(CAPACITY_MIN);
  readonly #recordWords: number;
  /**
   * Of the hash's second word and of status in a record's words, and of timeUs in its doubles; lastSeenUs and
   * mark follow them.
   */
  readonly #moreAt: number;
  readonly #statusAt: number;
  readonly #timeAt: number;
  #words: Uint32Array;
  #doubles: Float64Array;
  /** Hash of `key`. */
  readonly #keyHash = new Int32Array(2);
  /** What `approachRecords` and `visit` read, kept so that it is read. */
  readonly #touched = new Uint32Array(1);

  constructor(readonly keyWords: number) {
    this.key = new Uint32Array(keyWords);
    this.#recordWords = keyWords + OTHER_WORDS;
    this.#moreAt = KEY + keyWords;
    this.#timeAt = (KEY + keyWords + 1) / 2;
    this.#statusAt = KEY + keyWords + 5;
    this.#words = new Uint32Array(CAPACITY_MIN * this.#recordWords);
    this.#doubles = new Float64Array(this.#words.buffer);
  }

  /** Entries in use. */
  get count(): number {
    return this.#pool.count;
  }

  /** Before these rows are looked up: hash them, and have what the index will need on its way. */
  approach(rows: KeyedRows): void {
    rows.hash();
    this.#index.approach(rows.hashes, rows.count);
  }

  /** The same for the records of those that are there, which then will be read. */
  approachRecords(rows: KeyedRows): void {
    let touched = 0;
    for (let row = 0; row < rows.count; row++) {
      const entry = this.#index.find(rows.hashes, row * 2);
      if (entry !== NONE) touched ^= this.#words[this.#at(entry)];
    }
    this.#touched[0] = touched;
  }

  /** Newest entry of a row's key, or -1. The rows are hashed, here and below. */
  find(rows: KeyedRows, row: number): number {
    return this.#index.find(rows.hashes, row * 2);
  }

  /** Newest entry of `key`, or -1. */
  findKey(): number {
    hashKey(this.key, 0, this.keyWords, this.#keyHash, 0);
    return this.#index.find(this.#keyHash, 0);
  }

  /** A new entry for a row's key, ahead of its older ones; the caller fills it. */
  add(rows: KeyedRows, row: number): number {
    if (this.#pool.isFull) this.#grow();
    const entry = this.#pool.take();
    const { hashes } = rows;
    const words = this.#words;
    const at = this.#at(entry);
    words[at] = hashes[row * 2];
    words[at + this.#moreAt] = hashes[row * 2 + 1];
    copyKey(rows.keys, row * this.keyWords, words, at + KEY, this.keyWords);
    this.#index.add(hashes, row * 2, entry);
    return entry;
  }

  /** What the row says of the entry, which was seen last then; `audit` is the last one that began. */
  fill(entry: number, rows: KeyedRows, row: number, flags: number, audit: number): void {
    const at = this.#at(entry);
    const words = this.#words;
    words[at + STATE] =
      flags | (rows.timeSource[row] << SOURCE_SHIFT) | ((audit & AUDIT_MASK) << AUDIT_SHIFT);
    words[at + this.#statusAt] = rows.status[row];
    words[at + this.#statusAt + 1] = rows.mark[row];
    const time = at / 2 + this.#timeAt;
    const timeUs = rows.timeUs[row];
    this.#doubles[time] = timeUs;
    this.#doubles[time + 1] = timeUs;
  }

  /** The audit showed the entry, with these flags, status and mark. */
  show(entry: number, rows: KeyedRows, row: number, flags: number, audit: number): void {
    const at = this.#at(entry);
    const words = this.#words;
    this.setOfAudit(entry, audit);
    words[at + STATE] |= flags;
    words[at + this.#statusAt] = rows.status[row];
    words[at + this.#statusAt + 1] = rows.mark[row];
  }

  /**
   * The newest entry of a row's key is open no more, if there is one. Its marks stay until it is used again.
   */
  end(rows: KeyedRows, row: number): void {
    const entry = this.#index.take(rows.hashes, row * 2);
    if (entry !== NONE) this.#pool.free(entry);
  }

  remove(entry: number): void {
    const at = this.#at(entry);
    const words = this.#words;
    this.#index.remove(words[at] | 0, words[at + this.#moreAt] | 0, entry);
    words[at + STATE] = 0;
    this.#pool.free(entry);
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
    const at = this.#at(entry) + STATE;
    const state = this.#words[at] & ~((SOURCE_MASK << SOURCE_SHIFT) | flagsOff);
    this.#words[at] = state | (timeSource << SOURCE_SHIFT);
    this.#doubles[this.#at(entry) / 2 + this.#timeAt] = timeUs;
  }

  status(entry: number): number {
    return this.#words[this.#at(entry) + this.#statusAt];
  }

  mark(entry: number): number {
    return this.#words[this.#at(entry) + this.#statusAt + 1];
  }

  /** The audit of this number showed it, or began last when its start came. */
  isOfAudit(entry: number, audit: number): boolean {
    return this.#state(entry) >>> AUDIT_SHIFT === (audit & AUDIT_MASK);
  }

  setOfAudit(entry: number, audit: number): void {
    const at = this.#at(entry) + STATE;
    this.#words[at] =
      (this.#words[at] & ~(AUDIT_MASK << AUDIT_SHIFT)) | ((audit & AUDIT_MASK) << AUDIT_SHIFT);
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

  /** Every entry; `visit` may remove the one it is given. */
  forEach(visit: (entry: number) => void): void {
    this.#pool.forEach(visit);
  }

  /**
   * All entries by start time, those of the same microsecond in no order; of a million over more than two
   * hours, of the same few. Time and entry in one double: a typed array without a comparator sorts natively,
   * in a third of the time.
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
    const scale = 2 ** (32 - Math.clz32(this.#pool.top));
    const stepUs = Math.max(1, Math.ceil(((maxUs - minUs) * scale) / Number.MAX_SAFE_INTEGER));
    for (let i = 0; i < count; i++)
      packed[i] += Math.floor((this.timeUs(packed[i]) - minUs) / stepUs) * scale;
    packed.sort();
    const entries = new Uint32Array(count);
    for (let i = 0; i < count; i++) entries[i] = packed[i] % scale;
    return entries;
  }

  /**
   * Visit these entries, whose records stand in another order: those of many are asked for at once, as in
   * `approach`.
   */
  visit(entries: Uint32Array, visit: (entry: number) => void): void {
    const words = this.#words;
    let touched = 0;
    for (let from = 0; from < entries.length; from += ENTRIES_ASKED) {
      const to = Math.min(entries.length, from + ENTRIES_ASKED);
      for (let i = from; i < to; i++) {
        const at = entries[i] * this.#recordWords;
        touched ^= words[at] ^ words[at + this.#statusAt];
      }
      for (let i = from; i < to; i++) visit(entries[i]);
    }
    this.#touched[0] = touched;
  }

  #at(entry: number): number {
    return entry * this.#recordWords;
  }

  #state(entry: number): number {
    return this.#words[entry * this.#recordWords + STATE];
  }

  #setBit(entry: number, bit: number, isSet: boolean): void {
    const at = this.#at(entry) + STATE;
    this.#words[at] = isSet ? this.#words[at] | bit : this.#words[at] & ~bit;
  }

  #grow(): void {
    this.#pool.grow();
    this.#index.grow();
    const words = new Uint32Array(this.#pool.capacity * this.#recordWords);
    words.set(this.#words);
    this.#words = words;
    this.#doubles = new Float64Array(words.buffer);
  }
}

/** Seven words make an IPv4 key; written out, they cost half of what a loop over them does. */
function copyKey(from: Uint32Array, i: number, to: Uint32Array, j: number, keyWords: number): void {
  to[j] = from[i];
  to[j + 1] = from[i + 1];
  to[j + 2] = from[i + 2];
  to[j + 3] = from[i + 3];
  to[j + 4] = from[i + 4];
  to[j + 5] = from[i + 5];
  to[j + 6] = from[i + 6];
  for (let word = KEY4_WORDS; word < keyWords; word++) to[j + word] = from[i + word];
}
