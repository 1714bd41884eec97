/**
 * Payload to EventBatch: the inverse of encode-rows.ts for bytes that nobody vouches for. Every failure is a
 * PayloadDamage.
 */
import { AF_INET, AF_INET6, Column, type EventBatch } from '../../event/batch.js';
import { BlockTables, plane, readAddresses, readNatPorts, readPlanes, tooLarge } from './decode-tables.js';
import { BlockCodec } from './format.js';
import type { ScannedBlock } from './frame.js';
import { GroupOrder } from './group-order.js';
import { SectionReader } from './section-codec.js';
import {
  ALL_COLUMNS,
  CLASS_FIELDS,
  ClassShift,
  classColumns,
  NUMBER_PLANES,
  Section,
  type SectionColumn,
  sectionColumns,
  sectionsEnd,
  tradesReplyPorts,
} from './section-ids.js';
import { type ByteSource, badPayload, unzigzag } from './varint.js';

/** Classes refer to helpers with 8 bits. */
const MAX_HELPERS = 256;

class RecordDecoder {
  readonly #tables = new BlockTables();
  readonly #groups = new GroupOrder();
  #rowClass: Uint16Array = new Uint16Array(0);
  #words = new Uint32Array(0);

  decode(payload: Uint8Array, count: number, minTimeUs: number, batch: EventBatch, columns: number): void {
    if (count > batch.capacity) throw badPayload(`claims ${count} rows, more than a block can hold`);
    batch.clear();
    const sections = new SectionReader(payload);
    readAddresses(sections, batch.addresses4, batch.addresses6);
    this.#tables.read(sections);
    this.#readHelpers(sections, batch);
    this.#readRows(sections, count, batch);
    if (sections.has(Section.rowTime))
      readTimes(sections.source(Section.rowTime), count, minTimeUs, batch.timeUs);
    else this.#readLastTimes(sections, count, minTimeUs, batch);
    batch.count = count;
    this.#readOptional(sections, batch, columns);
  }

