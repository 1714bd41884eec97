/**
 * EventBatch to payload. Parser thread, once per block; see section-ids.ts for what the sections hold. Per
 * row it does table look-ups and typed array stores only.
 */

import { invariant } from '../../base/errors.js';
import { AF_INET6, BATCH_CAPACITY, Column, type EventBatch } from '../../event/batch.js';
import { writeSection } from './encode-columns.js';
import {
  countNonZero,
  holdsNonZero,
  rankAddresses,
  rankRows,
  writePlanes,
  writeSorted,
  writeTimes,
} from './encode-loops.js';
import { PopularFirst, sortByKey, WordTable } from './encode-tables.js';
import { GroupOrder } from './group-order.js';
import { type Effort, SectionWriter } from './section-codec.js';
import {
  ALL_COLUMNS,
  ClassShift,
  NUMBER_PLANES,
  Section,
  sectionColumns,
  sectionsEnd,
  tradesReplyPorts,
  WORST_BYTES_PER_ROW,
} from './section-ids.js';
import { ByteSink, zigzag } from './varint.js';

/** Each row has at most four addresses. */
const ADDRESSES_MAX = BATCH_CAPACITY * 4 + 2;

/** Up to so many of the rows (a power of two of them) the ports that NAT changed are listed. */
const NAT_PORT_LIST_SHIFT = 3;

/**
 * As in encode-loops.ts: V8 compiles a function that is called often once, but a long loop again and again
 * while it runs.
 */
const TABULATE_ROWS = 256;

class RecordEncoder {
  readonly #classes = new WordTable();
  readonly #clients = new WordTable();
  readonly #services = new WordTable();
  readonly #rowClass = new Uint16Array(BATCH_CAPACITY);
  readonly #rowClient = new Uint16Array(BATCH_CAPACITY);
  readonly #rowService = new Uint16Array(BATCH_CAPACITY);
  readonly #rowNatPort = new Uint16Array(BATCH_CAPACITY);
  readonly #order = new Uint32Array(ADDRESSES_MAX);
  readonly #addressRank = new Uint32Array(ADDRESSES_MAX);
  readonly #clientRank = new Uint32Array(BATCH_CAPACITY);
  readonly #serviceRank = new Uint32Array(BATCH_CAPACITY);
  readonly #scratch = new Uint32Array(ADDRESSES_MAX);
  readonly #popular = new PopularFirst();
  /** Values of a column before they are written. */
  readonly #values = new Uint16Array(BATCH_CAPACITY);
  // For strong effort only.
  readonly #groups = new GroupOrder();
  readonly #numbers = new Float64Array(BATCH_CAPACITY);
  readonly #sections = new SectionWriter();
  readonly #sink = new ByteSink(new Uint8Array(BATCH_CAPACITY * WORST_BYTES_PER_ROW));

  encode(
    batch: EventBatch,
    minTimeUs: number,
    out: Uint8Array,
    offset: number,
    effort: Effort,
    columns: number,
  ): { storedBytes: number; rawBytes: number } {
    invariant(batch.count > 0 && batch.count <= BATCH_CAPACITY, 'encode: row count out of range');
    this.#sink.length = 0;
    this.#classes.reset(batch.count);
    this.#clients.reset(batch.count);
    this.#services.reset(batch.count);
    this.#addAddresses(batch, effort);
    this.#tabulate(batch);
    this.#addClasses(batch, effort);
    this.#addClients(batch.count, effort);
    this.#addServices(batch.count, effort);
    this.#addRows(batch, minTimeUs, effort);
    this.#addOptional(batch, batch.present & columns, effort);
    return this.#sections.write(out, offset);
  }

