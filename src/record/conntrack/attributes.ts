/**
 * Every ctnetlink attribute that we know, declared once: kernel name, number, where it stands, how its value
 * is sent, and what it becomes. Numbers are those of include/uapi/linux/netfilter/nfnetlink_conntrack.h.
 * Decoder, requests and the tests' encoder work from this table. It is flattened once into `OPERATIONS` and
 * `MINIMUM_BYTES`, so that the hot path looks up one byte per attribute.
 */
import { invariant } from '../../base/errors.js';
import { CTA_PROTO_NUM, CTA_TUPLE_ORIG, CTA_TUPLE_PROTO } from '../netlink/constants.js';
import { ATTRIBUTE_HEADER_BYTES, NLA_F_NESTED } from '../netlink/message.js';

/** Where an attribute stands: the message itself or a nested attribute. */
// biome-ignore lint/suspicious/noConstEnum: numbers in the code, not looked up in an object: 11 % of a decode
export const enum Context {
  message = 0,
  tupleOrig = 1,
  tupleReply = 2,
  ipOrig = 3,
  ipReply = 4,
  protoOrig = 5,
  protoReply = 6,
  protoinfo = 7,
  protoinfoTcp = 8,
  help = 9,
  countersOrig = 10,
  countersReply = 11,
  timestamp = 12,
  count = 13,
}

/** What the decoder does with a value. `skip`: known, nothing a log wants. */
// biome-ignore lint/suspicious/noConstEnum: as above
export const enum Field {
  unknown = 0,
  skip = 1,
  origSrc4 = 2,
  origDst4 = 3,
  replySrc4 = 4,
  replyDst4 = 5,
  origSrc6 = 6,
  origDst6 = 7,
  replySrc6 = 8,
  replyDst6 = 9,
  protoOrig = 10,
  protoReply = 11,
  origSrcPort = 12,
  origDstPort = 13,
  replySrcPort = 14,
  replyDstPort = 15,
  origIcmpType = 16,
  origIcmpCode = 17,
  replyIcmpType = 18,
  replyIcmpCode = 19,
  zone = 20,
  zoneOrig = 21,
  zoneReply = 22,
  status = 23,
  tcpState = 24,
  helper = 25,
  timeoutSeconds = 26,
  mark = 27,
  origPackets = 28,
  origBytes = 29,
  replyPackets = 30,
  replyBytes = 31,
  use = 32,
  id = 33,
  timeStart = 34,
  timeStop = 35,
  timeEvent = 36,
  labels = 37,
  /** From here on: nested; minus this, the context inside. */
  nested = 64,
}

/**
 * How a value is sent, and its bytes, 0 where they vary. Numbers are big-endian, "text" ends in NUL, "nested"
 * holds attributes.
 */
export const WIRE_BYTES = {
  u8: 1,
  be16: 2,
  be32: 4,
  be64: 8,
  ipv4: 4,
  ipv6: 16,
  text: 0,
  bytes: 0,
  nested: 0,
} as const;
export type WireType = keyof typeof WIRE_BYTES;

export interface Attribute {
  readonly name: string;
  readonly number: number;
  readonly context: Context;
  readonly wire: WireType;
  /** A Field, or Field.nested plus the context inside. */
  readonly field: number;
}

function nest(name: string, number: number, context: Context, inside: Context): Attribute {
  return { name, number, context, wire: 'nested', field: Field.nested + inside };
}

function leaf(name: string, number: number, context: Context, wire: WireType, field: number): Attribute {
  return { name, number, context, wire, field };
}