  /** Names, and which columns the classes hold. */
  #readHelpers(sections: SectionReader, batch: EventBatch): void {
    const { classes } = this.#tables;
    const names = sections.source(Section.helpers);
    while (names.at < names.end) {
      let name = '';
      for (let length = names.u8(); length > 0; length--) name += String.fromCharCode(names.u8());
      if (batch.helpers.push(name) > MAX_HELPERS) throw tooLarge();
    }
    for (let i = 0; i < classes.length; i += CLASS_FIELDS) {
      if (classes[i + 3] >>> 16 >= batch.helpers.length)
        throw badPayload('names a helper that it does not contain');
      for (const { bit, word, shift, mask } of classColumns)
        if (((classes[i + word] >>> shift) & mask) !== 0) batch.present |= bit;
    }
  }

  #readRows(sections: SectionReader, count: number, batch: EventBatch): void {
    const rowClass = readPlanes(sections, Section.rowClassLow, count, true);
    const rowClient = readPlanes(sections, Section.rowClientLow, count, true);
    const rowService = readPlanes(sections, Section.rowServiceLow, count, true);
    const byClient = sections.has(Section.clientPortLow);
    const ports = readPlanes(sections, byClient ? Section.clientPortLow : Section.rowPortLow, count, true);
    if (byClient) this.#ungroup(ports, rowClient, count);
    const natPorts = readNatPorts(sections, count);
    const { classes, clientSource, clientNat, destination: destinations } = this.#tables;
    const { servicePort, serviceNat, serviceNatPort } = this.#tables;
    const clients = clientSource.length;
    const services = destinations.length;
    const count4 = batch.addresses4.count;
    const count6 = batch.addresses6.count;
    for (let i = 0; i < count; i++) {
      const row = rowClass[i] * CLASS_FIELDS;
      const client = rowClient[i];
      const service = rowService[i];
      if (row >= classes.length || client >= clients || service >= services)
        throw badPayload('refers outside its tables');
      const word = classes[row];
      const ipv6 = (word >>> ClassShift.ipv6) & 1;
      const proto = (word >>> ClassShift.proto) & 0xff;
      const base = ipv6 === 1 ? count4 : 0;
      const limit = ipv6 === 1 ? count6 : count4;
      const source = clientSource[client] - base;
      const destination = destinations[service] - base;
      const nat = clientNat[client];
      const natService = serviceNat[service];
      const leavesAs = nat === 0 ? source : nat - 1 - base;
      const becomes = natService === 0 ? destination : natService - 1 - base;
      // >>> 0: a reference below the family's first address is negative here, and then far too large
      if (
        source >>> 0 >= limit ||
        destination >>> 0 >= limit ||
        leavesAs >>> 0 >= limit ||
        becomes >>> 0 >= limit
      )
        throw badPayload('refers to an address that it does not contain');
      const port = ports[i];
      const mirroredSource = port + natPorts[i];
      const mirroredDestination = servicePort[service] + serviceNatPort[service];
      const trades = tradesReplyPorts(proto);
      batch.kind[i] = word & 7;
      batch.flags[i] = word >>> ClassShift.flags;
      batch.timeSource[i] = (word >>> ClassShift.timeSource) & 7;
      batch.family[i] = ipv6 === 1 ? AF_INET6 : AF_INET;
      batch.proto[i] = proto;
      batch.tcpState[i] = (word >>> ClassShift.tcpState) & 15;
      batch.zoneDirection[i] = (word >>> ClassShift.zoneDirection) & 3;
      batch.status[i] = classes[row + 1];
      batch.mark[i] = classes[row + 2];
      batch.zone[i] = classes[row + 3];
      batch.helper[i] = classes[row + 3] >>> 16;
      batch.origSrc[i] = source;
      batch.origDst[i] = destination;
      batch.replySrc[i] = becomes;
      batch.replyDst[i] = leavesAs;
      batch.origSrcPort[i] = port;
      batch.origDstPort[i] = servicePort[service];
      batch.replySrcPort[i] = trades ? mirroredSource : mirroredDestination;
      batch.replyDstPort[i] = trades ? mirroredDestination : mirroredSource;
    }
    this.#rowClass = rowClass;
    this.#rowWords(count);
  }

  /** Values that stand in the order of groups, to the rows they belong to. */
  #ungroup(values: Uint16Array, groups: Uint16Array, count: number): void {
    const order = this.#groups.sort(groups, count);
    const grouped = values.slice();
    for (let i = 0; i < count; i++) values[order[i]] = grouped[i];
  }

  /** Of each row the last time, and in the order of their classes the durations of those that ended. */
  #readLastTimes(sections: SectionReader, count: number, minTimeUs: number, batch: EventBatch): void {
    const { timeUs, endUs } = batch;
    const words = this.#words;
    const differences = readNumbers(sections, Section.lastTime, count);
    let last = minTimeUs;
    let ended = 0;
    for (let i = 0; i < count; i++) {
      last += unzigzag(differences[i]);
      timeUs[i] = last;
      ended += (words[i] >>> ClassShift.hasEnd) & 1;
    }
    if (ended === 0) return;
    batch.present |= Column.endUs;
    const durations = readNumbers(sections, Section.classDuration, ended);
    const order = this.#groups.sort(this.#rowClass, count);
    let next = 0;
    for (let i = 0; i < count; i++) {
      const row = order[i];
      if (!((words[row] >>> ClassShift.hasEnd) & 1)) continue;
      endUs[row] = timeUs[row];
      timeUs[row] -= unzigzag(durations[next++]);
    }
  }

  /** Class word of each row, for the columns that only some rows have. */
  #rowWords(count: number): void {
    if (this.#words.length < count) this.#words = new Uint32Array(count);
    const { classes } = this.#tables;
    for (let i = 0; i < count; i++) this.#words[i] = classes[this.#rowClass[i] * CLASS_FIELDS];
  }

  #readOptional(sections: SectionReader, batch: EventBatch, columns: number): void {
    for (const column of sectionColumns) {
      if (!(columns & column.bit)) continue;
      for (let id = column.section.id; id < sectionsEnd(column); id++)
        if (sections.has(id)) this.#readSection(sections, id, batch, column);
    }
  }

  #readSection(sections: SectionReader, id: number, batch: EventBatch, column: SectionColumn): void {
    const { section, elements } = column;
    const { count, timeUs } = batch;
    const values = batch[column.name];
    const words = this.#words;
    batch.present |= column.bit;
    if (section.form === 'bytes') {
      const bytes = sections.bytes(id);
      if (bytes.length !== count * elements)
        throw badPayload(`contains a ${column.name} column whose length does not match its rows`);
      values.set(bytes);
      return;
    }
    const source = sections.source(id);
    switch (section.form) {
      case 'age':
        for (let i = 0; i < count; i++)
          if ((words[i] >>> section.rowBit) & 1) values[i] = timeUs[i] - source.zigzag();
        break;
      case 'duration':
        for (let i = 0; i < count; i++)
          if ((words[i] >>> section.rowBit) & 1) values[i] = timeUs[i] + source.zigzag();
        break;
      case 'counters': {
        const pair = (id - section.id) * 2;
        for (let i = 0; i < count; i++)
          if ((words[i] >>> section.rowBit) & 1) source.varint64(values as Uint32Array, i * elements + pair);
        break;
      }
      case 'varints':
        for (let i = 0; i < count; i++) values[i] = source.varint();
    }
  }
}

