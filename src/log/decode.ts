/** Payload to EventBatch: the inverse of encode.ts for bytes that nobody vouches for. Every failure is a DamageError 'bad-payload'. */
import {
  AF_INET,
  AF_INET6,
  BATCH_CAPACITY,
  Column,
  type EventBatch,
  RecordKind,
} from '../conntrack/batch.js';
import type { DamageError } from '../errors.js';
import { type ByteSource, badPayload } from './bytes.js';
import {
  ALL_COLUMNS,
  CLASS_FIELDS,
  ClassShift,
  NUMBER_PLANES,
  Section,
  tradesReplyPorts,
} from './columns.js';
import { BlockCodec } from './format.js';
import { GroupOrder } from './group-order.js';
import type { ScannedBlock } from './scan.js';
import { SectionReader } from './sections.js';

/** Rows refer to tables with 16 bits, helpers with 8, and name four addresses each: nothing larger is read into memory. */
const MAX_TABLE_ENTRIES = 65536;
const MAX_HELPERS = 256;
const MAX_ADDRESSES = 4 * BATCH_CAPACITY;

/** Tables of the block being read; reused from block to block. */
class RecordDecoder {
  #classes: Uint32Array = new Uint32Array(0);
  #clientSource: Uint32Array = new Uint32Array(0);
  #clientNat: Uint32Array = new Uint32Array(0);
  #destination: Uint32Array = new Uint32Array(0);
  #servicePort: Uint16Array = new Uint16Array(0);
  #serviceNat: Uint32Array = new Uint32Array(0);
  #serviceNatPort: Uint16Array = new Uint16Array(0);
  readonly #groups = new GroupOrder();

  decode(payload: Uint8Array, count: number, minTimeUs: number, batch: EventBatch, columns: number): void {
    if (count > batch.capacity) throw badPayload(`says ${count} rows, more than a block holds`);
    batch.clear();
    const sections = new SectionReader(payload);
    readAddresses(sections, batch);
    this.#readClasses(sections, batch);
    this.#readClients(sections);
    this.#readServices(sections);
    this.#readRows(sections, count, batch);
    if (sections.has(Section.rowTime))
      readTimes(sections.source(Section.rowTime), count, minTimeUs, batch.timeUs);
    else this.#readLastTimes(sections, count, minTimeUs, batch);
    batch.count = count;
    this.#readOptional(sections, count, batch, columns);
  }