  /** Sorted, so that differences are short; references are positions in this order, IPv6 behind IPv4. */
  #addAddresses(batch: EventBatch, effort: Effort): void {
    const { addresses4, addresses6 } = batch;
    const count4 = addresses4.count;
    const rank = this.#addressRank;
    sortByKey(addresses4.values, 1, count4, this.#order, rank, this.#scratch);
    let from = this.#sink.length;
    writeSorted(addresses4.values, this.#order, 1, count4, this.#sink);
    this.#add(Section.addresses4, from, effort);
    from = this.#sink.length;
    const { words } = addresses6;
    for (let i = 0; i < addresses6.count; i++) rank[count4 + i] = count4 + i;
    for (let i = 4; i < addresses6.count * 4; i++) {
      const word = words[i];
      this.#sink.u8(word >>> 24);
      this.#sink.u8((word >>> 16) & 0xff);
      this.#sink.u8((word >>> 8) & 0xff);
      this.#sink.u8(word & 0xff);
    }
    this.#add(Section.addresses6, from, effort);
  }

  /**
   * Class, client and service of each row. Apart, since only classes meet columns that were not there before.
   */
  #tabulate(batch: EventBatch): void {
    const { count } = batch;
    for (let from = 0; from < count; from += TABULATE_ROWS) {
      const to = Math.min(count, from + TABULATE_ROWS);
      this.#tabulateClasses(batch, from, to);
      this.#tabulateConnections(batch, from, to);
    }
  }