function readTimes(source: ByteSource, count: number, minTimeUs: number, timeUs: Float64Array): void {
  let time = minTimeUs;
  for (let i = 0; i < count; i++) {
    time += source.zigzag();
    timeUs[i] = time;
  }
}

/** Numbers that stand as a plane for each byte. */
function readNumbers(sections: SectionReader, id: number, count: number): Float64Array {
  const numbers = new Float64Array(count);
  for (let i = 0; i < NUMBER_PLANES; i++) {
    if (!sections.has(id + i)) continue;
    const bytes = plane(sections, id + i, count, true);
    const scale = 256 ** i;
    for (let row = 0; row < count; row++) numbers[row] += bytes[row] * scale;
  }
  return numbers;
}

let decoder: RecordDecoder | undefined;

/**
 * Replace the contents of `batch` by the `count` rows of a payload. `minTimeUs` is the block header's. Of the
 * columns that stand in sections of their own only those in `columns` are read.
 */
export function decodeRecords(
  payload: Uint8Array,
  count: number,
  minTimeUs: number,
  batch: EventBatch,
  columns = ALL_COLUMNS,
): void {
  decoder ??= new RecordDecoder();
  decoder.decode(payload, count, minTimeUs, batch, columns);
}

/**
 * Replace the contents of `batch`, which is answered, by the rows of a record block. Times outside the range
 * that its header says make the whole block unbelievable; so no row has a time that cannot be printed.
 */
export function decodeBlock({ frame, payload }: ScannedBlock, batch: EventBatch): EventBatch {
  const { codec, count, minTimeUs, maxTimeUs } = frame;
  if (codec !== BlockCodec.sections) throw badPayload(`uses codec ${codec}`);
  decodeRecords(payload, count, minTimeUs, batch);
  const { timeUs, startUs, endUs } = batch;
  for (let i = 0; i < count; i++) {
    const isInside = timeUs[i] >= minTimeUs && timeUs[i] <= maxTimeUs && endUs[i] <= maxTimeUs;
    if (!isInside || endUs[i] < 0 || startUs[i] < 0 || startUs[i] > Number.MAX_SAFE_INTEGER)
      throw badPayload('has times outside its range');
  }
  return batch;
}
