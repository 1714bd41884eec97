/**
 * From the hash of a key to the entries of that key, the newest first. Table worker's thread, for every event
 * that is read back. The 64 bits of a secret hash stand for the key: so an event that ends a connection reads
 * one slot here and nothing of its record, and of a million open connections one in 10^13 events would be
 * taken for another's.
 *
 *   slots of three words: the hash's two, entry + 1 (0 = free); a taken slot sends on to the next
 */
const NONE = -1;
const SLOT_WORDS = 3;
const ENTRY = 2;
/** Slots per entry, at least. */
const SLOTS_PER_ENTRY = 2;

export class KeyIndex {
  #slots: Int32Array;
  #mask: number;
  /** What `approach` read, kept so that it is read. */
  readonly #touched = new Int32Array(1);

  /** For so many entries, a power of two. */
  constructor(entries: number) {
    this.#slots = new Int32Array(entries * SLOTS_PER_ENTRY * SLOT_WORDS);
    this.#mask = entries * SLOTS_PER_ENTRY - 1;
  }

  /**
   * Have the slots of these hashes (two words each) on their way from memory, side by side instead of one
   * after another.
   */
  approach(hashes: Int32Array, count: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let touched = 0;
    for (let i = 0; i < count; i++) touched ^= slots[(hashes[i * 2] & mask) * SLOT_WORDS];
    this.#touched[0] = touched;
  }

  /** The newest entry of the hash at `at`, or -1. */
  find(hashes: Int32Array, at: number): number {
    const slot = this.#slotOf(hashes[at], hashes[at + 1]);
    return slot < 0 ? NONE : this.#slots[slot + ENTRY] - 1;
  }

  /** The same, and it is in the index no more. */
  take(hashes: Int32Array, at: number): number {
    const slot = this.#slotOf(hashes[at], hashes[at + 1]);
    if (slot < 0) return NONE;
    const entry = this.#slots[slot + ENTRY] - 1;
    this.#free(slot);
    return entry;
  }

  /** Put an entry ahead of all others of its hash: each of them moves on to the place of the next. */
  add(hashes: Int32Array, at: number, entry: number): void {
    this.#put(hashes[at], hashes[at + 1], entry + 1);
  }

  /** Take out an entry that is in the index. */
  remove(hash: number, more: number, entry: number): void {
    let slot = this.#slotOf(hash, more);
    while (this.#slots[slot + ENTRY] !== entry + 1) slot = this.#after(slot);
    this.#free(slot);
  }

  /**
   * Room for twice as many. Those of one hash keep their order, which is that of age: the last are moved
   * first.
   */
  grow(): void {
    const old = this.#slots;
    const oldMask = this.#mask;
    this.#slots = new Int32Array(old.length * 2);
    this.#mask = oldMask * 2 + 1;
    // What was sent on over the end stands at the beginning, and is older than what it was sent on by.
    let begin = 0;
    while (old[begin * SLOT_WORDS + ENTRY] !== 0) begin++;
    for (let i = oldMask; i >= 0; i--) {
      const slot = ((begin + i) & oldMask) * SLOT_WORDS;
      if (old[slot + ENTRY] !== 0) this.#put(old[slot], old[slot + 1], old[slot + ENTRY]);
    }
  }

  /** Place of the first slot of the hash, or -1. */
  #slotOf(hash: number, more: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const slot = i * SLOT_WORDS;
      if (slots[slot + ENTRY] === 0) return NONE;
      if (slots[slot] === hash && slots[slot + 1] === more) return slot;
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

  /** Free a slot, and let those behind it move up that are not where their hash sent them. */
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