function tuple(ip: Context, proto: Context, at: Context, reply: boolean): Attribute[] {
  return [
    nest('CTA_TUPLE_IP', 1, at, ip),
    nest('CTA_TUPLE_PROTO', CTA_TUPLE_PROTO, at, proto),
    leaf('CTA_TUPLE_ZONE', 3, at, 'be16', reply ? Field.zoneReply : Field.zoneOrig),
    leaf('CTA_IP_V4_SRC', 1, ip, 'ipv4', reply ? Field.replySrc4 : Field.origSrc4),
    leaf('CTA_IP_V4_DST', 2, ip, 'ipv4', reply ? Field.replyDst4 : Field.origDst4),
    leaf('CTA_IP_V6_SRC', 3, ip, 'ipv6', reply ? Field.replySrc6 : Field.origSrc6),
    leaf('CTA_IP_V6_DST', 4, ip, 'ipv6', reply ? Field.replyDst6 : Field.origDst6),
    leaf('CTA_PROTO_NUM', CTA_PROTO_NUM, proto, 'u8', reply ? Field.protoReply : Field.protoOrig),
    leaf('CTA_PROTO_SRC_PORT', 2, proto, 'be16', reply ? Field.replySrcPort : Field.origSrcPort),
    leaf('CTA_PROTO_DST_PORT', 3, proto, 'be16', reply ? Field.replyDstPort : Field.origDstPort),
    leaf('CTA_PROTO_ICMP_ID', 4, proto, 'be16', reply ? Field.replySrcPort : Field.origSrcPort),
    leaf('CTA_PROTO_ICMP_TYPE', 5, proto, 'u8', reply ? Field.replyIcmpType : Field.origIcmpType),
    leaf('CTA_PROTO_ICMP_CODE', 6, proto, 'u8', reply ? Field.replyIcmpCode : Field.origIcmpCode),
    leaf('CTA_PROTO_ICMPV6_ID', 7, proto, 'be16', reply ? Field.replySrcPort : Field.origSrcPort),
    leaf('CTA_PROTO_ICMPV6_TYPE', 8, proto, 'u8', reply ? Field.replyIcmpType : Field.origIcmpType),
    leaf('CTA_PROTO_ICMPV6_CODE', 9, proto, 'u8', reply ? Field.replyIcmpCode : Field.origIcmpCode),
  ];
}

export const ATTRIBUTES: readonly Attribute[] = [
  nest('CTA_TUPLE_ORIG', CTA_TUPLE_ORIG, Context.message, Context.tupleOrig),
  nest('CTA_TUPLE_REPLY', 2, Context.message, Context.tupleReply),
  leaf('CTA_STATUS', 3, Context.message, 'be32', Field.status),
  nest('CTA_PROTOINFO', 4, Context.message, Context.protoinfo),
  nest('CTA_HELP', 5, Context.message, Context.help),
  leaf('CTA_NAT_SRC', 6, Context.message, 'bytes', Field.skip),
  leaf('CTA_TIMEOUT', 7, Context.message, 'be32', Field.timeoutSeconds),
  leaf('CTA_MARK', 8, Context.message, 'be32', Field.mark),
  nest('CTA_COUNTERS_ORIG', 9, Context.message, Context.countersOrig),
  nest('CTA_COUNTERS_REPLY', 10, Context.message, Context.countersReply),
  leaf('CTA_USE', 11, Context.message, 'be32', Field.use),
  leaf('CTA_ID', 12, Context.message, 'be32', Field.id),
  leaf('CTA_NAT_DST', 13, Context.message, 'bytes', Field.skip),
  leaf('CTA_TUPLE_MASTER', 14, Context.message, 'bytes', Field.skip),
  leaf('CTA_SEQ_ADJ_ORIG', 15, Context.message, 'bytes', Field.skip),
  leaf('CTA_SEQ_ADJ_REPLY', 16, Context.message, 'bytes', Field.skip),
  leaf('CTA_SECMARK', 17, Context.message, 'bytes', Field.skip),
  leaf('CTA_ZONE', 18, Context.message, 'be16', Field.zone),
  leaf('CTA_SECCTX', 19, Context.message, 'bytes', Field.skip),
  nest('CTA_TIMESTAMP', 20, Context.message, Context.timestamp),
  leaf('CTA_LABELS', 22, Context.message, 'bytes', Field.labels),
  leaf('CTA_SYNPROXY', 24, Context.message, 'bytes', Field.skip),
  leaf('CTA_TIMESTAMP_EVENT', 27, Context.message, 'be64', Field.timeEvent),
  ...tuple(Context.ipOrig, Context.protoOrig, Context.tupleOrig, false),
  ...tuple(Context.ipReply, Context.protoReply, Context.tupleReply, true),
  nest('CTA_PROTOINFO_TCP', 1, Context.protoinfo, Context.protoinfoTcp),
  leaf('CTA_PROTOINFO_DCCP', 2, Context.protoinfo, 'bytes', Field.skip),
  leaf('CTA_PROTOINFO_SCTP', 3, Context.protoinfo, 'bytes', Field.skip),
  leaf('CTA_PROTOINFO_TCP_STATE', 1, Context.protoinfoTcp, 'u8', Field.tcpState),
  leaf('CTA_PROTOINFO_TCP_WSCALE_ORIGINAL', 2, Context.protoinfoTcp, 'u8', Field.skip),
  leaf('CTA_PROTOINFO_TCP_WSCALE_REPLY', 3, Context.protoinfoTcp, 'u8', Field.skip),
  leaf('CTA_PROTOINFO_TCP_FLAGS_ORIGINAL', 4, Context.protoinfoTcp, 'bytes', Field.skip),
  leaf('CTA_PROTOINFO_TCP_FLAGS_REPLY', 5, Context.protoinfoTcp, 'bytes', Field.skip),
  leaf('CTA_HELP_NAME', 1, Context.help, 'text', Field.helper),
  leaf('CTA_HELP_INFO', 2, Context.help, 'bytes', Field.skip),
  leaf('CTA_COUNTERS_PACKETS', 1, Context.countersOrig, 'be64', Field.origPackets),
  leaf('CTA_COUNTERS_BYTES', 2, Context.countersOrig, 'be64', Field.origBytes),
  leaf('CTA_COUNTERS_PAD', 5, Context.countersOrig, 'bytes', Field.skip),
  leaf('CTA_COUNTERS_PACKETS', 1, Context.countersReply, 'be64', Field.replyPackets),
  leaf('CTA_COUNTERS_BYTES', 2, Context.countersReply, 'be64', Field.replyBytes),
  leaf('CTA_COUNTERS_PAD', 5, Context.countersReply, 'bytes', Field.skip),
  leaf('CTA_TIMESTAMP_START', 1, Context.timestamp, 'be64', Field.timeStart),
  leaf('CTA_TIMESTAMP_STOP', 2, Context.timestamp, 'be64', Field.timeStop),
  leaf('CTA_TIMESTAMP_PAD', 3, Context.timestamp, 'bytes', Field.skip),
];

