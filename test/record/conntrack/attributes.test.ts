/** The table of attributes against the kernel's own numbers, the decoder and the encoder. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  ATTRIBUTES,
  type Attribute,
  Context,
  Field,
  MINIMUM_BYTES,
  NUMBERS_PER_CONTEXT,
  OPERATIONS,
  WIRE_BYTES,
} from '../../../src/record/conntrack/attributes.js';
import { decode, type Row } from './decoded.js';
import { encodeAttributes, type Node, type Value } from './encode-message.js';
import { end } from './samples.js';

/** Comes with linux-libc-dev; may be older than the kernel, or missing. */
const HEADER = '/usr/include/linux/netfilter/nfnetlink_conntrack.h';

/** include/uapi/linux/netfilter/nfnetlink_conntrack.h of Linux 6.18: place in the list = number. */
const ENUMS: Readonly<Record<string, string>> = {
  ctattr_type: `CTA_UNSPEC CTA_TUPLE_ORIG CTA_TUPLE_REPLY CTA_STATUS CTA_PROTOINFO CTA_HELP CTA_NAT_SRC CTA_TIMEOUT CTA_MARK
    CTA_COUNTERS_ORIG CTA_COUNTERS_REPLY CTA_USE CTA_ID CTA_NAT_DST CTA_TUPLE_MASTER CTA_SEQ_ADJ_ORIG CTA_SEQ_ADJ_REPLY
    CTA_SECMARK CTA_ZONE CTA_SECCTX CTA_TIMESTAMP CTA_MARK_MASK CTA_LABELS CTA_LABELS_MASK CTA_SYNPROXY CTA_FILTER
    CTA_STATUS_MASK CTA_TIMESTAMP_EVENT`,
  ctattr_tuple: 'CTA_TUPLE_UNSPEC CTA_TUPLE_IP CTA_TUPLE_PROTO CTA_TUPLE_ZONE',
  ctattr_ip: 'CTA_IP_UNSPEC CTA_IP_V4_SRC CTA_IP_V4_DST CTA_IP_V6_SRC CTA_IP_V6_DST',
  ctattr_l4proto: `CTA_PROTO_UNSPEC CTA_PROTO_NUM CTA_PROTO_SRC_PORT CTA_PROTO_DST_PORT CTA_PROTO_ICMP_ID CTA_PROTO_ICMP_TYPE
    CTA_PROTO_ICMP_CODE CTA_PROTO_ICMPV6_ID CTA_PROTO_ICMPV6_TYPE CTA_PROTO_ICMPV6_CODE`,
  ctattr_protoinfo: 'CTA_PROTOINFO_UNSPEC CTA_PROTOINFO_TCP CTA_PROTOINFO_DCCP CTA_PROTOINFO_SCTP',
  ctattr_protoinfo_tcp: `CTA_PROTOINFO_TCP_UNSPEC CTA_PROTOINFO_TCP_STATE CTA_PROTOINFO_TCP_WSCALE_ORIGINAL
    CTA_PROTOINFO_TCP_WSCALE_REPLY CTA_PROTOINFO_TCP_FLAGS_ORIGINAL CTA_PROTOINFO_TCP_FLAGS_REPLY`,
  ctattr_help: 'CTA_HELP_UNSPEC CTA_HELP_NAME CTA_HELP_INFO',
  ctattr_counters: `CTA_COUNTERS_UNSPEC CTA_COUNTERS_PACKETS CTA_COUNTERS_BYTES CTA_COUNTERS32_PACKETS CTA_COUNTERS32_BYTES
    CTA_COUNTERS_PAD`,
  ctattr_tstamp: 'CTA_TIMESTAMP_UNSPEC CTA_TIMESTAMP_START CTA_TIMESTAMP_STOP CTA_TIMESTAMP_PAD',
};

const enumOf: Readonly<Record<number, string>> = {
  [Context.message]: 'ctattr_type',
  [Context.tupleOrig]: 'ctattr_tuple',
  [Context.tupleReply]: 'ctattr_tuple',
  [Context.ipOrig]: 'ctattr_ip',
  [Context.ipReply]: 'ctattr_ip',
  [Context.protoOrig]: 'ctattr_l4proto',
  [Context.protoReply]: 'ctattr_l4proto',
  [Context.protoinfo]: 'ctattr_protoinfo',
  [Context.protoinfoTcp]: 'ctattr_protoinfo_tcp',
  [Context.help]: 'ctattr_help',
  [Context.countersOrig]: 'ctattr_counters',
  [Context.countersReply]: 'ctattr_counters',
  [Context.timestamp]: 'ctattr_tstamp',
};

