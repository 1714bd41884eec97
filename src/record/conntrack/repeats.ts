/**
 * Recognises events that the kernel sends again. When a listener in reliable mode (NETLINK_BROADCAST_ERROR)
 * has no room for an event, the kernel repeats it to *every* listener: a DESTROY every 10 ms until that one
 * takes it, a NEW together with each next event of its entry (one TCP connection was seen to start 16 times).
 * Each is to be recorded once.
 *
 * The last event of each recent entry is kept as a fingerprint: 63 bits of conntrack id, zone, protocol and
 * tuples, hashed with a secret seed, because clients choose their tuples. The id does not tell an entry from
 * a later one: it is a hash of the entry's address in memory and its tuple, and both are often used again at
 * once. So:
 *
 *   a DESTROY is a repeat when the last event was a DESTROY, and of the same kernel start time where both
 *   have one;
 *   a NEW is a repeat when the last event was a NEW, unless the DESTROY between the two may have been lost:
 *   messages were lost since, and no reply shows that the entry has lived for a while. A start twice is
 *   better than none.
 *
 * Parser thread, once per event while there is such a listener: no allocation. Memory: two generations of as
 * many entries as the table may hold, 24 to 48 bytes each.
 */
import { type EventBatch, RecordFlag, RecordKind } from '../../event/batch.js';
import { hashKey, KEY6_WORDS, loadKey } from '../../event/key.js';

/** Entries of a generation: as many as can wait for a repeat at once, but no more than 2 x 24 MiB hold. */
const ENTRIES_MIN = 1024;
const ENTRIES_MAX = 2 ** 20;

/** Words of a slot; a free one has HASH 0. */
const SLOT_WORDS = 3;
const HASH = 0;
/** Bit 0: the last event was a DESTROY. The rest: more of the hash. */
const HASH_AND_KIND = 1;
/**
 * Of a DESTROY: low bits of the kernel start time in microseconds, 0 = none. Of a NEW: losses noted before
 * it.
 */
const WITNESS = 2;

const DESTROYED = 1;

// The hash of the row at hand. Module variables, because an object per event is too much.
let hash = 0;
let moreHash = 0;

export class Repeats {
  readonly #entriesMax: number;
  readonly #mask: number;
  readonly #key = new Int32Array(KEY6_WORDS + 1);
  readonly #hashes = new Int32Array(2);
  /** Open addressing, at most half full. */
  #young: Int32Array;
  /** Full; looked into, never added to. */
  #old: Int32Array;
  #youngCount = 0;
  #losses = 0;

  /**
   * `entriesMax`: what the conntrack table may hold; 0 = no limit. The same entry is known for that many
   * others at least.
   */
  constructor(entriesMax: number) {
    this.#entriesMax = Math.min(Math.max(entriesMax || ENTRIES_MAX, ENTRIES_MIN), ENTRIES_MAX);
    const slots = 2 ** Math.ceil(Math.log2(2 * this.#entriesMax));
    this.#mask = slots - 1;
    this.#young = new Int32Array(slots * SLOT_WORDS);
    this.#old = new Int32Array(slots * SLOT_WORDS);
  }

  /** The kernel dropped messages about here. */
  noteLoss(): void {
    this.#losses = (this.#losses + 1) | 0;
  }

  /**
   * Whether the NEW or DESTROY in this row has been seen before. Without an id (a message that was cut)
   * nobody can tell.
   */
  isRepeat(batch: EventBatch, row: number): boolean {
    if (batch.id[row] === 0) return false;
    this.#hashRow(batch, row);
    const destroyed = batch.kind[row] === RecordKind.end ? DESTROYED : 0;
    const witness = destroyed ? batch.startUs[row] | 0 : this.#losses;
    const young = this.#young;
    const at = this.#find(young);
    let known = young;
    let knownAt = at;
    if (young[at + HASH] === 0) {
      known = this.#old;
      knownAt = this.#find(known);
    }
    const isRepeat =
      known[knownAt + HASH] !== 0 &&
      (known[knownAt + HASH_AND_KIND] & DESTROYED) === destroyed &&
      (known[knownAt + WITNESS] === witness ||
        (destroyed
          ? witness === 0 || known[knownAt + WITNESS] === 0
          : (batch.flags[row] & RecordFlag.replied) !== 0));
    if (known !== young) this.#youngCount++;
    young[at + HASH] = hash;
    young[at + HASH_AND_KIND] = moreHash | destroyed;
    young[at + WITNESS] = witness;
    if (this.#youngCount === this.#entriesMax) this.#age();
    return isRepeat;
  }

  #hashRow(batch: EventBatch, row: number): void {
    const key = this.#key;
    const words = loadKey(key, batch, row) + 1;
    key[words - 1] = batch.id[row];
    hashKey(key, 0, words, this.#hashes, 0);
    hash = this.#hashes[0] || 1;
    moreHash = this.#hashes[1] & ~DESTROYED;
  }

  /** The slot of the hash, or the free one where it belongs. */
  #find(table: Int32Array): number {
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * SLOT_WORDS;
      const found = table[at + HASH];
      if (found === 0 || (found === hash && (table[at + HASH_AND_KIND] & ~DESTROYED) === moreHash)) return at;
    }
  }

  #age(): void {
    const forgotten = this.#old;
    this.#old = this.#young;
    this.#young = forgotten.fill(0);
    this.#youngCount = 0;
  }
}
