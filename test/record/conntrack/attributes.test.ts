/** The table of attributes against the kernel's own numbers. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  ATTRIBUTES,
  Context,
  Field,
  NUMBERS_PER_CONTEXT,
  OPERATIONS,
} from '../../../src/record/conntrack/attributes.js';

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
