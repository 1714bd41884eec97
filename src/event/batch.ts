/**
 * Columns of decoded events: what the decoder fills, the log encodes and decodes, and every query reads. One
 * shape from the kernel to the listing. Row i is element i of every column. Nothing here is allocated per
 * event.
 */
import { AddressTable4, AddressTable6 } from './addresses.js';

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

/** Events in one block, at the most: larger blocks compress better, smaller ones reach the disk sooner. */
export const BATCH_CAPACITY = 65536;

/** Bits of `present`: which optional columns hold anything but zeros. */
export const Column = {
  status: 1 << 0,
  mark: 1 << 1,
  zone: 1 << 2,
  tcpState: 1 << 3,
  counters: 1 << 4,
  startUs: 1 << 5,
  endUs: 1 << 6,
  id: 1 << 7,
  timeoutSeconds: 1 << 8,
  use: 1 << 9,
  labels: 1 << 10,
  helper: 1 << 11,
} as const;

export class EventBatch {
  /** Rows in use. */
  count = 0;
  /** Column bits; a column whose bit is clear is all zeros. */
  present = 0;

  readonly kind: Uint8Array;
  readonly flags: Uint8Array;
  /**
   * Microseconds since the epoch (below 2^52, until the year 2112). A connection's is its start (its end when
   * the start was not seen).
   */
  readonly timeUs: Float64Array;
  readonly timeSource: Uint8Array;
  /** AF_INET or AF_INET6: which address table the row's indexes mean. */
  readonly family: Uint8Array;
  readonly proto: Uint8Array;
  /** Indexes into `addresses4` or `addresses6`. */
  readonly origSrc: Uint32Array;
  readonly origDst: Uint32Array;
  readonly replySrc: Uint32Array;
  readonly replyDst: Uint32Array;
  /**
   * Ports; for ICMP and ICMPv6 the source port is the id and the destination port is type << 8 | code; for
   * GRE the keys.
   */
  readonly origSrcPort: Uint16Array;
  readonly origDstPort: Uint16Array;
  readonly replySrcPort: Uint16Array;
  readonly replyDstPort: Uint16Array;

  /** enum ip_conntrack_status bits, host order. */
  readonly status: Uint32Array;
  readonly mark: Uint32Array;
  readonly zone: Uint16Array;
  readonly zoneDirection: Uint8Array;
  /** enum tcp_conntrack + 1, so that 0 means absent. */
  readonly tcpState: Uint8Array;
  /**
   * 64-bit counters, little-endian pairs of u32 (low, high), four a row: orig packets, orig bytes, reply
   * packets, reply bytes.
   */
  readonly counters: Uint32Array;
  /** Kernel start time of the entry in microseconds; 0 = none. */
  readonly startUs: Float64Array;
  /** End of a connection in microseconds; 0 = not seen. */
  readonly endUs: Float64Array;
  readonly id: Uint32Array;
  readonly timeoutSeconds: Uint32Array;
  readonly use: Uint32Array;
  /** 128 label bits, 16 bytes a row as the kernel sent them. */
  readonly labels: Uint8Array;
  /** Index into `helpers`; 0 = none. */
  readonly helper: Uint8Array;

  readonly addresses4: AddressTable4;
  readonly addresses6: AddressTable6;
  /** Helper names of this batch; element 0 is the empty name. */
  readonly helpers: string[] = [''];

  constructor(readonly capacity = BATCH_CAPACITY) {
    this.kind = new Uint8Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.timeUs = new Float64Array(capacity);
    this.timeSource = new Uint8Array(capacity);
    this.family = new Uint8Array(capacity);
    this.proto = new Uint8Array(capacity);
    this.origSrc = new Uint32Array(capacity);
    this.origDst = new Uint32Array(capacity);
    this.replySrc = new Uint32Array(capacity);
    this.replyDst = new Uint32Array(capacity);
    this.origSrcPort = new Uint16Array(capacity);
    this.origDstPort = new Uint16Array(capacity);
    this.replySrcPort = new Uint16Array(capacity);
    this.replyDstPort = new Uint16Array(capacity);
    this.status = new Uint32Array(capacity);
    this.mark = new Uint32Array(capacity);
    this.zone = new Uint16Array(capacity);
    this.zoneDirection = new Uint8Array(capacity);
    this.tcpState = new Uint8Array(capacity);
    this.counters = new Uint32Array(capacity * 8);
    this.startUs = new Float64Array(capacity);
    this.endUs = new Float64Array(capacity);
    this.id = new Uint32Array(capacity);
    this.timeoutSeconds = new Uint32Array(capacity);
    this.use = new Uint32Array(capacity);
    this.labels = new Uint8Array(capacity * 16);
    this.helper = new Uint8Array(capacity);
    this.addresses4 = new AddressTable4();
    this.addresses6 = new AddressTable6();
  }

  /**
   * Empty the batch. The columns every row writes keep their old values; the optional ones are zeroed as far
   * as they were used.
   */
  clear(): void {
    const { count, present } = this;
    if (present & Column.status) this.status.fill(0, 0, count);
    if (present & Column.mark) this.mark.fill(0, 0, count);
    if (present & Column.zone) {
      this.zone.fill(0, 0, count);
      this.zoneDirection.fill(0, 0, count);
    }
    if (present & Column.tcpState) this.tcpState.fill(0, 0, count);
    if (present & Column.counters) this.counters.fill(0, 0, count * 8);
    if (present & Column.startUs) this.startUs.fill(0, 0, count);
    if (present & Column.endUs) this.endUs.fill(0, 0, count);
    if (present & Column.id) this.id.fill(0, 0, count);
    if (present & Column.timeoutSeconds) this.timeoutSeconds.fill(0, 0, count);
    if (present & Column.use) this.use.fill(0, 0, count);
    if (present & Column.labels) this.labels.fill(0, 0, count * 16);
    if (present & Column.helper) this.helper.fill(0, 0, count);
    this.helpers.length = 1;
    this.addresses4.clear();
    this.addresses6.clear();
    this.count = 0;
    this.present = 0;
  }

  /** Take the last row back. Its addresses stay in the tables, unused. */
  discardLast(): void {
    const row = --this.count;
    this.status[row] = 0;
    this.mark[row] = 0;
    this.zone[row] = 0;
    this.zoneDirection[row] = 0;
    this.tcpState[row] = 0;
    this.counters.fill(0, row * 8, row * 8 + 8);
    this.startUs[row] = 0;
    this.endUs[row] = 0;
    this.id[row] = 0;
    this.timeoutSeconds[row] = 0;
    this.use[row] = 0;
    this.labels.fill(0, row * 16, row * 16 + 16);
    this.helper[row] = 0;
  }
}
