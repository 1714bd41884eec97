/**
 * The connections that are open, of one family: a record each, found by the whole key. The pairing and the
 * table worker extend it with columns of their own. What such a store costs is the cache lines that it
 * misses. So all of an entry stands together in one record, a search reads a record only when the 64 bits of
 * its hash are the same, and `prefetch` asks for the lines of many rows at once.
 *
 *   record   hash (two words)   key ...   state   doubles, of which the first is timeUs ...   words ...
 *
 * Clients choose their keys, so the hash is seeded (key.ts). Memory grows with the connections open at once.
 */
import type { EventBatch } from './batch.js';
import { EntryPool } from './entry-pool.js';
import { hashKey, KEY4_WORDS, loadKey } from './key.js';
import { KeyIndex } from './key-index.js';
import type { KeyedRows } from './keyed-rows.js';

const NONE = -1;
const CAPACITY_MIN = 4096;
/** Records that `visit` prefetches: they must stay in the cache until they are visited. */
const PREFETCHED_ENTRIES = 128;
const MORE_HASH = 1;
const KEY = 2;
const TIME = 0;

/** How many columns a record has beside hash, key and state. */
export interface RecordColumns {
  /** Of 64 bits; the first is the start, in microseconds since the epoch. */
  readonly doubles: number;
  /** Of 32 bits, unsigned. */
  readonly words: number;
}

export abstract class OpenStore {
  /** The key that `loadRow`, `loadKeyOf` or `loadKey` loaded last. */
  readonly key: Uint32Array;
  readonly #keyHash = new Int32Array(2);
  /** All records. A view of them is valid until the next entry is added. */
  protected words: Uint32Array;
  protected doubles: Float64Array;
  protected readonly recordWords: number;
  /** Where in a record state and first word column stand, in words, and the first double, in doubles. */
  protected readonly stateAt: number;
  protected readonly wordsAt: number;
  protected readonly doublesAt: number;
  readonly #pool = new EntryPool(CAPACITY_MIN);
  readonly #index = new KeyIndex(CAPACITY_MIN);
  /** What prefetching read, kept so that the compiler does not drop the reads. */
  readonly #touched = new Uint32Array(1);

  /** `keyWords` is odd: with hash and state before them, doubles stand on their boundary. */
  constructor(
    readonly keyWords: number,
    columns: RecordColumns,
  ) {
    this.key = new Uint32Array(keyWords);
    this.stateAt = KEY + keyWords;
    this.doublesAt = (this.stateAt + 1) / 2;
    this.wordsAt = (this.doublesAt + columns.doubles) * 2;
    this.recordWords = this.wordsAt + columns.words + (columns.words & 1);
    this.words = new Uint32Array(CAPACITY_MIN * this.recordWords);
    this.doubles = new Float64Array(this.words.buffer);
  }

  /** Entries in use. */
  get count(): number {
    return this.#pool.count;
  }

