/**
 * The tables of a record block, which its rows refer to (encode-tables.ts builds them): for bytes that nobody
 * vouches for.
 */

import type { PayloadDamage } from '../../base/errors.js';
import type { AddressTable4, AddressTable6 } from '../../event/addresses.js';
import { BATCH_CAPACITY, RecordKind } from '../../event/batch.js';
import type { SectionReader } from './section-codec.js';
import { CLASS_FIELDS, Section } from './section-ids.js';
import { type ByteSource, badPayload } from './varint.js';

/** Rows refer to tables with 16 bits and name four addresses each: nothing larger is read into memory. */
const MAX_TABLE_ENTRIES = 65536;
const MAX_ADDRESSES = 4 * BATCH_CAPACITY;

/** Reused from block to block. References to addresses count IPv6 behind IPv4. */
export class BlockTables {
  /** CLASS_FIELDS words each. */
  classes: Uint32Array = new Uint32Array(0);
  /** Of a client: its address, and 0 or 1 + the address it leaves with. */
  clientSource: Uint32Array = new Uint32Array(0);
  clientNat: Uint32Array = new Uint32Array(0);
  /**
   * Of a service: its address and port, 0 or 1 + the address it becomes, and how far the port it becomes is
   * from its own.
   */
  destination: Uint32Array = new Uint32Array(0);
  servicePort: Uint16Array = new Uint16Array(0);
  serviceNat: Uint32Array = new Uint32Array(0);
  serviceNatPort: Uint16Array = new Uint16Array(0);

  read(sections: SectionReader): void {
    this.classes = readClassWords(sections);
    this.clientSource = readDifferences(sections.source(Section.clientSource));
    this.clientNat = readVarints(sections.source(Section.clientNat), this.clientSource.length);
    this.destination = readDifferences(sections.source(Section.serviceDestination));
    const count = this.destination.length;
    this.servicePort = readPorts(sections.bytes(Section.servicePort), count);
    this.serviceNat = sections.has(Section.serviceNat)
      ? readVarints(sections.source(Section.serviceNat), count)
      : new Uint32Array(count);
    this.serviceNatPort = sections.has(Section.serviceNatPort)
      ? readPorts(sections.bytes(Section.serviceNatPort), count)
      : new Uint16Array(count);
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

/** The addresses, appended to tables that hold none. */
export function readAddresses(
  sections: SectionReader,
  addresses4: AddressTable4,
  addresses6: AddressTable6,
): void {
  const source = sections.source(Section.addresses4);
  let value = 0;
  while (source.at < source.end) {
    value += source.zigzag();
    if (value < 0 || value > 0xffffffff) throw badPayload('has an address out of range');
    if (addresses4.append(value) > MAX_ADDRESSES) throw tooLarge();
  }
  const bytes = sections.bytes(Section.addresses6);
  if (bytes.length % 16 !== 0) throw badPayload('has half an address');
  if (bytes.length / 16 > MAX_ADDRESSES) throw tooLarge();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += 16)
    addresses6.append(
      view.getUint32(at),
      view.getUint32(at + 4),
      view.getUint32(at + 8),
      view.getUint32(at + 12),
    );
}

/** A byte of each row; zeros when the section is absent and need not be there. */
export function plane(sections: SectionReader, id: number, count: number, required: boolean): Uint8Array {
  if (!sections.has(id) && !required) return new Uint8Array(count);
  const bytes = sections.bytes(id);
  if (bytes.length !== count) throw badPayload('contains a column whose length does not match its rows');
  return bytes;
}

/** A number of each row: its low bytes are section `id`, its high bytes, if any, the next. */
export function readPlanes(
  sections: SectionReader,
  id: number,
  count: number,
  required: boolean,
): Uint16Array {
  const values = new Uint16Array(plane(sections, id, count, required));
  if (sections.has(id + 1)) addHighBytes(values, plane(sections, id + 1, count, true));
  return values;
}

/** What NAT adds to the port of each row: stored for all, or listed for a few. */
export function readNatPorts(sections: SectionReader, count: number): Uint16Array {
  if (!sections.has(Section.natPortRow)) return readPlanes(sections, Section.rowNatPortLow, count, false);
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

function addHighBytes(values: Uint16Array, high: Uint8Array): void {
  for (let i = 0; i < high.length; i++) values[i] |= high[i] << 8;
}

export function tooLarge(): PayloadDamage {
  return badPayload('has a table larger than its rows can use');
}

function readDifferences(source: ByteSource): Uint32Array {
  // none is shorter than a byte
  const values = new Uint32Array(Math.min(source.end - source.at, MAX_TABLE_ENTRIES));
  let count = 0;
  let value = 0;
  while (source.at < source.end) {
    value += source.zigzag();
    if (value < 0 || value > 0xffffffff) throw badPayload('has a reference out of range');
    if (count === MAX_TABLE_ENTRIES) throw tooLarge();
    values[count++] = value;
  }
  return values.subarray(0, count);
}

function readVarints(source: ByteSource, count: number): Uint32Array {
  const values = new Uint32Array(count);
  for (let i = 0; i < count; i++) values[i] = source.varint();
  return values;
}

function readPorts(bytes: Uint8Array, count: number): Uint16Array {
  if (bytes.length !== count * 2) throw badPayload('contains ports whose length does not match its services');
  const ports = new Uint16Array(count);
  for (let i = 0; i < count; i++) ports[i] = bytes[i] | (bytes[count + i] << 8);
  return ports;
}
