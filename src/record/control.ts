/**
 * Control slots: what the main thread tells the parser, in order with the messages and through the same ring. A control slot is
 * known by its descriptor flags, which the kernel writes for every message it receives and never with the top bit set.
 */
import type { RingProducer } from '../ring/producer.js';

export const CONTROL_FLAG = 0x80000000;

export const Control = {
  /** The kernel dropped `a` messages; last drain before at `b`, first drain after at `c` (microseconds since the epoch). */
  gap: 1,
  /** The wall clock stepped by `a` microseconds against the monotonic clock, seen at `b`. */
  clockStep: 2,
  /** Open the first file; its name's time is `a` (microseconds since the epoch). */
  open: 3,
  /** Rotate now (SIGHUP); the new name's time is `a`. */
  rotate: 4,
  /** Make everything received so far durable now (SIGUSR1). */
  flush: 5,
  /** Nothing follows: flush, close, end. */
  stop: 6,
} as const;
export type Control = (typeof Control)[keyof typeof Control];

/** Bytes of the three f64 arguments at the start of the slot, little-endian as the CPU has them. */
export const CONTROL_BYTES = 24;

/** Put one control slot. False when the ring is full: the caller keeps it and tries again after the consumer released slots. */
export function putControl(producer: RingProducer, kind: Control, a = 0, b = 0, c = 0): boolean {
  if (producer.writable(1) === 0) return false;
  const { ring, index } = producer;
  new Float64Array(ring.buffer, ring.offsetOf(index), 3).set([a, b, c]);
  ring.timesUs[index] = Date.now() * 1000;
  ring.describe(index, CONTROL_BYTES, (CONTROL_FLAG | kind) >>> 0);
  producer.publish(1);
  return true;
}
