/**
 * The encoder's loops over the rows of a block, a portion at a time. V8 compiles a function once when it has
 * been called often, but a long loop while it runs, again for every loop in it, and gives that code up at the
 * loop's end, whose types it has not seen yet: each block then begins slowly. So loops are short here, and
 * calls many. Parser thread, without allocating.
 */
import type { EventBatch } from '../../event/batch.js';
import type { ByteSink } from './varint.js';

const PORTION_ROWS = 1024;
/** Differences below this are whole numbers of 32 bits, doubled too. */
const SHORT_DIFFERENCE = 0x40000000;

/**
 * Low bytes of the values to `bytes` at `low`, high bytes at `low` + `count`; answers all values or-ed
 * together.
 */
export function writePlanes(values: Uint16Array, count: number, bytes: Uint8Array, low: number): number {
  let any = 0;
  for (let from = 0; from < count; from += PORTION_ROWS)
    any |= splitPortion(values, from, Math.min(count, from + PORTION_ROWS), bytes, low, low + count);
  return any;
}

function splitPortion(
  values: Uint16Array,
  from: number,
  to: number,
  bytes: Uint8Array,
  low: number,
  high: number,
): number {
  let any = 0;
  for (let i = from; i < to; i++) {
    const value = values[i];
    bytes[low + i] = value;
    bytes[high + i] = value >>> 8;
    any |= value;
  }
  return any;
}

/** Each row's entry becomes the entry's rank. */
export function rankRows(rowEntries: Uint16Array, ranks: Uint32Array, count: number): void {
  for (let from = 0; from < count; from += PORTION_ROWS)
    rankPortion(rowEntries, ranks, from, Math.min(count, from + PORTION_ROWS));
}

function rankPortion(rowEntries: Uint16Array, ranks: Uint32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) rowEntries[i] = ranks[rowEntries[i]];
}

/**
 * Rows are looked up by the addresses' places in the batch, and only entries by their ranks: `becomes` is one
 * more, or 0.
 */
export function rankAddresses(
  addresses: Uint32Array,
  becomes: Uint32Array,
  count: number,
  ranks: Uint32Array,
): void {
  for (let i = 0; i < count; i++) addresses[i] = ranks[addresses[i]];
  for (let i = 0; i < count; i++) if (becomes[i] !== 0) becomes[i] = ranks[becomes[i] - 1] + 1;
}

/** Adds how many rows have each entry. */
export function countUses(rowEntries: Uint16Array, count: number, uses: Uint32Array): void {
  for (let from = 0; from < count; from += PORTION_ROWS)
    usesPortion(rowEntries, from, Math.min(count, from + PORTION_ROWS), uses);
}

function usesPortion(rowEntries: Uint16Array, from: number, to: number, uses: Uint32Array): void {
  for (let i = from; i < to; i++) uses[rowEntries[i]]++;
}

export function countNonZero(values: Uint16Array, count: number): number {
  let found = 0;
  for (let from = 0; from < count; from += PORTION_ROWS)
    found += countPortion(values, from, Math.min(count, from + PORTION_ROWS));
  return found;
}

function countPortion(values: Uint16Array, from: number, to: number): number {
  let found = 0;
  for (let i = from; i < to; i++) if (values[i] !== 0) found++;
  return found;
}

export function holdsNonZero(values: Uint16Array | Uint32Array, count: number): boolean {
  let any = 0;
  for (let i = 0; i < count; i++) any |= values[i];
  return any !== 0;
}

/** Each row's time since that of the row before (the first: since `since`). */
export function writeTimes(timeUs: Float64Array, since: number, count: number, sink: ByteSink): void {
  for (let from = 0; from < count; from += PORTION_ROWS)
    timesPortion(
      timeUs,
      from === 0 ? since : timeUs[from - 1],
      from,
      Math.min(count, from + PORTION_ROWS),
      sink,
    );
}

function timesPortion(timeUs: Float64Array, since: number, from: number, to: number, sink: ByteSink): void {
  let previous = since;
  for (let i = from; i < to; i++) {
    const time = timeUs[i];
    writeDifference(time - previous, sink);
    previous = time;
  }
}

/**
 * The values of the entries from place `first` of `order` on, each as its delta to the one before (the
 * first: to 0).
 */
export function writeSorted(
  values: Uint32Array,
  order: Uint32Array,
  first: number,
  count: number,
  sink: ByteSink,
): void {
  for (let from = first; from < count; from += PORTION_ROWS) {
    const previous = from === first ? 0 : values[order[from - 1]];
    sortedPortion(values, order, previous, from, Math.min(count, from + PORTION_ROWS), sink);
  }
}

function sortedPortion(
  values: Uint32Array,
  order: Uint32Array,
  before: number,
  from: number,
  to: number,
  sink: ByteSink,
): void {
  let previous = before;
  for (let i = from; i < to; i++) {
    const value = values[order[i]];
    writeDifference(value - previous, sink);
    previous = value;
  }
}

/** Each row's time since `startUs`, where that is known. */
export function writeAges(timeUs: Float64Array, startUs: Float64Array, count: number, sink: ByteSink): void {
  for (let from = 0; from < count; from += PORTION_ROWS)
    agesPortion(timeUs, startUs, from, Math.min(count, from + PORTION_ROWS), sink);
}

function agesPortion(
  timeUs: Float64Array,
  startUs: Float64Array,
  from: number,
  to: number,
  sink: ByteSink,
): void {
  for (let i = from; i < to; i++) if (startUs[i] !== 0) writeDifference(timeUs[i] - startUs[i], sink);
}

/** ByteSink.zigzag, in whole numbers where they do. */
function writeDifference(difference: number, sink: ByteSink): void {
  if (difference >= SHORT_DIFFERENCE || difference < -SHORT_DIFFERENCE) {
    sink.zigzag(difference);
    return;
  }
  const { bytes } = sink;
  let at = sink.length;
  let value = (difference << 1) ^ (difference >> 31);
  while (value >= 0x80) {
    bytes[at++] = value | 0x80;
    value >>>= 7;
  }
  bytes[at++] = value;
  sink.length = at;
}

/** Smallest and largest time of the rows, microseconds since the epoch. */
export function timeRange(batch: EventBatch): { minTimeUs: number; maxTimeUs: number } {
  range[SMALLEST] = Number.POSITIVE_INFINITY;
  range[LARGEST] = 0;
  for (let from = 0; from < batch.count; from += PORTION_ROWS)
    rangePortion(batch.timeUs, batch.endUs, from, Math.min(batch.count, from + PORTION_ROWS));
  return { minTimeUs: range[SMALLEST], maxTimeUs: range[LARGEST] };
}

const range = new Float64Array(2);
// Its elements, in microseconds.
const SMALLEST = 0;
const LARGEST = 1;

function rangePortion(timeUs: Float64Array, endUs: Float64Array, from: number, to: number): void {
  let minTimeUs = range[SMALLEST];
  let maxTimeUs = range[LARGEST];
  for (let i = from; i < to; i++) {
    const time = timeUs[i];
    if (time < minTimeUs) minTimeUs = time;
    if (time > maxTimeUs) maxTimeUs = time;
    if (endUs[i] > maxTimeUs) maxTimeUs = endUs[i];
  }
  range[SMALLEST] = minTimeUs;
  range[LARGEST] = maxTimeUs;
}
