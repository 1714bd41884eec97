/** Conntrack events in words: the message that the kernel sends for one, and the row that it must become. */
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { AF_INET, AF_INET6 } from '../../../src/event/batch.js';
import { PortMeaning, portMeaning } from '../../../src/event/protocols.js';
import { Proto, type Tuple } from '../../lab/connection.js';
import { RECEIVED_US, type Row, type Side } from './decoded.js';
import { encodeMessage, MSG_CT_DELETE, MSG_CT_NEW, type Node } from './encode-message.js';

export interface Event {
  readonly kind: 'start' | 'end';
  readonly family: 4 | 6;
  readonly proto: number;
  /** Ports of protocols without them are 0. */
  readonly orig: Tuple;
  readonly reply: Tuple;
  readonly zone?: { readonly number: number; readonly direction: 'both' | 'orig' | 'reply' } | undefined;
  readonly status?: number | undefined;
  readonly mark?: number | undefined;
  readonly tcpState?: number | undefined;
  /** Original packets and bytes, reply packets and bytes. */
  readonly counters?: readonly [bigint, bigint, bigint, bigint] | undefined;
  readonly id?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly use?: number | undefined;
  /** 16 bytes. */
  readonly labels?: Uint8Array | undefined;
  readonly helper?: string | undefined;
  readonly startNs?: bigint | undefined;
  readonly stopNs?: bigint | undefined;
  readonly eventNs?: bigint | undefined;
}

const directions = ['both', 'orig', 'reply'] as const;

export function messageOf(event: Event): Buffer {
  return encodeMessage(nodesOf(event), {
    type: event.kind === 'start' ? MSG_CT_NEW : MSG_CT_DELETE,
    family: event.family === 4 ? AF_INET : AF_INET6,
  });
}

/** All attributes, in the order of ctnetlink_conntrack_event (net/netfilter/nf_conntrack_netlink.c). */
export function nodesOf(event: Event): Node[] {
  const { counters, startNs, stopNs, tcpState, helper } = event;
  const times = [...node('CTA_TIMESTAMP_START', startNs), ...node('CTA_TIMESTAMP_STOP', stopNs)];
  return [
    ['CTA_TUPLE_ORIG', tupleNodes(event, 'orig')],
    ['CTA_TUPLE_REPLY', tupleNodes(event, 'reply')],
    ...node('CTA_ZONE', zoneIn(event, 'both')),
    ...node('CTA_ID', event.id),
    ...node('CTA_STATUS', event.status),
    ...node('CTA_TIMEOUT', event.timeoutSeconds),
    ...node('CTA_COUNTERS_ORIG', counters && counterNodes(counters[0], counters[1])),
    ...node('CTA_COUNTERS_REPLY', counters && counterNodes(counters[2], counters[3])),
    ...node('CTA_TIMESTAMP', times.length > 0 ? times : undefined),
    ...node(
      'CTA_PROTOINFO',
      tcpState === undefined
        ? undefined
        : [['CTA_PROTOINFO_TCP', [['CTA_PROTOINFO_TCP_STATE', tcpState] as const]] as const],
    ),
    ...node('CTA_HELP', helper === undefined ? undefined : [['CTA_HELP_NAME', helper] as const]),
    ...node('CTA_LABELS', event.labels),
    ...node('CTA_MARK', event.mark),
    ...node('CTA_USE', event.use),
    ...node('CTA_TIMESTAMP_EVENT', event.eventNs),
  ];
}

/** A node, or none without a value. */
function node(name: string, value: Node[1] | undefined): Node[] {
  return value === undefined ? [] : [[name, value]];
}

function tupleNodes(event: Event, side: 'orig' | 'reply'): Node[] {
  const { src, dst, sport, dport } = event[side];
  const version = event.family === 4 ? 'V4' : 'V6';
  return [
    [
      'CTA_TUPLE_IP',
      [
        [`CTA_IP_${version}_SRC`, src],
        [`CTA_IP_${version}_DST`, dst],
      ],
    ],
    ['CTA_TUPLE_PROTO', [['CTA_PROTO_NUM', event.proto], ...portNodes(event.proto, sport, dport)]],
    ...node('CTA_TUPLE_ZONE', zoneIn(event, side)),
  ];
}

function portNodes(proto: number, sport: number, dport: number): Node[] {
  switch (portMeaning(proto)) {
    case PortMeaning.none:
      return [];
    case PortMeaning.icmp: {
      const prefix = proto === Proto.icmp ? 'CTA_PROTO_ICMP' : 'CTA_PROTO_ICMPV6';
      return [
        [`${prefix}_ID`, sport],
        [`${prefix}_TYPE`, dport >>> 8],
        [`${prefix}_CODE`, dport & 255],
      ];
    }
    default:
      return [
        ['CTA_PROTO_SRC_PORT', sport],
        ['CTA_PROTO_DST_PORT', dport],
      ];
  }
}

