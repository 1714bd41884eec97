/**
 * Decodes events blocks to rows with whole keys: only what the store of open connections needs of a block is
 * unpacked. Runs on the table worker's thread, for every event. The bytes may be damaged: every failure is a
 * PayloadDamage.
 */
import { AddressTable4, AddressTable6 } from '../../event/addresses.js';
import { DIRECTION_SHIFT, KEY4_WORDS, KEY6_WORDS, PROTO_SHIFT } from '../../event/key.js';
import { KeyedRows } from '../../event/keyed-rows.js';
import { BlockTables, readAddresses, readNatPorts, readPlanes } from './decode-tables.js';
import { SectionReader } from './section-codec.js';
import { CLASS_FIELDS, ClassShift, Section, tradesReplyPorts } from './section-ids.js';
import { type ByteSource, badPayload } from './varint.js';

/** As in encode-loops.ts: V8 gives up compiled code in the middle of a long loop. */
const PORTION_ROWS = 256;

/** Of a block, a value a row. */
interface Columns {
  readonly rowClass: Uint16Array;
  readonly rowClient: Uint16Array;
  readonly rowService: Uint16Array;
  readonly origPorts: Uint16Array;
  readonly natPorts: Uint16Array;
  readonly times: ByteSource;
}

export class KeyReader {
  readonly #tables = new BlockTables();
  readonly #clients = new ResolvedTable();
  readonly #services = new ResolvedTable();
  readonly #addresses4 = new AddressTable4();
  readonly #addresses6 = new AddressTable6();
  readonly #rows4 = new KeyedRows(KEY4_WORDS);
  readonly #rows6 = new KeyedRows(KEY6_WORDS);

  /** `take` gets the rows of each family in their order, borrowed until it returns. */
  constructor(readonly take: (rows: KeyedRows) => void) {}

  /**
   * The `count` rows of a payload. `minTimeUs` is the block header's. When it throws, some of the rows may
   * have been given.
   */
  read(payload: Uint8Array, count: number, minTimeUs: number): void {
    const sections = new SectionReader(payload);
    this.#rows4.count = 0;
    this.#rows6.count = 0;
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

  /** Resolve the references of clients and services once a block, because many rows share them. */
  #resolve(): void {
    const { clientSource, clientNat, destination, serviceNat, servicePort, serviceNatPort } = this.#tables;
    const clients = this.#clients.reset(clientSource.length);
    for (let i = 0; i < clients.count; i++)
      this.#resolveOne(clients, i, clientSource[i], clientNat[i] === 0 ? clientSource[i] : clientNat[i] - 1);
    const services = this.#services.reset(destination.length);
    for (let i = 0; i < services.count; i++) {
      this.#resolveOne(services, i, destination[i], serviceNat[i] === 0 ? destination[i] : serviceNat[i] - 1);
      const replyPort = (servicePort[i] + serviceNatPort[i]) & 0xffff;
      services.words[i * RESOLVED_WORDS + Resolved.ports] = (servicePort[i] << 16) | replyPort;
    }
  }

