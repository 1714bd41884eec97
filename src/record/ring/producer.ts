import { invariant } from '../../base/errors.js';
import { HEAD_WORD, HIGH_WATER_WORD, type RingMemory, RingState, STATE_WORD, TAIL_WORD } from './layout.js';

/**
 * The producer's side of a ring. Fill slots from `index`, then publish once per batch. A full ring accepts
 * nothing.
 */
export class RingProducer {
  /** The next slot to fill. */
  index: number;
  #head: number;
  #highWater = 0;

  /** Goes on where a producer that died left the ring, within its first 2^32 slots. */
  constructor(readonly ring: RingMemory) {
    this.#head = Atomics.load(ring.control, HEAD_WORD) >>> 0;
    this.index = this.#head % ring.slots;
  }

  /** Total of free slots, also those behind the wrap. */
  free(): number {
    return this.ring.slots - this.used();
  }

  /** Published slots that the consumer has not released. */
  used(): number {
    return (this.#head - Atomics.load(this.ring.control, TAIL_WORD)) >>> 0;
  }

  /**
   * Free slots that can be filled in one go from `index`: up to `limit`, never past the end of the memory.
   */
  writable(limit: number): number {
    return Math.min(limit, this.free(), this.ring.slots - this.index);
  }

  /** Hand over the `count` slots from `index`; wakes the consumer once. */
  publish(count: number): void {
    this.index += count;
    if (this.index === this.ring.slots) this.index = 0;
    this.#head = (this.#head + count) >>> 0;
    const used = this.used();
    if (used > this.#highWater) {
      this.#highWater = used;
      Atomics.store(this.ring.control, HIGH_WATER_WORD, used);
    }
    Atomics.store(this.ring.control, HEAD_WORD, this.#head | 0);
    Atomics.notify(this.ring.control, HEAD_WORD);
  }

  /** Blocks until a slot is free, the ring is not open, or the time is over; true when a slot is free. */
  waitWritable(timeoutMs: number): boolean {
    const { control, slots } = this.ring;
    const deadline = performance.now() + timeoutMs;
    // A loop, because the notify of an earlier release may come late and wake a later wait.
    for (;;) {
      const tail = Atomics.load(control, TAIL_WORD);
      if ((this.#head - tail) >>> 0 < slots) return true;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || Atomics.load(control, STATE_WORD) !== RingState.open) return false;
      Atomics.wait(control, TAIL_WORD, tail, leftMs);
    }
  }

  /**
   * Say that nothing follows; what is published can still be read. Wakes the consumer. Does not hide that a
   * side failed.
   */
  close(): void {
    Atomics.compareExchange(this.ring.control, STATE_WORD, RingState.open, RingState.closed);
    Atomics.notify(this.ring.control, HEAD_WORD);
  }

  /** Throws when the consumer is gone: nothing that is published would ever be taken. */
  assertOpen(): void {
    invariant(Atomics.load(this.ring.control, STATE_WORD) === RingState.open, 'ring: the consumer is gone');
  }

  /** The most slots ever in use at once. */
  get highWater(): number {
    return this.#highWater;
  }
}
