/**
 * From what was seen on a gateway to the flags that fit it, each with its reason: the rule of docs/tuning.md.
 */

import { type KernelFinding, kernelFindings } from '../../record/conntrack/sysctls.js';
import { defaultRecorderOptions } from '../../record/main/options.js';
import { EVENT_TRUESIZE_BYTES } from '../../record/netlink/event-socket.js';
import { BLOCK_EVENTS } from '../../record/parser/parser.js';
import { BLOCK_SLOTS } from '../../record/stage/blocks.js';
import { BUCKET_MS, type Sample } from './sample.js';

export interface Rates {
  /** Events per second. */
  readonly mean: number;
  /** Of stretches of 100 ms: the one that 99 of 100 do not exceed, and the busiest. */
  readonly p99: number;
  readonly burst: number;
}

export interface Advice {
  readonly rates: Rates;
  /** Buffer that one event takes: measured, or the kernel's usual when too few came together. */
  readonly eventBufferBytes: number;
  readonly rcvbufKiB: number;
  readonly ringSlots: number;
  readonly reasons: readonly string[];
  readonly sysctls: readonly KernelFinding[];
}

/** The recorder may be kept from reading for so long (a busy machine's scheduler) without a loss... */
const READER_STALL_MS = 250;
/** ...and the disk from writing. */
const DISK_STALL_MS = 1000;
/** A gateway under attack sends more than it did while it was watched. */
const HEADROOM = 4;

/** `findings` are the kernel's settings that cost something (src/record/conntrack/sysctls.ts). */
export function adviseOn(sample: Sample, findings: readonly KernelFinding[] = kernelFindings()): Advice {
  const rates = ratesOf(sample);
  const eventBufferBytes = sample.eventBufferBytes || EVENT_TRUESIZE_BYTES;
  const expected = rates.burst * HEADROOM;
  const heldByBuffer = (expected * READER_STALL_MS) / 1000;
  // The kernel doubles what it is asked for.
  const rcvbufKiB = atLeast(defaultRecorderOptions.rcvbufKiB, (heldByBuffer * eventBufferBytes) / 2 / 1024);
  const arriving = (expected * DISK_STALL_MS) / 1000;
  const ringSlots = atLeast(defaultRecorderOptions.ringSlots, arriving - BLOCK_SLOTS * BLOCK_EVENTS);
  const capacity = Math.floor((2 * rcvbufKiB * 1024) / eventBufferBytes);
  const reasons = [
    `busiest ${BUCKET_MS} ms: ${count(rates.burst)} events/s; planned for ${HEADROOM} times that, ${count(expected)} events/s`,
    `-b ${rcvbufKiB}: holds ${count(capacity)} events of ${count(eventBufferBytes)} bytes; covers ${READER_STALL_MS} ms without a reader, in which ${count(heldByBuffer)} events arrive`,
    `-B ${ringSlots}: with ${BLOCK_SLOTS} blocks of ${count(BLOCK_EVENTS)} events it covers ${count(DISK_STALL_MS)} ms without the disk, in which ${count(arriving)} events arrive`,
  ];
  if (sample.lost > 0)
    reasons.unshift(`${sample.lost} events were lost while watching: watch again with a larger -b`);
  return { rates, eventBufferBytes, rcvbufKiB, ringSlots, reasons, sysctls: findings };
}

function ratesOf({ buckets, starts, ends, others, durationMs }: Sample): Rates {
  const perSecond = 1000 / BUCKET_MS;
  const sorted = buckets.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0) * perSecond;
  // A stretch that was cut short counts as a whole one, here as in the others.
  const watchedMs = Math.max(durationMs, buckets.length * BUCKET_MS);
  const mean = watchedMs === 0 ? 0 : Math.round(((starts + ends + others) * 1000) / watchedMs);
  return { mean, p99: at(0.99), burst: at(1) };
}

/** The smallest power of two that is at least both. */
function atLeast(minimum: number, wanted: number): number {
  let value = minimum;
  while (value < wanted) value *= 2;
  return value;
}

function count(value: number): string {
  return Math.ceil(value).toLocaleString('en-US');
}
