/**
 * Rows of an EventBatch to a block's payload and back: what every section holds, declared once. FORMAT.md
 * describes it byte by byte. `encodeRecords` runs on the parser thread once per block; per row it does table
 * look-ups and typed array stores only.
 */

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
  /** Clients: source address reference, zigzag varint difference to the previous entry */
  clientSource: 5,
  /** Clients: 0 = leaves with its own address, else 1 + reference of the NAT address, varint */
  clientNat: 6,
  /** Services: destination address reference, zigzag varint difference to the previous entry */
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
  startAge: 32,
  /** Per row whose class says so: end minus time, microseconds, zigzag varint */
  duration: 33,
  /** Per row whose class says so: 64-bit varints */
  origPackets: 34,
  origBytes: 35,
  replyPackets: 36,
  replyBytes: 37,
  /** Per row, when present: varints */
  id: 40,
  timeoutSeconds: 41,
  use: 42,
  /** Per row, when present: 16 bytes */
  labels: 43,

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

/** Planes of a number of up to 53 bits, and so many section ids in a row. */
export const NUMBER_PLANES = 7;

/**
 * Bits of a class's first word above kind (3 bits), flags (8), time source (3), IPv6 (1), protocol (8), TCP
 * state (4), zone direction (2).
 */
export const ClassShift = {
  kind: 0,
  flags: 3,
  timeSource: 11,
  ipv6: 14,
  proto: 15,
  tcpState: 23,
  zoneDirection: 27,
  hasStart: 29,
  hasEnd: 30,
  hasCounters: 31,
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