  #readClasses(sections: SectionReader, batch: EventBatch): void {
    const words = readClassWords(sections);
    this.#classes = words;
    const names = sections.source(Section.helpers);
    while (names.at < names.end) {
      let name = '';
      for (let length = names.u8(); length > 0; length--) name += String.fromCharCode(names.u8());
      if (batch.helpers.push(name) > MAX_HELPERS) throw tooLarge();
    }
    for (let i = 0; i < words.length; i += CLASS_FIELDS) {
      if (this.#classes[i + 3] >>> 16 >= batch.helpers.length)
        throw badPayload('names a helper it does not hold');
      if (this.#classes[i + 1] !== 0) batch.present |= Column.status;
      if (this.#classes[i + 2] !== 0) batch.present |= Column.mark;
      if ((this.#classes[i + 3] & 0xffff) !== 0) batch.present |= Column.zone;
      if (this.#classes[i + 3] >>> 16 !== 0) batch.present |= Column.helper;
      if (((words[i] >>> ClassShift.tcpState) & 15) !== 0) batch.present |= Column.tcpState;
    }
  }

  #readClients(sections: SectionReader): void {
    this.#clientSource = readDifferences(sections.source(Section.clientSource));
    this.#clientNat = readVarints(sections.source(Section.clientNat), this.#clientSource.length);
  }

  #readServices(sections: SectionReader): void {
    this.#destination = readDifferences(sections.source(Section.serviceDestination));
    const count = this.#destination.length;
    this.#servicePort = readPorts(sections.bytes(Section.servicePort), count);
    this.#serviceNat = sections.has(Section.serviceNat)
      ? readVarints(sections.source(Section.serviceNat), count)
      : new Uint32Array(count);
    this.#serviceNatPort = sections.has(Section.serviceNatPort)
      ? readPorts(sections.bytes(Section.serviceNatPort), count)
      : new Uint16Array(count);
  }

  #readRows(sections: SectionReader, count: number, batch: EventBatch): void {
    const classLow = plane(sections, Section.rowClassLow, count, true);
    const classHigh = plane(sections, Section.rowClassHigh, count, false);
    const clientLow = plane(sections, Section.rowClientLow, count, true);
    const clientHigh = plane(sections, Section.rowClientHigh, count, false);
    const serviceLow = plane(sections, Section.rowServiceLow, count, true);
    const serviceHigh = plane(sections, Section.rowServiceHigh, count, false);
    const byClient = sections.has(Section.clientPortLow);
    const portLow = plane(sections, byClient ? Section.clientPortLow : Section.rowPortLow, count, true);
    const portHigh = plane(sections, byClient ? Section.clientPortHigh : Section.rowPortHigh, count, false);
    const ports = joined(portLow, portHigh, count);
    if (byClient) this.#ungroup(ports, joined(clientLow, clientHigh, count), count);
    const natPorts = readNatPorts(sections, count);
    const classes = this.#classes;
    const clients = this.#clientSource.length;
    const services = this.#destination.length;
    const count4 = batch.addresses4.count;
    const count6 = batch.addresses6.count;
    for (let i = 0; i < count; i++) {
      const row = (classLow[i] | (classHigh[i] << 8)) * CLASS_FIELDS;
      const client = clientLow[i] | (clientHigh[i] << 8);
      const service = serviceLow[i] | (serviceHigh[i] << 8);
      if (row >= classes.length || client >= clients || service >= services)
        throw badPayload('refers outside its tables');
      const word = classes[row];
      const ipv6 = (word >>> ClassShift.ipv6) & 1;
      const proto = (word >>> ClassShift.proto) & 0xff;
      const base = ipv6 === 1 ? count4 : 0;
      const limit = ipv6 === 1 ? count6 : count4;
      const source = this.#clientSource[client] - base;
      const destination = this.#destination[service] - base;
      const nat = this.#clientNat[client];
      const natService = this.#serviceNat[service];
      const leavesAs = nat === 0 ? source : nat - 1 - base;
      const becomes = natService === 0 ? destination : natService - 1 - base;
      // >>> 0: a reference below the family's first address is negative here, and then far too large
      if (
        source >>> 0 >= limit ||
        destination >>> 0 >= limit ||
        leavesAs >>> 0 >= limit ||
        becomes >>> 0 >= limit
      )
        throw badPayload('refers to an address it does not hold');
      const port = ports[i];
      const mirroredSource = port + natPorts[i];
      const mirroredDestination = this.#servicePort[service] + this.#serviceNatPort[service];
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
      batch.origDstPort[i] = this.#servicePort[service];
      batch.replySrcPort[i] = trades ? mirroredSource : mirroredDestination;
      batch.replyDstPort[i] = trades ? mirroredDestination : mirroredSource;
    }
    this.#rowWords(classLow, classHigh, count);
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
      last += signed(differences[i]);
      timeUs[i] = last;
      ended += (words[i] >>> ClassShift.hasEnd) & 1;
    }
    if (ended === 0) return;
    batch.present |= Column.endUs;
    const durations = readNumbers(sections, Section.classDuration, ended);
    const low = plane(sections, Section.rowClassLow, count, true);
    const high = plane(sections, Section.rowClassHigh, count, false);
    const order = this.#groups.sort(joined(low, high, count), count);
    let next = 0;
    for (let i = 0; i < count; i++) {
      const row = order[i];
      if (!((words[row] >>> ClassShift.hasEnd) & 1)) continue;
      endUs[row] = timeUs[row];
      timeUs[row] -= signed(durations[next++]);
    }
  }

  /** Class word of each row, for the columns that only some rows have. */
  #words = new Uint32Array(0);
  #rowWords(low: Uint8Array, high: Uint8Array, count: number): void {
    if (this.#words.length < count) this.#words = new Uint32Array(count);
    for (let i = 0; i < count; i++) this.#words[i] = this.#classes[(low[i] | (high[i] << 8)) * CLASS_FIELDS];
  }

  #readOptional(sections: SectionReader, count: number, batch: EventBatch, columns: number): void {
    const words = this.#words;
    const { timeUs } = batch;
    if (columns & Column.startUs && sections.has(Section.startAge)) {
      batch.present |= Column.startUs;
      const source = sections.source(Section.startAge);
      for (let i = 0; i < count; i++)
        if ((words[i] >>> ClassShift.hasStart) & 1) batch.startUs[i] = timeUs[i] - source.zigzag();
    }
    if (columns & Column.endUs && sections.has(Section.duration)) {
      batch.present |= Column.endUs;
      const source = sections.source(Section.duration);
      for (let i = 0; i < count; i++)
        if ((words[i] >>> ClassShift.hasEnd) & 1) batch.endUs[i] = timeUs[i] + source.zigzag();
    }
    for (let counter = 0; counter < 4; counter++) {
      const id = Section.origPackets + counter;
      if (!(columns & Column.counters) || !sections.has(id)) continue;
      batch.present |= Column.counters;
      const source = sections.source(id);
      for (let i = 0; i < count; i++)
        if (words[i] >>> ClassShift.hasCounters === 1) source.varint64(batch.counters, i * 8 + counter * 2);
    }
    if (columns & Column.id) readWhole(sections, Section.id, Column.id, batch.id, batch);
    if (columns & Column.timeoutSeconds)
      readWhole(sections, Section.timeoutSeconds, Column.timeoutSeconds, batch.timeoutSeconds, batch);
    if (columns & Column.use) readWhole(sections, Section.use, Column.use, batch.use, batch);
    if (columns & Column.labels && sections.has(Section.labels)) {
      const labels = sections.bytes(Section.labels);
      if (labels.length !== count * 16) throw badPayload('has labels of another length than its rows');
      batch.labels.set(labels);
      batch.present |= Column.labels;
    }
  }
}

