/**
 * What the sections of a block hold, by id; FORMAT.md describes them byte by byte. A block is encoded by
 * dictionaries: what rows have in common stands once in a table of classes, clients or services, and rows
 * hold indexes. Encoder and decoder write those out by hand; the columns that have a section of their own
 * they take from `sectionColumns`.
 */

import { Column } from '../../event/batch.js';
import {
  type ColumnName,
  type ColumnsWith,
  columnEntries,
  columns,
  type OptionalColumnName,
  type SectionDeclaration,
} from '../../event/columns.js';

/** All of EventBatch's columns. */
export const ALL_COLUMNS = 0xffffffff;

/**
 * Every section of a row at full length (IPv6, all columns); buffers are sized by it, and pages no batch
 * needs are never touched.
 */
export const WORST_BYTES_PER_ROW = 256;

export const Section = {
  /** IPv4 addresses but the all-zero one: zigzag varint differences */
  addresses4: 1,
  /** IPv6 addresses but the all-zero one: 16 bytes each */
  addresses6: 2,
  /** Classes: varints, CLASS_FIELDS each */
  classes: 3,
  /** Helper names: length u8 and bytes each, without the empty one */
  helpers: 4,
  /** Clients: source address reference, zigzag varint delta to the previous entry */
  clientSource: 5,
  /** Clients: 0 = leaves with its own address, else 1 + reference of the NAT address, varint */
  clientNat: 6,
  /** Services: destination address reference, zigzag varint delta to the previous entry */
  serviceDestination: 7,
  /** Services: destination port, all low bytes, then all high bytes */
  servicePort: 8,
  /** Services: 0 = no DNAT address, else 1 + reference of the address it becomes, varint */
  serviceNat: 9,
  /**
   * Services: reply source port minus destination port modulo 2^16, low bytes, then high bytes; absent = all
   * zero
   */
  serviceNatPort: 10,

  /** Per row: class index, low byte; high byte when there are more than 256 */
  rowClassLow: 16,
  rowClassHigh: 17,
  rowClientLow: 18,
  rowClientHigh: 19,
  rowServiceLow: 20,
  rowServiceHigh: 21,
  /** Per row: original source port */
  rowPortLow: 22,
  rowPortHigh: 23,
  /** Per row: reply destination port minus original source port modulo 2^16; absent = all zero */
  rowNatPortLow: 24,
  rowNatPortHigh: 25,
  /** In place of rowNatPort where few rows have one: rows from the one before to each of these, varint */
  natPortRow: 27,
  /**
   * Per row: microseconds since the row before (the first: since the block's smallest time), zigzag varint
   */
  rowTime: 26,
  /**
   * In place of rowPort: original source ports in the order of the rows' clients, rows of one client in their
   * order
   */
  clientPortLow: 28,
  clientPortHigh: 29,
  /** With natPortRow: what rowNatPort would hold, of these rows only */
  natPortLow: 30,
  natPortHigh: 31,

  /** Per row whose class says so: time minus kernel start time, microseconds, zigzag varint */
  startAge: columns.startUs.section.id,
  /** Per row whose class says so: end minus time, microseconds, zigzag varint */
  duration: columns.endUs.section.id,
  /** Per row whose class says so: 64-bit varints */
  origPackets: columns.counters.section.id,
  origBytes: columns.counters.section.id + 1,
  replyPackets: columns.counters.section.id + 2,
  replyBytes: columns.counters.section.id + 3,
  /** Per row, when present: varints, or bytes as they are */
  ...wholeSections(),

  /**
   * In place of rowTime: the row's last time (its end where the class says that it has one, else its time),
   * microseconds since that of the row before (the first: since the block's smallest time), zigzag; a plane
   * for each byte, the lowest first
   */
  lastTime: 44,
  /**
   * With lastTime, in place of duration: end minus time, zigzag, in the order of the rows' classes; planes as
   * above
   */
  classDuration: 51,
} as const;

/** A column that stands in a section of its own, and its bit of `present`. */
export interface SectionColumn {
  readonly name: ColumnsWith<{ section: object }>;
  readonly bit: number;
  readonly elements: number;
  readonly section: SectionDeclaration;
}

/** In the order in which their sections stand in a block. */
export const sectionColumns: readonly SectionColumn[] = columnEntries.flatMap(([key, column]) => {
  const { section, elements = 1 } = column;
  const name = key as SectionColumn['name'];
  return section === undefined ? [] : [{ name, bit: Column[name], elements, section }];
});

/** The optional columns that classes hold: their bit of `present`, and where in a class they stand. */
export const classColumns = columnEntries.flatMap(([key, { optional, classBits }]) => {
  if (!optional || classBits === undefined) return [];
  const { word, shift, bits } = classBits;
  const mask = bits === 32 ? -1 : (1 << bits) - 1;
  return [{ bit: Column[key as OptionalColumnName], word, shift, mask }];
});

/** Packets and bytes, original and reply: so many section ids in a row. */
const COUNTERS = 4;

/** The id behind the last section of a column. */
export function sectionsEnd({ section }: SectionColumn): number {
  return section.id + (section.form === 'counters' ? COUNTERS : 1);
}

/** Ids of the sections that hold a column of every row, by the column's name. */
function wholeSections(): Readonly<Record<ColumnsWith<{ section: { form: 'varints' | 'bytes' } }>, number>> {
  const ids: Partial<Record<ColumnName, number>> = {};
  for (const [name, { section }] of columnEntries)
    if (section?.form === 'varints' || section?.form === 'bytes') ids[name] = section.id;
  return ids as ReturnType<typeof wholeSections>;
}

/** Planes of a number of up to 53 bits, and so many section ids in a row. */
export const NUMBER_PLANES = 7;

/** Where a value stands in a class's first word; which rows have a start, an end and counters. */
export const ClassShift = {
  kind: columns.kind.classBits.shift,
  flags: columns.flags.classBits.shift,
  timeSource: columns.timeSource.classBits.shift,
  ipv6: columns.family.classBits.shift,
  proto: columns.proto.classBits.shift,
  tcpState: columns.tcpState.classBits.shift,
  zoneDirection: columns.zoneDirection.classBits.shift,
  hasStart: columns.startUs.section.rowBit,
  hasEnd: columns.endUs.section.rowBit,
  hasCounters: columns.counters.section.rowBit,
} as const;
/** A class: word as above, status, mark, zone | helper << 16. */
export const CLASS_FIELDS = 4;

/**
 * ICMP and ICMPv6 tuples carry an id and type and code instead of ports. The reply's id equals the
 * original's, so for these two the reply ports trade places before they are compared with the mirrored
 * original ones.
 */
export function tradesReplyPorts(proto: number): boolean {
  return proto === 1 || proto === 58;
}
