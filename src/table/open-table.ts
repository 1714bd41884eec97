/**
 * The connections that are open, of one family, by key. Table worker's thread, for every event that is read back and every entry of a
 * dump: what that costs is the cache lines it misses. So all of an entry stands together in one record, the index in front tells by
 * itself whom a hash leads to, and `approach` asks for the lines of many rows at once, so that memory answers them side by side
 * instead of one after another.
 *
 *   index    slots of two words: hash, entry + 1 (0 = free); a taken slot sends on to the next. Of the same key the newest comes first
 *   records  hash   state (bits below)   key ...   one word to spare   timeUs   lastSeenUs (doubles)   status   mark
 */
import { KEY4_WORDS } from '../conntrack/key.js';
import { hashKey, type KeyedRows } from './keyed-rows.js';

const NONE = -1;
const CAPACITY_MIN = 4096;
/** Records that `visit` asks for ahead: they must stay in the cache until they are visited. */
const ENTRIES_ASKED = 128;
/** Slots per entry, at least. */
const SLOTS_PER_ENTRY = 2;
const STATE = 1;
const KEY = 2;
/** Words of a record beside its key; with it an even number, for the doubles. 16 words in all for IPv4: a cache line. */
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
  /** Of timeUs in a record's doubles, and of status in its words; lastSeenUs and mark follow them. */
  readonly #timeAt: number;
  readonly #statusAt: number;
  #capacity = CAPACITY_MIN;
  #words: Uint32Array;
  #doubles: Float64Array;
  #slots: Uint32Array;
  /** Entries ever used; beyond them the pool is untouched. */
  #top = 0;
  /** Entries that were freed: a stack. */
  #free = new Int32Array(CAPACITY_MIN);
  #freeCount = 0;
  /** What `approach` read, kept so that it is read. */
  readonly #touched = new Uint32Array(1);

  constructor(readonly keyWords: number) {
    this.key = new Uint32Array(keyWords);
    this.#recordWords = keyWords + OTHER_WORDS;
    this.#timeAt = (KEY + keyWords + 1) / 2;
    this.#statusAt = KEY + keyWords + 5;
    this.#words = new Uint32Array(CAPACITY_MIN * this.#recordWords);
    this.#doubles = new Float64Array(this.#words.buffer);
    this.#slots = new Uint32Array(CAPACITY_MIN * SLOTS_PER_ENTRY * 2);
  }

  /** Before these rows are looked up: hash them, and have what they will need on its way. */
  approach(rows: KeyedRows): void {
    rows.hash();
    const slots = this.#slots;
    const words = this.#words;
    const recordWords = this.#recordWords;
    const mask = slots.length / 2 - 1;
    const { hashes, count } = rows;
    let touched = 0;
    for (let row = 0; row < count; row++) touched ^= slots[(hashes[row] & mask) * 2];
    for (let row = 0; row < count; row++) {
      const slot = (hashes[row] & mask) * 2;
      if (slots[slot] === hashes[row] && slots[slot + 1] !== 0)
        touched ^= words[(slots[slot + 1] - 1) * recordWords];
    }
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
    const words = this.#words;
    const at = entry * this.#recordWords;
    words[at] = hash;
    const { keys } = rows;
    const from = row * this.keyWords;
    copyKey(keys, from, words, at + KEY, this.keyWords);
    this.#index(hash, entry + 1);
    this.count++;
    return entry;
  }

  /** What the row says of the entry, but for its times; `audit` is the last one that began. */
  fill(entry: number, rows: KeyedRows, row: number, flags: number, audit: number): void {
    const at = this.#at(entry);
    const words = this.#words;
    words[at + STATE] =
      flags | (rows.timeSource[row] << SOURCE_SHIFT) | IN_USE | ((audit & AUDIT_MASK) << AUDIT_SHIFT);
    words[at + this.#statusAt] = rows.status[row];
    words[at + this.#statusAt + 1] = rows.mark[row];
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

  remove(entry: number): void {
    const at = this.#at(entry);
    this.#unindex(this.#words[at], entry + 1);
    this.#words[at + STATE] = 0;
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
    const at = this.#at(entry) + STATE;
    const state = this.#words[at] & ~((SOURCE_MASK << SOURCE_SHIFT) | flagsOff);
    this.#words[at] = state | (timeSource << SOURCE_SHIFT);
    this.setTimeUs(entry, timeUs);
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

  /** Visit these entries, whose records stand in another order: those of many are asked for at once, as in `approach`. */
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

  #match(keys: Uint32Array, from: number, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const used = slots[slot * 2 + 1];
      if (used === 0) return NONE;
      if (slots[slot * 2] !== hash) continue;
      if (areEqual(this.#words, (used - 1) * this.#recordWords + KEY, keys, from, this.keyWords))
        return used - 1;
    }
  }

  /** Put an entry, `used` - 1, ahead of all others of its hash: each of them moves on to the place of the next. */
  #index(hash: number, used: number): void {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const there = slots[slot * 2 + 1];
      if (there !== 0 && slots[slot * 2] !== hash) continue;
      slots[slot * 2] = hash;
      slots[slot * 2 + 1] = used;
      if (there === 0) return;
      used = there;
    }
  }

  /** Free a slot, and let those behind it move up that are not where their hash sent them. */
  #unindex(hash: number, used: number): void {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    let free = hash & mask;
    while (slots[free * 2 + 1] !== used) free = (free + 1) & mask;
    for (let slot = (free + 1) & mask; slots[slot * 2 + 1] !== 0; slot = (slot + 1) & mask) {
      const wanted = slots[slot * 2] & mask;
      if (((slot - wanted) & mask) < ((slot - free) & mask)) continue;
      slots[free * 2] = slots[slot * 2];
      slots[free * 2 + 1] = slots[slot * 2 + 1];
      free = slot;
    }
    slots[free * 2 + 1] = 0;
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
    this.#spreadSlots();
  }

  /** Twice as many slots. Those of one hash keep their order, which is that of age: the last are moved first. */
  #spreadSlots(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    // What was sent on over the end stands at the beginning, and is older than what it was sent on by.
    let begin = 0;
    while (old[begin * 2 + 1] !== 0) begin++;
    const mask = old.length / 2 - 1;
    for (let i = mask; i >= 0; i--) {
      const slot = (begin + i) & mask;
      if (old[slot * 2 + 1] !== 0) this.#index(old[slot * 2], old[slot * 2 + 1]);
    }
  }
}

// Seven words make an IPv4 key; written out, they cost half of what a loop over them does.

function areEqual(a: Uint32Array, i: number, b: Uint32Array, j: number, keyWords: number): boolean {
  if (
    a[i] !== b[j] ||
    a[i + 1] !== b[j + 1] ||
    a[i + 2] !== b[j + 2] ||
    a[i + 3] !== b[j + 3] ||
    a[i + 4] !== b[j + 4] ||
    a[i + 5] !== b[j + 5] ||
    a[i + 6] !== b[j + 6]
  )
    return false;
  for (let word = KEY4_WORDS; word < keyWords; word++) if (a[i + word] !== b[j + word]) return false;
  return true;
}

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
