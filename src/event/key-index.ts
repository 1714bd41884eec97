/**
 * Hash table with linear probing: from the 64-bit seeded hash of a key to the entries of that hash, the
 * newest first. Runs for every event that is paired, and for every event that the table worker reads back.
 * The key itself stands in the entry's record: whoever reads that compares it, and whoever does not (`take`)
 * reads one slot here and nothing else. Of a million open connections one in 10^13 such events would be taken
 * for another's.
 *
 *   slots of three words: the hash's two, entry + 1 (0 = free); a search goes on to the next slot until it
 *   finds a free one
 */
const NONE = -1;
const SLOT_WORDS = 3;
const ENTRY = 2;
/** Slots per entry, at least: at most half of them are taken, so that searches are short. */
const SLOTS_PER_ENTRY = 2;

export class KeyIndex {
  #slots: Int32Array;
  #mask: number;
  /** What `prefetch` read, kept so that the compiler does not drop the reads. */
  readonly #touched = new Int32Array(1);

  /** For so many entries, a power of two. */
  constructor(entries: number) {
    this.#slots = new Int32Array(entries * SLOTS_PER_ENTRY * SLOT_WORDS);
    this.#mask = entries * SLOTS_PER_ENTRY - 1;
  }

  /**
   * Prefetch the slots of these hashes (two words each): the cache misses of many searches overlap, instead
   * of each waiting for the one before.
   */
  prefetch(hashes: Int32Array, count: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let touched = 0;
    for (let i = 0; i < count; i++) touched ^= slots[(hashes[i * 2] & mask) * SLOT_WORDS];
    this.#touched[0] = touched;
  }

  /** Place of the slot of the newest entry of this hash, or -1. */
  first(hash: number, more: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const slot = i * SLOT_WORDS;
      if (slots[slot + ENTRY] === 0) return NONE;
      if (slots[slot] === hash && slots[slot + 1] === more) return slot;
    }
  }

  /** Place of the slot of the next older entry of the same hash as the one at `place`, or -1. */
  next(place: number): number {
    const slots = this.#slots;
    const hash = slots[place];
    const more = slots[place + 1];
    for (let slot = this.#after(place); ; slot = this.#after(slot)) {
      if (slots[slot + ENTRY] === 0) return NONE;
      if (slots[slot] === hash && slots[slot + 1] === more) return slot;
    }
  }

  /** The entry of a place that `first` or `next` found. */
  entryAt(place: number): number {
    return this.#slots[place + ENTRY] - 1;
  }

  /** Remove the newest entry of the hash at `at`; answers the entry, or -1. */
  take(hashes: Int32Array, at: number): number {
    const slot = this.first(hashes[at], hashes[at + 1]);
    if (slot === NONE) return NONE;
    const entry = this.#slots[slot + ENTRY] - 1;
    this.#free(slot);
    return entry;
  }

  /** Put an entry ahead of all others of its hash: each of them moves on to the place of the next. */
  add(hashes: Int32Array, at: number, entry: number): void {
    this.#put(hashes[at], hashes[at + 1], entry + 1);
  }

  /** Remove an entry that is in the index. */
  remove(hash: number, more: number, entry: number): void {
    let slot = this.first(hash, more);
    while (this.#slots[slot + ENTRY] !== entry + 1) slot = this.#after(slot);
    this.#free(slot);
  }

  /** How many slots a search for the hash at `at` reads when it must see all of them. */
  probeCount(hashes: Int32Array, at: number): number {
    let count = 1;
    for (let i = hashes[at] & this.#mask; this.#slots[i * SLOT_WORDS + ENTRY] !== 0; count++)
      i = (i + 1) & this.#mask;
    return count;
  }

  /**
   * Room for twice as many. Entries of one hash keep their order, which is that of age: the last are moved
   * first.
   */
  grow(): void {
    const old = this.#slots;
    const oldMask = this.#mask;
    this.#slots = new Int32Array(old.length * 2);
    this.#mask = oldMask * 2 + 1;
    // A run of taken slots may go on over the end of the table: begin behind a free one.
    let begin = 0;
    while (old[begin * SLOT_WORDS + ENTRY] !== 0) begin++;
    for (let i = oldMask; i >= 0; i--) {
      const slot = ((begin + i) & oldMask) * SLOT_WORDS;
      if (old[slot + ENTRY] !== 0) this.#put(old[slot], old[slot + 1], old[slot + ENTRY]);
    }
  }

  #put(hash: number, more: number, used: number): void {
    const slots = this.#slots;
    let slot = (hash & this.#mask) * SLOT_WORDS;
    for (;;) {
      const there = slots[slot + ENTRY];
      if (there === 0 || (slots[slot] === hash && slots[slot + 1] === more)) {
        slots[slot] = hash;
        slots[slot + 1] = more;
        slots[slot + ENTRY] = used;
        if (there === 0) return;
        used = there;
      }
      slot = this.#after(slot);
    }
  }

  #after(slot: number): number {
    const next = slot + SLOT_WORDS;
    return next === this.#slots.length ? 0 : next;
  }

  /** Free a slot, and move up those behind it that do not stand at the place of their hash. */
  #free(place: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let free = place / SLOT_WORDS;
    for (let i = (free + 1) & mask; slots[i * SLOT_WORDS + ENTRY] !== 0; i = (i + 1) & mask) {
      const wanted = slots[i * SLOT_WORDS] & mask;
      if (((i - wanted) & mask) < ((i - free) & mask)) continue;
      slots[free * SLOT_WORDS] = slots[i * SLOT_WORDS];
      slots[free * SLOT_WORDS + 1] = slots[i * SLOT_WORDS + 1];
      slots[free * SLOT_WORDS + ENTRY] = slots[i * SLOT_WORDS + ENTRY];
      free = i;
    }
    slots[free * SLOT_WORDS + ENTRY] = 0;
  }
}