/** Names and numbers of the C enums in a header. */
function enumsIn(header: string): Map<string, Map<string, number>> {
  const code = header.replaceAll(/\/\*.*?\*\/|^#[^\n]*/gms, '');
  const enums = new Map<string, Map<string, number>>();
  for (const [, enumName, body] of code.matchAll(/enum (\w+) \{(.*?)\};/gs)) {
    const numbers = new Map<string, number>();
    let next = 0;
    for (const [, name, value] of body.matchAll(/(\w+)(?:\s*=\s*(\w+))?\s*(?:,|$)/g)) {
      if (value !== undefined) next = numbers.get(value) ?? Number(value);
      numbers.set(name, next++);
    }
    enums.set(enumName, numbers);
  }
  return enums;
}

test('every attribute has the number that the kernel gives its name', () => {
  for (const { name, number, context } of ATTRIBUTES)
    assert.equal(ENUMS[enumOf[context]].split(/\s+/)[number], name, `${name} is not ${number}`);
});

test("this test's copy of the header is the header, where there is one", (t) => {
  if (!existsSync(HEADER)) {
    t.diagnostic(`no ${HEADER} here: compared with the copy only`);
    return;
  }
  const enums = enumsIn(readFileSync(HEADER, 'utf8'));
  let compared = 0;
  for (const [enumName, names] of Object.entries(ENUMS))
    for (const [number, name] of names.split(/\s+/).entries()) {
      const inHeader = enums.get(enumName)?.get(name);
      if (inHeader === undefined) continue; // an older header than the kernel the copy is of
      assert.equal(inHeader, number, name);
      compared++;
    }
  assert.ok(compared >= 65, `only ${compared} names found in ${HEADER}`);
});

test('each place and number is declared once, and the decoder looks up what is declared', () => {
  const expected = new Uint8Array(OPERATIONS.length);
  for (const { name, number, context, wire, field } of ATTRIBUTES) {
    assert.ok(number > 0 && number < NUMBERS_PER_CONTEXT, name);
    const at = context * NUMBERS_PER_CONTEXT + number;
    assert.equal(expected[at], Field.unknown, `${name} is declared twice`);
    assert.equal(wire === 'nested', field >= Field.nested, name);
    expected[at] = field;
  }
  assert.deepEqual(OPERATIONS, expected);
});

test('each context but the message stands inside one attribute', () => {
  const inside = ATTRIBUTES.filter(({ wire }) => wire === 'nested').map(({ field }) => field - Field.nested);
  assert.deepEqual(
    inside.sort((a, b) => a - b),
    Array.from({ length: Context.count - 1 }, (_, i) => i + 1),
  );
});

/** As a value, what many bytes of 1 are. */
const ONES: Readonly<Record<Attribute['wire'], Value>> = {
  u8: 0x01,
  be16: 0x0101,
  be32: 0x01010101,
  be64: 0x0101010101010101n,
  ipv4: '1.1.1.1',
  ipv6: '101:101:101:101:101:101:101:101',
  text: '\x01\x01\x01',
  bytes: ones(4),
  nested: [],
};
const HEADER_BYTES = 4;

function ones(lengthBytes: number): Uint8Array {
  return new Uint8Array(lengthBytes).fill(1);
}

/** The row of a message with hardly more than an address, and then this value where its attribute stands. */
function rowWith({ name, context, wire }: Attribute, value?: Uint8Array): Row {
  const address: Node = wire === 'ipv6' ? ['CTA_IP_V6_SRC', 'fd77::1'] : ['CTA_IP_V4_SRC', '10.0.0.1'];
  const tuple: Node[] = [['CTA_TUPLE_IP', [address]]];
  // Types and codes are shown where there can be any.
  if (name.includes('ICMP')) tuple.push(['CTA_TUPLE_PROTO', [['CTA_PROTO_NUM', 58]]]);
  const nodes: Node[] = [['CTA_TUPLE_ORIG', tuple]];
  if (value !== undefined) nodes.push(inContext([name, value], context));
  return decode(end(nodes)).row!;
}

/** The node inside those that lead to its context. */
function inContext(node: Node, context: number): Node {
  if (context === Context.message) return node;
  const parent = ATTRIBUTES.find(({ field }) => field === Field.nested + context)!;
  return inContext([parent.name, [node]], parent.context);
}

test('every value is encoded and decoded in the bytes that its declaration says', () => {
  const values = ATTRIBUTES.filter(({ wire, field }) => wire !== 'nested' && field !== Field.skip);
  assert.ok(values.length >= 40);
  for (const attribute of values) {
    const { name, context, wire, field } = attribute;
    const bytes = WIRE_BYTES[wire];
    const without = rowWith(attribute);
    assert.equal(MINIMUM_BYTES[field], bytes, name);
    assert.notDeepEqual(rowWith(attribute, ones(Math.max(bytes, 4))), without, `${name} is not read`);
    if (bytes === 0) continue; // of any length
    const encoded = encodeAttributes([[name, ONES[wire]]], context);
    assert.deepEqual(encoded.subarray(HEADER_BYTES, encoded.readUInt16LE(0)), Buffer.from(ones(bytes)), name);
    const whole = rowWith(attribute, ones(bytes));
    assert.deepEqual(rowWith(attribute, ones(bytes + 4)), whole, `${name} with padding counted in`);
    assert.deepEqual(rowWith(attribute, ones(bytes - 1)), without, `${name} cut`);
  }
});
