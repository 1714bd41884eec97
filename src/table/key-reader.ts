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
  readonly #clients = new Resolved();
  readonly #services = new Resolved();
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
    this.#resolve();
    this.#readRows(sections, count, minTimeUs);
    this.#flush(this.#rows4);
    this.#flush(this.#rows6);
  }

  #flush(rows: KeyedRows): void {
    if (rows.count > 0) this.take(rows);
    rows.count = 0;
  }

  /**
   * What rows refer to, as they need it: addresses of IPv4, of IPv6 their indexes; `family` says which, and that they all are of it.
   */
  #resolve(): void {
    const { clientSource, clientNat, destination, serviceNat, servicePort, serviceNatPort } = this.#tables;
    const clients = this.#clients.reset(clientSource.length);
    for (let i = 0; i < clients.count; i++)
      this.#resolveOne(clients, i, clientSource[i], clientNat[i] === 0 ? clientSource[i] : clientNat[i] - 1);
    const services = this.#services.reset(destination.length);
    for (let i = 0; i < services.count; i++) {
      this.#resolveOne(services, i, destination[i], serviceNat[i] === 0 ? destination[i] : serviceNat[i] - 1);
      services.port[i] = servicePort[i];
      services.replyPort[i] = servicePort[i] + serviceNatPort[i];
    }
  }

  /** References count IPv6 behind IPv4. */
  #resolveOne(to: Resolved, i: number, own: number, other: number): void {
    const { values, count } = this.#addresses4;
    if (own < count && other < count) {
      to.family[i] = Family.ipv4;
      to.own[i] = values[own];
      to.other[i] = values[other];
    } else {
      const count6 = this.#addresses6.count;
      const isIpv6 = own >= count && other >= count && own - count < count6 && other - count < count6;
      to.family[i] = isIpv6 ? Family.ipv6 : Family.none;
      to.own[i] = own - count;
      to.other[i] = other - count;
    }
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
    const { classes } = this.#tables;
    const clients = this.#clients;
    const services = this.#services;
    let timeUs = minTimeUs;
    for (let i = 0; i < count; i++) {
      const rowClass = (classLow[i] | (classHigh[i] << 8)) * CLASS_FIELDS;
      const client = clientLow[i] | (clientHigh[i] << 8);
      const service = serviceLow[i] | (serviceHigh[i] << 8);
      if (rowClass >= classes.length || client >= clients.count || service >= services.count)
        throw badPayload('refers outside its tables');
      const word = classes[rowClass];
      const family = (word >>> ClassShift.ipv6) & 1;
      if (clients.family[client] !== family || services.family[service] !== family)
        throw badPayload('refers to an address it does not hold');
      const rows = family === Family.ipv4 ? this.#rows4 : this.#rows6;
      if (rows.count === rows.capacity) this.#flush(rows);
      const row = rows.count++;
      const { keys } = rows;
      let at = row * rows.keyWords;
      if (family === Family.ipv4) {
        keys[at] = clients.own[client];
        keys[at + 1] = services.own[service];
        keys[at + 2] = services.other[service];
        keys[at + 3] = clients.other[client];
        at += 4;
      } else {
        this.#setAddress6(keys, at, clients.own[client]);
        this.#setAddress6(keys, at + 4, services.own[service]);
        this.#setAddress6(keys, at + 8, services.other[service]);
        this.#setAddress6(keys, at + 12, clients.other[client]);
        at += 16;
      }
      const proto = (word >>> ClassShift.proto) & 0xff;
      const port = portLow[i] | (portHigh[i] << 8);
      const mirroredSource = (port + (natPortLow[i] | (natPortHigh[i] << 8))) & 0xffff;
      const mirroredDestination = services.replyPort[service];
      keys[at] = (port << 16) | services.port[service];
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

/** As the class of a row says it. */
const Family = { ipv4: 0, ipv6: 1, none: 2 } as const;

/** A table of clients or services. */
class Resolved {
  count = 0;
  family = new Uint8Array(0);
  own = new Uint32Array(0);
  /** What the address becomes on the other side. */
  other = new Uint32Array(0);
  port = new Uint16Array(0);
  replyPort = new Uint16Array(0);

  reset(count: number): this {
    if (count > this.family.length) {
      this.family = new Uint8Array(count);
      this.own = new Uint32Array(count);
      this.other = new Uint32Array(count);
      this.port = new Uint16Array(count);
      this.replyPort = new Uint16Array(count);
    }
    this.count = count;
    return this;
  }
}