  /** Load the key of a row of this family. */
  loadRow(batch: EventBatch, row: number): void {
    loadKey(this.key, batch, row);
    hashKey(this.key, 0, this.keyWords, this.#keyHash, 0);
  }

  /** Load the key that another store of this family has loaded. */
  loadKeyOf(other: OpenStore): void {
    copyKey(other.key, 0, this.key, 0, this.keyWords);
    this.#keyHash[0] = other.#keyHash[0];
    this.#keyHash[1] = other.#keyHash[1];
  }

  /** Load the key of an entry. */
  loadKey(entry: number): void {
    const at = entry * this.recordWords;
    copyKey(this.words, at + KEY, this.key, 0, this.keyWords);
    this.#keyHash[0] = this.words[at];
    this.#keyHash[1] = this.words[at + MORE_HASH];
  }

  /** Newest entry of the loaded key, or -1. */
  newest(): number {
    return this.#find(this.key, 0, this.#keyHash, 0);
  }

  /** The next older entry of the same key as `entry`, or -1. */
  older(entry: number): number {
    const { words } = this;
    const at = entry * this.recordWords;
    let place = this.#index.first(words[at] | 0, words[at + MORE_HASH] | 0);
    while (this.#index.entryAt(place) !== entry) place = this.#index.next(place);
    return this.#match(this.#index.next(place), words, at + KEY);
  }

  /** A new entry for the loaded key, ahead of its older ones; the caller fills it. */
  add(): number {
    return this.#insert(this.key, 0, this.#keyHash, 0);
  }

  /** Before these rows are looked up: hash them, and prefetch their slots of the index. */
  prefetch(rows: KeyedRows): void {
    rows.hash();
    this.#index.prefetch(rows.hashes, rows.count);
  }

  /** The same for the records of those that are there, which then will be read. */
  prefetchRecords(rows: KeyedRows): void {
    const { hashes } = rows;
    let touched = 0;
    for (let at = 0; at < rows.count * 2; at += 2) {
      const place = this.#index.first(hashes[at], hashes[at + 1]);
      if (place !== NONE) touched ^= this.words[this.#index.entryAt(place) * this.recordWords];
    }
    this.#touched[0] = touched;
  }

  /** Newest entry of a row's key, or -1. The rows are hashed, here and below. */
  findRow(rows: KeyedRows, row: number): number {
    return this.#find(rows.keys, row * this.keyWords, rows.hashes, row * 2);
  }

  /** A new entry for a row's key, ahead of its older ones; the caller fills it. */
  addRow(rows: KeyedRows, row: number): number {
    return this.#insert(rows.keys, row * this.keyWords, rows.hashes, row * 2);
  }

  /**
   * Remove the newest entry of a row's key, if there is one: one slot of the index is read, and nothing of
   * the record, whose key is not compared. The record keeps its state until the entry is used again.
   */
  removeRow(rows: KeyedRows, row: number): void {
    const entry = this.#index.take(rows.hashes, row * 2);
    if (entry !== NONE) this.#pool.free(entry);
  }

  remove(entry: number): void {
    const { words } = this;
    const at = entry * this.recordWords;
    this.#index.remove(words[at] | 0, words[at + MORE_HASH] | 0, entry);
    words[at + this.stateAt] = 0;
    this.#pool.free(entry);
  }

  /** Remove all; the memory is kept. */
  clear(): void {
    this.forEach((entry) => {
      this.remove(entry);
    });
  }

  /** Start, as far as it is known; microseconds since the epoch. */
  timeUs(entry: number): number {
    return this.double(entry, TIME);
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

  /** Visit these entries, whose records stand in another order: many of them are prefetched at once. */
  visit(entries: Uint32Array, visit: (entry: number) => void): void {
    const { words, recordWords } = this;
    let touched = 0;
    for (let from = 0; from < entries.length; from += PREFETCHED_ENTRIES) {
      const to = Math.min(entries.length, from + PREFETCHED_ENTRIES);
      for (let i = from; i < to; i++) {
        const at = entries[i] * recordWords;
        touched ^= words[at] ^ words[at + recordWords - 1];
      }
      for (let i = from; i < to; i++) visit(entries[i]);
    }
    this.#touched[0] = touched;
  }

  /** Slots of the index that a search for the loaded key reads. */
  protected probeCount(): number {
    return this.#index.probeCount(this.#keyHash, 0);
  }

  protected state(entry: number): number {
    return this.words[entry * this.recordWords + this.stateAt];
  }

  protected setState(entry: number, state: number): void {
    this.words[entry * this.recordWords + this.stateAt] = state;
  }

  protected word(entry: number, column: number): number {
    return this.words[entry * this.recordWords + this.wordsAt + column];
  }

  protected setWord(entry: number, column: number, value: number): void {
    this.words[entry * this.recordWords + this.wordsAt + column] = value;
  }

  protected double(entry: number, column: number): number {
    return this.doubles[(entry * this.recordWords) / 2 + this.doublesAt + column];
  }

  protected setDouble(entry: number, column: number, value: number): void {
    this.doubles[(entry * this.recordWords) / 2 + this.doublesAt + column] = value;
  }

  #find(keys: Uint32Array, from: number, hashes: Int32Array, at: number): number {
    const place = this.#index.first(hashes[at], hashes[at + 1]);
    return place === NONE ? NONE : this.#match(place, keys, from);
  }

  /** From `place` on, the first entry of its hash that has the key at `from`, or -1. */
  #match(place: number, keys: Uint32Array, from: number): number {
    for (; place !== NONE; place = this.#index.next(place)) {
      const entry = this.#index.entryAt(place);
      const at = entry * this.recordWords + KEY;
      let i = 0;
      while (i < this.keyWords && this.words[at + i] === keys[from + i]) i++;
      if (i === this.keyWords) return entry;
    }
    return NONE;
  }

  #insert(keys: Uint32Array, from: number, hashes: Int32Array, at: number): number {
    if (this.#pool.isFull) this.#grow();
    const entry = this.#pool.take();
    const { words } = this;
    const record = entry * this.recordWords;
    words[record] = hashes[at];
    words[record + MORE_HASH] = hashes[at + 1];
    copyKey(keys, from, words, record + KEY, this.keyWords);
    this.#index.add(hashes, at, entry);
    return entry;
  }

  #grow(): void {
    this.#pool.grow();
    this.#index.grow();
    const words = new Uint32Array(this.#pool.capacity * this.recordWords);
    words.set(this.words);
    this.words = words;
    this.doubles = new Float64Array(words.buffer);
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