/** The table of classes, CLASS_FIELDS words each. */
export function readClassWords(sections: SectionReader): Uint32Array {
  const source = sections.source(Section.classes);
  const words: number[] = [];
  while (source.at < source.end) {
    if (words.push(source.varint()) > MAX_TABLE_ENTRIES * CLASS_FIELDS) throw tooLarge();
  }
  if (words.length % CLASS_FIELDS !== 0) throw badPayload('has half a class');
  for (const word of words) if (word > 0xffffffff) throw badPayload('has a class out of range');
  for (let i = 0; i < words.length; i += CLASS_FIELDS)
    if ((words[i] & 7) > RecordKind.connection) throw badPayload('has a record of unknown kind');
  return Uint32Array.from(words);
}

function readAddresses(sections: SectionReader, batch: EventBatch): void {
  const source = sections.source(Section.addresses4);
  let value = 0;
  while (source.at < source.end) {
    value += source.zigzag();
    if (value < 0 || value > 0xffffffff) throw badPayload('has an address out of range');
    if (batch.addresses4.append(value) > MAX_ADDRESSES) throw tooLarge();
  }
  const bytes = sections.bytes(Section.addresses6);
  if (bytes.length % 16 !== 0) throw badPayload('has half an address');
  if (bytes.length / 16 > MAX_ADDRESSES) throw tooLarge();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += 16)
    batch.addresses6.append(
      view.getUint32(at),
      view.getUint32(at + 4),
      view.getUint32(at + 8),
      view.getUint32(at + 12),
    );
}

function readTimes(source: ByteSource, count: number, minTimeUs: number, timeUs: Float64Array): void {
  let time = minTimeUs;
  for (let i = 0; i < count; i++) {
    time += source.zigzag();
    timeUs[i] = time;
  }
}

/** Of each row: stored for all, or listed for a few. */
function readNatPorts(sections: SectionReader, count: number): Uint16Array {
  if (!sections.has(Section.natPortRow)) {
    const low = plane(sections, Section.rowNatPortLow, count, false);
    return joined(low, plane(sections, Section.rowNatPortHigh, count, false), count);
  }
  const rows = sections.source(Section.natPortRow);
  const low = sections.bytes(Section.natPortLow);
  const high = plane(sections, Section.natPortHigh, low.length, false);
  const ports = new Uint16Array(count);
  let row = 0;
  for (let i = 0; i < low.length; i++) {
    row += rows.varint();
    if (row >= count) throw badPayload('translates the port of a row that it does not have');
    ports[row] = low[i] | (high[i] << 8);
  }
  return ports;
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

/** The number of a zigzag code. */
function signed(code: number): number {
  return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
}

function joined(low: Uint8Array, high: Uint8Array, count: number): Uint16Array {
  const values = new Uint16Array(count);
  for (let i = 0; i < count; i++) values[i] = low[i] | (high[i] << 8);
  return values;
}

function readDifferences(source: ByteSource): Uint32Array {
  const values: number[] = [];
  let value = 0;
  while (source.at < source.end) {
    value += source.zigzag();
    if (value < 0 || value > 0xffffffff) throw badPayload('has a reference out of range');
    if (values.push(value) > MAX_TABLE_ENTRIES) throw tooLarge();
  }
  return Uint32Array.from(values);
}

function readVarints(source: ByteSource, count: number): Uint32Array {
  const values = new Uint32Array(count);
  for (let i = 0; i < count; i++) values[i] = source.varint();
  return values;
}

/** A column that has a value in every row, when the block has it. */
function readWhole(
  sections: SectionReader,
  id: number,
  column: number,
  values: Uint32Array,
  batch: EventBatch,
): void {
  if (!sections.has(id)) return;
  batch.present |= column;
  const source = sections.source(id);
  for (let i = 0; i < batch.count; i++) values[i] = source.varint();
}

function tooLarge(): DamageError {
  return badPayload('has a table larger than its rows can use');
}

function readPorts(bytes: Uint8Array, count: number): Uint16Array {
  if (bytes.length !== count * 2) throw badPayload('has ports of another length than its services');
  const ports = new Uint16Array(count);
  for (let i = 0; i < count; i++) ports[i] = bytes[i] | (bytes[count + i] << 8);
  return ports;
}

/** A byte of each row; zeros when the section is absent and need not be there. */
export function plane(sections: SectionReader, id: number, count: number, required: boolean): Uint8Array {
  if (!sections.has(id) && !required) return new Uint8Array(count);
  const bytes = sections.bytes(id);
  if (bytes.length !== count) throw badPayload('has a column of another length than its rows');
  return bytes;
}

let decoder: RecordDecoder | undefined;

/**
 * Replace the contents of `batch` by the `count` rows of a payload. `minTimeUs` is the block header's. Of the columns that stand in
 * sections of their own only those in `columns` are read.
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
 * Replace the contents of `batch`, which is answered, by the rows of a record block. Times outside the range that its header
 * says make the whole block unbelievable; so no row has a time that cannot be printed.
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