  #tabulateClasses(batch: EventBatch, from: number, to: number): void {
    const { kind, flags, timeSource, family, proto, status, mark, zone, zoneDirection, tcpState, helper } =
      batch;
    const { counters, startUs, endUs, present } = batch;
    const withCounters = (present & Column.counters) !== 0;
    const withTimes = (present & (Column.startUs | Column.endUs)) !== 0;
    const classes = this.#classes;
    const rowClass = this.#rowClass;
    for (let i = from; i < to; i++) {
      const ipv6 = family[i] === AF_INET6 ? 1 : 0;
      let word =
        kind[i] |
        (flags[i] << ClassShift.flags) |
        (timeSource[i] << ClassShift.timeSource) |
        (ipv6 << ClassShift.ipv6) |
        (proto[i] << ClassShift.proto) |
        (tcpState[i] << ClassShift.tcpState) |
        (zoneDirection[i] << ClassShift.zoneDirection);
      if (withTimes) {
        if (startUs[i] !== 0) word |= 1 << ClassShift.hasStart;
        if (endUs[i] !== 0) word |= 1 << ClassShift.hasEnd;
      }
      if (withCounters) {
        const c = i * 8;
        const any =
          counters[c] |
          counters[c + 1] |
          counters[c + 2] |
          counters[c + 3] |
          counters[c + 4] |
          counters[c + 5] |
          counters[c + 6] |
          counters[c + 7];
        if (any !== 0) word |= 1 << ClassShift.hasCounters;
      }
      rowClass[i] = classes.intern(word, status[i] | 0, mark[i] | 0, zone[i] | (helper[i] << 16));
    }
  }

  #tabulateConnections(batch: EventBatch, from: number, to: number): void {
    const { family, proto } = batch;
    const { origSrc, origDst, replySrc, replyDst, origSrcPort, origDstPort, replySrcPort, replyDstPort } =
      batch;
    const count4 = batch.addresses4.count;
    const clients = this.#clients;
    const services = this.#services;
    const rowClient = this.#rowClient;
    const rowService = this.#rowService;
    const rowNatPort = this.#rowNatPort;
    for (let i = from; i < to; i++) {
      const base = family[i] === AF_INET6 ? count4 : 0;
      const source = base + origSrc[i];
      const destination = base + origDst[i];
      const leavesAs = base + replyDst[i];
      const becomes = base + replySrc[i];
      const trades = tradesReplyPorts(proto[i]);
      const mirroredSource = trades ? replySrcPort[i] : replyDstPort[i];
      const mirroredDestination = trades ? replyDstPort[i] : replySrcPort[i];
      rowClient[i] = clients.intern(source, leavesAs === source ? 0 : leavesAs + 1, 0, 0);
      rowService[i] = services.intern(
        destination,
        origDstPort[i],
        becomes === destination ? 0 : becomes + 1,
        (mirroredDestination - origDstPort[i]) & 0xffff,
      );
      rowNatPort[i] = mirroredSource - origSrcPort[i];
    }
  }

  #addClasses(batch: EventBatch, effort: Effort): void {
    const { a, b, c, d, count } = this.#classes;
    const from = this.#sink.length;
    for (let i = 0; i < count; i++) {
      this.#sink.varint(a[i]);
      this.#sink.varint(b[i]);
      this.#sink.varint(c[i]);
      this.#sink.varint(d[i]);
    }
    this.#add(Section.classes, from, effort);
    if (batch.helpers.length > 1) {
      const names = this.#sink.length;
      for (const helper of batch.helpers.slice(1)) {
        const bytes = Buffer.from(helper, 'latin1').subarray(0, 255);
        this.#sink.u8(bytes.length);
        for (const byte of bytes) this.#sink.u8(byte);
      }
      this.#add(Section.helpers, names, effort);
    }
  }

  #addClients(rows: number, effort: Effort): void {
    const { a, b, count } = this.#clients;
    rankAddresses(a, b, count, this.#addressRank);
    sortByKey(a, 0, count, this.#order, this.#clientRank, this.#scratch);
    this.#popular.moveUp(this.#rowClient, rows, count, this.#order, this.#clientRank, this.#scratch);
    let from = this.#sink.length;
    writeSorted(a, this.#order, 0, count, this.#sink);
    this.#add(Section.clientSource, from, effort);
    from = this.#sink.length;
    for (let i = 0; i < count; i++) this.#sink.varint(b[this.#order[i]]);
    this.#add(Section.clientNat, from, effort);
  }

  #addServices(rows: number, effort: Effort): void {
    const { a, b, c, d, count } = this.#services;
    rankAddresses(a, c, count, this.#addressRank);
    sortByKey(a, 0, count, this.#order, this.#serviceRank, this.#scratch);
    this.#popular.moveUp(this.#rowService, rows, count, this.#order, this.#serviceRank, this.#scratch);
    const order = this.#order;
    let from = this.#sink.length;
    writeSorted(a, order, 0, count, this.#sink);
    this.#add(Section.serviceDestination, from, effort);
    from = this.#sink.length;
    for (let i = 0; i < count; i++) this.#sink.u8(b[order[i]] & 0xff);
    for (let i = 0; i < count; i++) this.#sink.u8(b[order[i]] >>> 8);
    this.#add(Section.servicePort, from, effort);
    if (holdsNonZero(c, count)) {
      from = this.#sink.length;
      for (let i = 0; i < count; i++) this.#sink.varint(c[order[i]]);
      this.#add(Section.serviceNat, from, effort);
    }
    if (holdsNonZero(d, count)) {
      from = this.#sink.length;
      for (let i = 0; i < count; i++) this.#sink.u8(d[order[i]] & 0xff);
      for (let i = 0; i < count; i++) this.#sink.u8(d[order[i]] >>> 8);
      this.#add(Section.serviceNatPort, from, effort);
    }
  }

  #addRows(batch: EventBatch, minTimeUs: number, effort: Effort): void {
    const { count, timeUs } = batch;
    const clients = this.#rowClient;
    const services = this.#rowService;
    rankRows(clients, this.#clientRank, count);
    rankRows(services, this.#serviceRank, count);
    this.#addPlanes(Section.rowClassLow, this.#rowClass, count, effort);
    this.#addPlanes(Section.rowClientLow, clients, count, effort);
    this.#addPlanes(Section.rowServiceLow, services, count, effort);
    if (effort === 'strong') this.#addClientPorts(batch, effort);
    else this.#addPlanes(Section.rowPortLow, batch.origSrcPort, count, effort);
    this.#addNatPorts(count, effort);
    if (effort === 'strong') {
      this.#addLastTimes(batch, minTimeUs, effort);
      return;
    }
    const from = this.#sink.length;
    writeTimes(timeUs, minTimeUs, count, this.#sink);
    this.#add(Section.rowTime, from, effort);
  }

  /**
   * A port that NAT had to change is rare, unless it changes all of them: a list costs 0.1 bytes per event of
   * the trace, columns of zeros 0.33, and twice the time.
   */
  #addNatPorts(count: number, effort: Effort): void {
    const ports = this.#rowNatPort;
    const changed = countNonZero(ports, count);
    if (changed > count >>> NAT_PORT_LIST_SHIFT) {
      this.#addPlanes(Section.rowNatPortLow, ports, count, effort);
      return;
    }
    if (changed === 0) return;
    const from = this.#sink.length;
    let listed = 0;
    let previous = 0;
    for (let i = 0; i < count; i++) {
      if (ports[i] === 0) continue;
      this.#sink.varint(i - previous);
      previous = i;
      this.#values[listed++] = ports[i];
    }
    this.#add(Section.natPortRow, from, effort);
    this.#addPlanes(Section.natPortLow, this.#values, listed, effort);
  }

  /** A client's ports resemble each other, all the more where it counts them up. */
  #addClientPorts({ origSrcPort, count }: EventBatch, effort: Effort): void {
    const order = this.#groups.sort(this.#rowClient, count);
    for (let i = 0; i < count; i++) this.#values[i] = origSrcPort[order[i]];
    this.#addPlanes(Section.clientPortLow, this.#values, count, effort);
  }

  /** Connections stand in the order of their ends, and those of a class last about as long. */
  #addLastTimes({ timeUs, endUs, present, count }: EventBatch, minTimeUs: number, effort: Effort): void {
    const numbers = this.#numbers;
    const withEnds = (present & Column.endUs) !== 0;
    let previous = minTimeUs;
    for (let i = 0; i < count; i++) {
      const last = withEnds && endUs[i] !== 0 ? endUs[i] : timeUs[i];
      numbers[i] = zigzag(last - previous);
      previous = last;
    }
    this.#addNumbers(Section.lastTime, numbers, count, effort);
    if (!withEnds) return;
    const order = this.#groups.sort(this.#rowClass, count);
    let ended = 0;
    for (let i = 0; i < count; i++) {
      const row = order[i];
      if (endUs[row] !== 0) numbers[ended++] = zigzag(endUs[row] - timeUs[row]);
    }
    this.#addNumbers(Section.classDuration, numbers, ended, effort);
  }

  /** Columns that only some files use, each in sections of its own. */
  #addOptional(batch: EventBatch, present: number, effort: Effort): void {
    for (const column of sectionColumns) {
      // Strong effort has written the ends already, with the last times.
      if (!(present & column.bit) || (column.section.form === 'duration' && effort === 'strong')) continue;
      for (let id = column.section.id; id < sectionsEnd(column); id++) {
        const from = this.#sink.length;
        writeSection(batch, column, id, this.#classes.a, this.#rowClass, this.#sink);
        this.#add(id, from, effort);
      }
    }
  }

  /** Low bytes as section `id`, high bytes as the next; high bytes that are all zero are left out. */
  #addPlanes(id: number, values: Uint16Array, count: number, effort: Effort): void {
    const sink = this.#sink;
    const low = sink.length;
    const high = low + count;
    const any = writePlanes(values, count, sink.bytes, low);
    sink.length = high;
    this.#add(id, low, effort);
    if (any < 256) return;
    sink.length += count;
    this.#add(id + 1, high, effort);
  }

  /** A section for each byte of the numbers, the lowest first; planes that are all zero are left out. */
  #addNumbers(id: number, numbers: Float64Array, count: number, effort: Effort): void {
    const { bytes } = this.#sink;
    for (let plane = 0; plane < NUMBER_PLANES; plane++) {
      const from = this.#sink.length;
      const scale = 256 ** plane;
      let any = 0;
      for (let i = 0; i < count; i++) {
        const byte = (numbers[i] / scale) & 0xff;
        bytes[from + i] = byte;
        any |= byte;
      }
      if (any === 0) continue;
      this.#sink.length = from + count;
      this.#add(id + plane, from, effort);
    }
  }

  #add(id: number, from: number, effort: Effort): void {
    this.#sections.add(id, this.#sink.bytes, from, this.#sink.length, effort);
  }
}

let encoder: RecordEncoder | undefined;

/**
 * Write the rows of `batch` as one payload to `out` at `offset` (room for BLOCK_SLOT_BYTES). `minTimeUs` is
 * the smallest time in the batch, as the block header will say it. Of the columns that stand in sections of
 * their own (times, counters, id, ...) only those in `columns` are written.
 */
export function encodeRecords(
  batch: EventBatch,
  minTimeUs: number,
  out: Uint8Array,
  offset: number,
  effort: Effort,
  columns = ALL_COLUMNS,
): { storedBytes: number; rawBytes: number } {
  encoder ??= new RecordEncoder();
  return encoder.encode(batch, minTimeUs, out, offset, effort, columns);
}
