import { HEAD_WORD, type RingMemory, RingState, STATE_WORD, TAIL_WORD } from './layout.js';

/**
 * The consumer's side of a ring. What it reads is valid until `release`; after that the producer writes over
 * it.
 */
export class RingConsumer {
  /** The oldest slot that is not released. */
  index = 0;
  #tail = 0;

  constructor(readonly ring: RingMemory) {}

  /** Published slots that can be read in one go from `index`, never past the end of the memory. */
  readable(): number {
    return Math.min(this.available(), this.ring.slots - this.index);
  }

  /** Total of published slots, also those behind the wrap. */
  available(): number {
    return (Atomics.load(this.ring.control, HEAD_WORD) - this.#tail) >>> 0;
  }

  /** Give the `count` slots from `index` back; wakes a producer that waits for room. */
  release(count: number): void {
    this.index += count;
    if (this.index === this.ring.slots) this.index = 0;
    this.#tail = (this.#tail + count) >>> 0;
    Atomics.store(this.ring.control, TAIL_WORD, this.#tail | 0);
    Atomics.notify(this.ring.control, TAIL_WORD);
  }

  /**
   * Blocks until something is published, the ring is not open, or the time is over; answers `readable()`.
   * `interrupted` is asked whenever somebody notifies the head word, so that a wait can end for another
   * reason.
   */
  waitReadable(timeoutMs: number, interrupted?: () => boolean): number {
    const { control } = this.ring;
    const deadline = performance.now() + timeoutMs;
    // A loop, because the notify of an earlier publication may come late and wake a later wait.
    for (;;) {
      const readable = this.readable();
      if (readable > 0) return readable;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || Atomics.load(control, STATE_WORD) !== RingState.open || interrupted?.()) return 0;
      Atomics.wait(control, HEAD_WORD, this.#tail | 0, leftMs);
    }
  }

  /** Say that this side is gone, so that a waiting producer gives up. */
  fail(): void {
    Atomics.store(this.ring.control, STATE_WORD, RingState.failed);
    Atomics.notify(this.ring.control, TAIL_WORD);
  }
}
