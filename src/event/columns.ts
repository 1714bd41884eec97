/**
 * The columns of an EventBatch, each declared once. The batch, the digest of rows, the encoder, the decoder
 * and the JSON output take from here what they do for every column alike; what they write out by hand, since
 * it runs for every row, the tests hold against this table, and FORMAT.md and docs/json.md as well.
 *
 * A new optional column is an entry here with a section of its own, a line in FORMAT.md and, if it has a JSON
 * key, in docs/json.md; and somebody who fills it.
 */

export interface ColumnDeclaration {
  readonly array:
    | Uint8ArrayConstructor
    | Uint16ArrayConstructor
    | Uint32ArrayConstructor
    | Float64ArrayConstructor;
  /** Elements of the array that belong to one row; 1 when absent. */
  readonly elements?: number;
  /** What the value is, as in FORMAT.md. */
  readonly what: string;
  /** What the value counts. */
  readonly unit?: 'microseconds' | 'seconds';
  /** Not every row has a value; 0 means that it has none. A bit of `present` says whether any row has. */
  readonly optional?: true;
  /** The optional column whose bit speaks for this one too. */
  readonly presentWith?: string;
  /** The value is an index into the batch's addresses of the row's family, or into its helper names. */
  readonly refersTo?: 'addresses' | 'helpers';
  /** Where the value stands in a class, the entry of a block's dictionary that a row names: word and bits. */
  readonly classBits?: { readonly word: number; readonly shift: number; readonly bits: number };
  /** Where the value stands in a block when it has a section of its own. */
  readonly section?: SectionDeclaration;
  /** Keys of JSON that tell the value; none when JSON leaves it out. */
  readonly json: readonly string[];
}

/** `id` is the section's, `rowBit` the bit of a class's word 0 that its rows have a value. */
export type SectionDeclaration =
  /** Every row, 0 included: varints, or the bytes of the elements as they are. */
  | { readonly id: number; readonly form: 'varints' | 'bytes' }
  /** Rows with `rowBit`: the time minus this one, or this one minus the time, zigzag varints. */
  | { readonly id: number; readonly form: 'age' | 'duration'; readonly rowBit: number }
  /** Rows with `rowBit`: a section for each of four 64-bit numbers, varints. */
  | { readonly id: number; readonly form: 'counters'; readonly rowBit: number };

