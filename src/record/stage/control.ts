/**
 * Control slots: what the main thread tells the parser, in order with the messages and through the same ring.
 * A control slot is known by its descriptor flags, which the kernel writes for every message it receives and
 * never with the top bit set.
 */
import type { RingProducer } from '../ring/producer.js';

export const CONTROL_FLAG = 0x80000000;

/** Times in arguments are microseconds since the epoch. */
export const Control = {
  /** Messages are missing: LossArguments. */
  gap: 1,
  /**
   * The wall clock stepped by the first argument, microseconds against the monotonic clock, seen at the
   * second.
   */
  clockStep: 2,
  /** Open the first file; its name's time. */
  open: 3,
  /** Rotate now (SIGHUP); the new name's time. */
  rotate: 4,
  /** Make everything received so far durable now, and say so with this number. */
  flush: 5,
  /** Nothing follows: flush, close, end. */
  stop: 6,
  /**
   * `--reliable` was switched: on (1) or off (0), entries in the conntrack table, what it may hold (0 = no
   * limit), when.
   */
  reliable: 7,
  /**
   * The kernel may send events again from now on (1) or not any more (0); entries that the table may hold (0
   * = no limit).
   */
  repeats: 8,
} as const;
export type Control = (typeof Control)[keyof typeof Control];

/** Arguments of `Control.gap`, in this order. */
export const LossArguments = {
  lost: 0,
  /** Drain before the first drop, and drain after the last; both 0: now, by the time of the messages. */
  fromUs: 1,
  toUs: 2,
  /** Index in LOSS_CAUSES (src/event/gap.ts). */
  cause: 3,
  /** Index in CERTAINTIES. */
  certainty: 4,
  queueHighWaterBytes: 5,
  ringHighWaterSlots: 6,
} as const;

/** A slot holds this many f64 arguments, little-endian as the CPU has them; those not given are 0. */
export const CONTROL_ARGUMENTS = 8;
const CONTROL_BYTES = CONTROL_ARGUMENTS * 8;

/**
 * Put one control slot. False when the ring is full: the caller keeps it and tries again after the consumer
 * released slots.
 */
export function putControl(producer: RingProducer, kind: Control, ...args: readonly number[]): boolean {
  if (producer.writable(1) === 0) return false;
  const { ring, index } = producer;
  const slot = new Float64Array(ring.buffer, ring.offsetOf(index), CONTROL_ARGUMENTS);
  slot.fill(0);
  slot.set(args);
  ring.timesUs[index] = Date.now() * 1000;
  ring.describe(index, CONTROL_BYTES, (CONTROL_FLAG | kind) >>> 0);
  producer.publish(1);
  return true;
}