function counterNodes(packets: bigint, bytes: bigint): Node[] {
  return [
    ['CTA_COUNTERS_PACKETS', packets],
    ['CTA_COUNTERS_BYTES', bytes],
  ];
}

function zoneIn({ zone }: Event, direction: string): number | undefined {
  return zone?.direction === direction ? zone.number : undefined;
}

/** An end that is told so long after the entry's stop was delivered late. */
const LATE_US = 5000;

function isLate(eventNs: bigint | undefined, stopNs: bigint | undefined): boolean {
  return eventNs !== undefined && stopNs !== undefined && us(eventNs) - us(stopNs) >= LATE_US;
}

function timeFor(
  entryNs: bigint | undefined,
  eventNs: bigint | undefined,
): Pick<Row, 'timeUs' | 'timeSource'> {
  if (eventNs !== undefined) return { timeUs: us(eventNs), timeSource: 'event' };
  if (entryNs !== undefined) return { timeUs: us(entryNs), timeSource: 'entry' };
  return { timeUs: RECEIVED_US, timeSource: 'receive' };
}

export function rowFor(event: Event): Row {
  const { kind, proto, counters = [0n, 0n, 0n, 0n], zone, status = 0, tcpState, labels } = event;
  const { startNs, stopNs, eventNs } = event;
  const entryNs = kind === 'start' ? startNs : stopNs;
  return {
    kind,
    proto,
    orig: sideFor(event.orig, counters[0], counters[1]),
    reply: sideFor(event.reply, counters[2], counters[3]),
    replied: (status & 2) !== 0,
    partial: false,
    ...timeFor(entryNs, kind === 'end' && isLate(eventNs, stopNs) ? undefined : eventNs),
    startUs: startNs === undefined ? 0 : us(startNs),
    status,
    mark: event.mark ?? 0,
    zone: zone?.number ?? 0,
    zoneDirection: zone === undefined ? 0 : directions.indexOf(zone.direction),
    tcpState: tcpState === undefined ? 0 : tcpState + 1,
    id: event.id ?? 0,
    timeoutSeconds: event.timeoutSeconds ?? 0,
    use: event.use ?? 0,
    labels: Buffer.from(labels ?? new Uint8Array(16)).toString('hex'),
    helper: event.helper ?? '',
  };
}

function sideFor({ src, dst, sport, dport }: Tuple, packets: bigint, bytes: bigint): Side {
  return { src, dst, sport, dport, packets, bytes };
}

const us = (ns: bigint) => Number(ns / 1000n);

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
/** From a microsecond after the epoch to 2^52 us, in the year 2112. */
const timeNs = fc.bigInt({ min: 1000n, max: 4_503_599_627_370_495_999n });
/** Of a few, so that the four of an event repeat, or any. */
const address = (bytes: 4 | 16) =>
  fc
    .oneof(
      fc.constantFrom(0, 1, 2).map((last) => new Uint8Array(bytes).fill(last, bytes - 1)),
      fc.uint8Array({ minLength: bytes, maxLength: bytes }),
    )
    .map((octets) => ipaddr.fromByteArray([...octets]).toString());
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

function tuple(family: 4 | 6, proto: number): fc.Arbitrary<Tuple> {
  const port = portMeaning(proto) === PortMeaning.none ? fc.constant(0) : u16;
  const side = address(family === 4 ? 4 : 16);
  return fc.record({ src: side, sport: port, dst: side, dport: port });
}

/** Anything that a message of these families and protocols, with a zone in one of these places, can say. */
export function events(
  families: readonly (4 | 6)[],
  protocols: fc.Arbitrary<number>,
  zones: readonly ('both' | 'orig' | 'reply')[],
): fc.Arbitrary<Event> {
  return fc.tuple(fc.constantFrom(...families), protocols).chain(([family, proto]) =>
    fc.record({
      kind: fc.constantFrom<'start' | 'end'>('start', 'end'),
      family: fc.constant(family),
      proto: fc.constant(proto),
      orig: tuple(family, proto),
      reply: tuple(family, proto),
      zone: optional(fc.record({ number: u16, direction: fc.constantFrom(...zones) })),
      status: optional(u32),
      mark: optional(u32),
      tcpState: optional(fc.integer({ min: 0, max: 13 })),
      counters: optional(fc.tuple(u64, u64, u64, u64)),
      id: optional(u32),
      timeoutSeconds: optional(u32),
      use: optional(u32),
      labels: optional(fc.uint8Array({ minLength: 16, maxLength: 16 })),
      helper: optional(fc.stringMatching(/^[a-zA-Z0-9.-]{1,15}$/)),
      startNs: optional(timeNs),
      stopNs: optional(timeNs),
      eventNs: optional(timeNs),
    }),
  );
}

export const protocolsWithPorts = fc.constantFrom(6, 17, 33, 47, 132, 136);

export const anyEvent = events(
  [4, 6],
  fc.oneof(protocolsWithPorts, fc.constantFrom(1, 58), fc.integer({ min: 0, max: 255 })),
  directions,
);