export const columns = {
  /** See RecordKind. */
  kind: {
    array: Uint8Array,
    what: 'what the row is',
    classBits: { word: 0, shift: 0, bits: 3 },
    json: ['event'],
  },
  /** See RecordFlag. */
  flags: {
    array: Uint8Array,
    what: 'what is known of the row besides',
    classBits: { word: 0, shift: 3, bits: 8 },
    json: ['replied', 'startSeen', 'endSeen', 'derived', 'spansGap', 'partial'],
  },
  /**
   * Below 2^52, until the year 2112. A connection's is its start (its end when the start was not seen).
   */
  timeUs: {
    array: Float64Array,
    what: 'time of the event, or start of the connection',
    unit: 'microseconds',
    json: ['time'],
  },
  /** See TimeSource. */
  timeSource: {
    array: Uint8Array,
    what: 'where the time comes from',
    classBits: { word: 0, shift: 11, bits: 3 },
    json: ['timeSource'],
  },
  /** AF_INET or AF_INET6: which address table the row's indexes mean. A class tells IPv6 by its bit. */
  family: {
    array: Uint8Array,
    what: 'IPv4 or IPv6',
    classBits: { word: 0, shift: 14, bits: 1 },
    json: [],
  },
  proto: {
    array: Uint8Array,
    what: 'layer-4 protocol',
    classBits: { word: 0, shift: 15, bits: 8 },
    json: ['proto'],
  },
  origSrc: {
    array: Uint32Array,
    what: 'original source address',
    refersTo: 'addresses',
    json: ['orig.src'],
  },
  origDst: {
    array: Uint32Array,
    what: 'original destination address',
    refersTo: 'addresses',
    json: ['orig.dst'],
  },
  replySrc: {
    array: Uint32Array,
    what: 'reply source address',
    refersTo: 'addresses',
    json: ['reply.src'],
  },
  replyDst: {
    array: Uint32Array,
    what: 'reply destination address',
    refersTo: 'addresses',
    json: ['reply.dst'],
  },
  /**
   * Ports; for ICMP and ICMPv6 the source port is the id and the destination port is type << 8 | code; for
   * GRE the keys.
   */
  origSrcPort: {
    array: Uint16Array,
    what: 'original source port',
    json: ['orig.sport', 'orig.id', 'orig.srckey'],
  },
  origDstPort: {
    array: Uint16Array,
    what: 'original destination port',
    json: ['orig.dport', 'orig.type', 'orig.code', 'orig.dstkey'],
  },
  replySrcPort: {
    array: Uint16Array,
    what: 'reply source port',
    json: ['reply.sport', 'reply.id', 'reply.srckey'],
  },
  replyDstPort: {
    array: Uint16Array,
    what: 'reply destination port',
    json: ['reply.dport', 'reply.type', 'reply.code', 'reply.dstkey'],
  },

  /** enum ip_conntrack_status bits, host order. */
  status: {
    array: Uint32Array,
    what: '`enum ip_conntrack_status` bits',
    optional: true,
    classBits: { word: 1, shift: 0, bits: 32 },
    json: ['status'],
  },
  mark: {
    array: Uint32Array,
    what: 'conntrack mark',
    optional: true,
    classBits: { word: 2, shift: 0, bits: 32 },
    json: ['mark'],
  },
  zone: {
    array: Uint16Array,
    what: 'conntrack zone',
    optional: true,
    classBits: { word: 3, shift: 0, bits: 16 },
    json: ['zone'],
  },
  /** See ZoneDirection. */
  zoneDirection: {
    array: Uint8Array,
    what: 'tuples that the zone applies to',
    optional: true,
    presentWith: 'zone',
    classBits: { word: 0, shift: 27, bits: 2 },
    json: ['zoneDirection'],
  },
  tcpState: {
    array: Uint8Array,
    what: '`enum tcp_conntrack` + 1',
    optional: true,
    classBits: { word: 0, shift: 23, bits: 4 },
    json: ['tcpState'],
  },
  helper: {
    array: Uint8Array,
    what: 'conntrack helper',
    optional: true,
    refersTo: 'helpers',
    classBits: { word: 3, shift: 16, bits: 8 },
    json: ['helper'],
  },
  /** Kernel's start time of the entry. */
  startUs: {
    array: Float64Array,
    what: 'start of the connection, by the kernel’s clock',
    unit: 'microseconds',
    optional: true,
    section: { id: 32, form: 'age', rowBit: 29 },
    json: ['start'],
  },
  endUs: {
    array: Float64Array,
    what: 'end of the connection; of derived rows the earliest time',
    unit: 'microseconds',
    optional: true,
    section: { id: 33, form: 'duration', rowBit: 30 },
    json: ['end', 'endBefore', 'endAfter', 'startAfter', 'startBefore'],
  },
  /** Pairs of u32, low and high, of each 64-bit counter. */
  counters: {
    array: Uint32Array,
    elements: 8,
    what: 'orig packets, orig bytes, reply packets, reply bytes',
    optional: true,
    section: { id: 34, form: 'counters', rowBit: 31 },
    json: ['orig.packets', 'orig.bytes', 'reply.packets', 'reply.bytes'],
  },
  id: {
    array: Uint32Array,
    what: 'conntrack id',
    optional: true,
    section: { id: 40, form: 'varints' },
    json: ['id'],
  },
  timeoutSeconds: {
    array: Uint32Array,
    what: 'timeout of the entry',
    unit: 'seconds',
    optional: true,
    section: { id: 41, form: 'varints' },
    json: [],
  },
  use: {
    array: Uint32Array,
    what: 'reference count of the entry',
    optional: true,
    section: { id: 42, form: 'varints' },
    json: [],
  },
  /** 16 bytes as the kernel sent them. */
  labels: {
    array: Uint8Array,
    elements: 16,
    what: '128 conntrack labels, a bit each',
    optional: true,
    section: { id: 43, form: 'bytes' },
    json: [],
  },
} as const satisfies Record<string, ColumnDeclaration>;

type Columns = typeof columns;
export type ColumnName = keyof Columns;
export type OptionalColumnName = ColumnsWith<{ optional: true }>;

/** Names of the columns whose declaration has what `Part` has. */
export type ColumnsWith<Part> = {
  [Name in ColumnName]: Columns[Name] extends Part ? Name : never;
}[ColumnName];

/** A typed array for each column. */
export type ColumnArrays = { readonly [Name in ColumnName]: Columns[Name]['array']['prototype'] };

/** All columns in the order of the table, declarations without their literal types. */
export const columnEntries = Object.entries(columns) as readonly (readonly [
  name: ColumnName,
  column: ColumnDeclaration,
])[];
