/**
 * Events blocks to rows with whole keys: what the set of open connections needs, and nothing else of a block is unpacked. Table
 * worker's thread, for every event. Bytes that nobody vouches for: every failure is a DamageError 'bad-payload'.
 */
import { AddressTable4, AddressTable6 } from '../conntrack/addresses.js';
import { DIRECTION_SHIFT, KEY4_WORDS, KEY6_WORDS, PROTO_SHIFT } from '../conntrack/key.js';
import { BlockTables, plane, readAddresses } from '../log/block-tables.js';
import { badPayload } from '../log/bytes.js';
import { CLASS_FIELDS, ClassShift, Section, tradesReplyPorts } from '../log/columns.js';
import { SectionReader } from '../log/sections.js';
import { KeyedRows } from './keyed-rows.js';

export class KeyReader {
  readonly #tables = new BlockTables();
  readonly #addresses4 = new AddressTable4();
  readonly #addresses6 = new AddressTable6();
  readonly #rows4 = new KeyedRows(KEY4_WORDS);
  readonly #rows6 = new KeyedRows(KEY6_WORDS);

  /** `take` gets the rows of each family in their order, borrowed until it returns. */
  constructor(readonly take: (rows: KeyedRows) => void) {}

  /** The `count` rows of a payload. `minTimeUs` is the block header's. */
  read(payload: Uint8Array, count: number, minTimeUs: number): void {
    const sections = new SectionReader(payload);
    this.#addresses4.clear();
    this.#addresses6.clear();
    readAddresses(sections, this.#addresses4, this.#addresses6);
    this.#tables.read(sections);
    this.#readRows(sections, count, minTimeUs);
    this.#flush(this.#rows4);
    this.#flush(this.#rows6);
  }

  #flush(rows: KeyedRows): void {
    if (rows.count > 0) this.take(rows);
    rows.count = 0;
  }

  #readRows(sections: SectionReader, count: number, minTimeUs: number): void {
    const classLow = plane(sections, Section.rowClassLow, count, true);
    const classHigh = plane(sections, Section.rowClassHigh, count, false);
    const clientLow = plane(sections, Section.rowClientLow, count, true);
    const clientHigh = plane(sections, Section.rowClientHigh, count, false);
    const serviceLow = plane(sections, Section.rowServiceLow, count, true);
    const serviceHigh = plane(sections, Section.rowServiceHigh, count, false);
    const portLow = plane(sections, Section.rowPortLow, count, true);
    const portHigh = plane(sections, Section.rowPortHigh, count, false);
    const natPortLow = plane(sections, Section.rowNatPortLow, count, false);
    const natPortHigh = plane(sections, Section.rowNatPortHigh, count, false);
    const times = sections.source(Section.rowTime);
    const { classes, clientSource, clientNat, destination: destinations } = this.#tables;
    const { servicePort, serviceNat, serviceNatPort } = this.#tables;
    const clients = clientSource.length;
    const services = destinations.length;
    const count4 = this.#addresses4.count;
    const count6 = this.#addresses6.count;
    const { values } = this.#addresses4;
    let timeUs = minTimeUs;
    for (let i = 0; i < count; i++) {
      const rowClass = (classLow[i] | (classHigh[i] << 8)) * CLASS_FIELDS;
      const client = clientLow[i] | (clientHigh[i] << 8);
      const service = serviceLow[i] | (serviceHigh[i] << 8);
      if (rowClass >= classes.length || client >= clients || service >= services)
        throw badPayload('refers outside its tables');
      const word = classes[rowClass];
      const isIpv6 = ((word >>> ClassShift.ipv6) & 1) !== 0;
      const base = isIpv6 ? count4 : 0;
      const limit = isIpv6 ? count6 : count4;
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
        throw badPayload('refers to an address it does not hold');
      const rows = isIpv6 ? this.#rows6 : this.#rows4;
      if (rows.count === rows.capacity) this.#flush(rows);
      const row = rows.count++;
      const { keys } = rows;
      let at = row * rows.keyWords;
      if (isIpv6) {
        this.#setAddress6(keys, at, source);
        this.#setAddress6(keys, at + 4, destination);
        this.#setAddress6(keys, at + 8, becomes);
        this.#setAddress6(keys, at + 12, leavesAs);
        at += 16;
      } else {
        keys[at] = values[source];
        keys[at + 1] = values[destination];
        keys[at + 2] = values[becomes];
        keys[at + 3] = values[leavesAs];
        at += 4;
      }
      const proto = (word >>> ClassShift.proto) & 0xff;
      const port = portLow[i] | (portHigh[i] << 8);
      const mirroredSource = (port + (natPortLow[i] | (natPortHigh[i] << 8))) & 0xffff;
      const mirroredDestination = (servicePort[service] + serviceNatPort[service]) & 0xffff;
      keys[at] = (port << 16) | servicePort[service];
      keys[at + 1] = tradesReplyPorts(proto)
        ? (mirroredSource << 16) | mirroredDestination
        : (mirroredDestination << 16) | mirroredSource;
      keys[at + 2] =
        (classes[rowClass + 3] & 0xffff) |
        (((word >>> ClassShift.zoneDirection) & 3) << DIRECTION_SHIFT) |
        (proto << PROTO_SHIFT);
      timeUs += times.zigzag();
      rows.timeUs[row] = timeUs;
      rows.kind[row] = word & 7;
      rows.flags[row] = word >>> ClassShift.flags;
      rows.timeSource[row] = (word >>> ClassShift.timeSource) & 7;
      rows.status[row] = classes[rowClass + 1];
      rows.mark[row] = classes[rowClass + 2];
    }
  }

  #setAddress6(keys: Uint32Array, at: number, address: number): void {
    const { words } = this.#addresses6;
    for (let i = 0; i < 4; i++) keys[at + i] = words[address * 4 + i];
  }
}