  /** References count IPv6 behind IPv4. */
  #resolveOne({ words }: ResolvedTable, i: number, own: number, other: number): void {
    const { values, count } = this.#addresses4;
    const count6 = this.#addresses6.count;
    const at = i * RESOLVED_WORDS;
    if (own < count && other < count) {
      words[at + Resolved.family] = Family.ipv4;
      words[at + Resolved.own] = values[own];
      words[at + Resolved.other] = values[other];
      return;
    }
    const isIpv6 = own >= count && other >= count && own - count < count6 && other - count < count6;
    words[at + Resolved.family] = isIpv6 ? Family.ipv6 : Family.none;
    words[at + Resolved.own] = own - count;
    words[at + Resolved.other] = other - count;
  }

  #readRows(sections: SectionReader, count: number, minTimeUs: number): void {
    const rowClass = readPlanes(sections, Section.rowClassLow, count, true);
    const rowClient = readPlanes(sections, Section.rowClientLow, count, true);
    const rowService = readPlanes(sections, Section.rowServiceLow, count, true);
    const origPorts = readPlanes(sections, Section.rowPortLow, count, true);
    const natPorts = readNatPorts(sections, count);
    const times = sections.source(Section.rowTime);
    const columns = { rowClass, rowClient, rowService, origPorts, natPorts, times };
    let timeUs = minTimeUs;
    for (let from = 0; from < count; from += PORTION_ROWS)
      timeUs = this.#readPortion(columns, from, Math.min(count, from + PORTION_ROWS), timeUs);
  }

  /** Answers the time of the last row. */
  #readPortion(columns: Columns, from: number, to: number, before: number): number {
    const { rowClass, rowClient, rowService, origPorts, natPorts, times } = columns;
    const { classes } = this.#tables;
    const { words: clients, count: clientCount } = this.#clients;
    const { words: services, count: serviceCount } = this.#services;
    let timeUs = before;
    for (let i = from; i < to; i++) {
      const classAt = rowClass[i] * CLASS_FIELDS;
      const client = rowClient[i];
      const service = rowService[i];
      if (classAt >= classes.length || client >= clientCount || service >= serviceCount)
        throw badPayload('refers outside its tables');
      const word = classes[classAt];
      const family = (word >>> ClassShift.ipv6) & 1;
      const clientAt = client * RESOLVED_WORDS;
      const serviceAt = service * RESOLVED_WORDS;
      if (clients[clientAt] !== family || services[serviceAt] !== family)
        throw badPayload('refers to an address that it does not contain');
      const rows = family === Family.ipv4 ? this.#rows4 : this.#rows6;
      if (rows.count === rows.capacity) this.#flush(rows);
      const row = rows.count++;
      const { keys } = rows;
      let at = row * rows.keyWords;
      if (family === Family.ipv4) {
        keys[at] = clients[clientAt + Resolved.own];
        keys[at + 1] = services[serviceAt + Resolved.own];
        keys[at + 2] = services[serviceAt + Resolved.other];
        keys[at + 3] = clients[clientAt + Resolved.other];
        at += 4;
      } else {
        this.#setAddress6(keys, at, clients[clientAt + Resolved.own]);
        this.#setAddress6(keys, at + 4, services[serviceAt + Resolved.own]);
        this.#setAddress6(keys, at + 8, services[serviceAt + Resolved.other]);
        this.#setAddress6(keys, at + 12, clients[clientAt + Resolved.other]);
        at += 16;
      }
      const proto = (word >>> ClassShift.proto) & 0xff;
      const port = origPorts[i];
      const mirroredSource = (port + natPorts[i]) & 0xffff;
      const ports = services[serviceAt + Resolved.ports];
      const mirroredDestination = ports & 0xffff;
      keys[at] = (port << 16) | (ports >>> 16);
      keys[at + 1] = tradesReplyPorts(proto)
        ? (mirroredSource << 16) | mirroredDestination
        : (mirroredDestination << 16) | mirroredSource;
      keys[at + 2] =
        (classes[classAt + 3] & 0xffff) |
        (((word >>> ClassShift.zoneDirection) & 3) << DIRECTION_SHIFT) |
        (proto << PROTO_SHIFT);
      timeUs += times.zigzag();
      rows.timeUs[row] = timeUs;
      rows.kind[row] = word & 7;
      rows.flags[row] = word >>> ClassShift.flags;
      rows.timeSource[row] = (word >>> ClassShift.timeSource) & 7;
      rows.status[row] = classes[classAt + 1];
      rows.mark[row] = classes[classAt + 2];
    }
    return timeUs;
  }

  #setAddress6(keys: Uint32Array, at: number, address: number): void {
    const { words } = this.#addresses6;
    for (let i = 0; i < 4; i++) keys[at + i] = words[address * 4 + i];
  }
}

/** Values of the family bit in the class of a row; `none` stands for neither. */
const Family = { ipv4: 0, ipv6: 1, none: 2 } as const;

/**
 * Words of a client or service: the family that both addresses are of, the address and what NAT makes of it
 * (of IPv6 the indexes), and the port and what NAT makes of that. They stand together, because rows refer to
 * clients and services in no order and each reference then misses one cache line.
 */
const Resolved = { family: 0, own: 1, other: 2, ports: 3 } as const;
const RESOLVED_WORDS = 4;

class ResolvedTable {
  count = 0;
  words = new Uint32Array(0);

  reset(count: number): this {
    if (count * RESOLVED_WORDS > this.words.length) this.words = new Uint32Array(count * RESOLVED_WORDS);
    this.count = count;
    return this;
  }
}