/** Attribute numbers below this have an entry in OPERATIONS; larger ones are unknown. */
export const NUMBERS_PER_CONTEXT = 32;

/** Field of (context, number): element context * NUMBERS_PER_CONTEXT + number. */
export const OPERATIONS = new Uint8Array(Context.count * NUMBERS_PER_CONTEXT);
/**
 * Shortest payload of each field, 0 where its length varies. A longer one holds the value at its beginning:
 * kernels have counted padding in.
 */
export const MINIMUM_BYTES = new Uint8Array(Field.nested);
for (const { context, number, wire, field } of ATTRIBUTES) {
  OPERATIONS[context * NUMBERS_PER_CONTEXT + number] = field;
  if (wire !== 'nested' && field !== Field.skip) MINIMUM_BYTES[field] = WIRE_BYTES[wire];
}

const byName = new Map(ATTRIBUTES.map((attribute) => [`${attribute.context} ${attribute.name}`, attribute]));

/** What is declared under a kernel name, which may stand in several contexts. */
export function attributeNamed(context: Context, name: string): Attribute {
  const attribute = byName.get(`${context} ${name}`);
  invariant(attribute !== undefined, `no attribute ${name} in context ${context}`);
  return attribute;
}

/** The attribute's number with the flag that the kernel sets on those that hold others. */
export function typeOf({ number, wire }: Attribute): number {
  return wire === 'nested' ? number | NLA_F_NESTED : number;
}

/** The header of an attribute as a little-endian word: length with the header's own, then type. */
export function headerWord(context: Context, name: string, payloadBytes?: number): number {
  const attribute = attributeNamed(context, name);
  const length = ATTRIBUTE_HEADER_BYTES + (payloadBytes ?? WIRE_BYTES[attribute.wire]);
  return ((typeOf(attribute) << 16) | length) >>> 0;
}
