/**
 * Columns of decoded events: what the decoder fills, the log encodes and decodes, and every query reads. One
 * shape from the kernel to the listing. Row i is element i of every column. Nothing here is allocated per
 * event.
 */
import { AddressTable4, AddressTable6 } from './addresses.js';
import { type ColumnArrays, columnEntries, type OptionalColumnName } from './columns.js';

/** What a row is. 0 to 3 are the ancestor's numbers and letters R, S, U, E; listings print 4 as O. */
export const RecordKind = { reset: 0, start: 1, update: 2, end: 3, snapshot: 4, connection: 5 } as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** Bits of `flags`. */
export const RecordFlag = {
  /** A reply was seen (IPS_SEEN_REPLY); printed as + after the letter. */
  replied: 1,
  /** The message was cut or partly malformed: fields that could not be read are zero. */
  partial: 2,
  /** The start was not seen: `startUs` is unknown, or only "before" what is given. */
  startUnseen: 4,
  /** The end was not seen: `endUs` is 0 (still open), or "before" what is given. */
  endUnseen: 8,
  /** A gap lies between start and end: the pair may be false. */
  spansGap: 16,
  /**
   * No event said so: found by comparing the kernel's table with the log. `timeUs` is when the table was
   * looked at, the latest possible time, and `endUs` the earliest; of a start whose time the kernel knew
   * `startUs` is that.
   */
  derived: 32,
} as const;

/** Where a row's time comes from. */
export const TimeSource = {
  /** CTA_TIMESTAMP_EVENT (attribute 27) */
  event: 0,
  /** CTA_TIMESTAMP start or stop (attribute 20) */
  entry: 1,
  /** The drain that received it. */
  receive: 2,
  /** The capture file it was replayed from. */
  capture: 3,
  /** Not known how (the ancestor's files). */
  unknown: 4,
} as const;

/** Direction of a zone: in both tuples, or only inside the original or the reply tuple. */
export const ZoneDirection = { both: 0, orig: 1, reply: 2 } as const;

/** The last state of TCP that a log tells apart: it has four bits, and 0 means absent. */
export const TCP_STATE_MAX = 14;

export const AF_INET = 2;
export const AF_INET6 = 10;

/** The most events in one block: larger blocks compress better, smaller ones reach the disk sooner. */
export const BATCH_CAPACITY = 65536;

/** Bits of `present`: which optional columns hold anything but zeros. */
export const Column = presenceBits();

/** An optional column of one batch, as `clear` and `discardLast` need it. */
interface OptionalColumn {
  readonly values: ColumnArrays[OptionalColumnName];
  readonly elements: number;
  readonly bit: number;
}

/** Allocates the columns. Always in the order of the table, so that V8 sees all batches as one shape. */
class ColumnStore {
  constructor(capacity: number) {
    const arrays = this as Record<string, unknown>;
    for (const [name, { array: TypedArray, elements = 1 }] of columnEntries)
      arrays[name] = new TypedArray(capacity * elements);
  }
}

export class EventBatch extends (ColumnStore as new (capacity: number) => ColumnArrays) {
  /** Rows in use. */
  count = 0;
  /** Column bits; a column whose bit is clear is all zeros. */
  present = 0;

  readonly addresses4 = new AddressTable4();
  readonly addresses6 = new AddressTable6();
  /** Helper names of this batch; element 0 is the empty name. */
  readonly helpers: string[] = [''];
  readonly #optional: readonly OptionalColumn[];

  constructor(readonly capacity = BATCH_CAPACITY) {
    super(capacity);
    this.#optional = columnEntries
      .filter(([, { optional }]) => optional)
      .map(([key, { elements = 1 }]) => {
        const name = key as OptionalColumnName;
        return { values: this[name], elements, bit: Column[name] };
      });
  }

  /**
   * Empty the batch. The columns every row writes keep their old values; the optional ones are zeroed as far
   * as they were used.
   */
  clear(): void {
    for (const { values, elements, bit } of this.#optional)
      if (this.present & bit) values.fill(0, 0, this.count * elements);
    this.helpers.length = 1;
    this.addresses4.clear();
    this.addresses6.clear();
    this.count = 0;
    this.present = 0;
  }

  /** Take the last row back. Its addresses stay in the tables, unused. */
  discardLast(): void {
    const row = --this.count;
    const { present } = this;
    const optional = this.#optional;
    // Runs for every event that is decoded and not recorded; `fill` would take 30 ns for each column.
    for (let i = 0; i < optional.length; i++) {
      const { values, elements, bit } = optional[i];
      if (!(present & bit)) continue;
      const end = (row + 1) * elements;
      for (let at = row * elements; at < end; at++) values[at] = 0;
    }
  }
}

/** A bit for each optional column, but for those that share another's. */
function presenceBits(): { readonly [Name in OptionalColumnName]: number } {
  const bits: Record<string, number> = {};
  let next = 1;
  for (const [name, { optional, presentWith }] of columnEntries) {
    if (!optional) continue;
    if (presentWith !== undefined) bits[name] = bits[presentWith];
    else {
      bits[name] = next;
      next *= 2;
    }
  }
  return bits as { readonly [Name in OptionalColumnName]: number };
}
