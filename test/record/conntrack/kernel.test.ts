/**
 * The kernel between encoder and decoder: what is put in through ctnetlink comes back as events that say the
 * same.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { wallClockUs } from '../../../src/base/libc/clock.js';
import { RECEIVE_EXTRA_BYTES } from '../../../src/base/libc/receive.js';
import { EventBatch } from '../../../src/event/batch.js';
import { createDecodeCounters } from '../../../src/record/conntrack/decode.js';
import { EventSocket } from '../../../src/record/netlink/event-socket.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { createRing } from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { Proto, type Tuple } from '../../lab/connection.js';
import { inNamespace, SyncInjector } from '../netlink/in-namespace.js';
import { decodeInto, type Row, rowOf } from './decoded.js';
import { type Event, events, messageOf, protocolsWithPorts, rowFor } from './events.js';

const NLM_F_REQUEST_ACK = 0x5;
const IPS_SEEN_REPLY = 0x2;
const IPS_ASSURED = 0x4;
const IPS_CONFIRMED = 0x8;
/** Types that the kernel has an answer for: echo, timestamp, address mask; echo, node information. */
const ICMP_TYPES = [0, 8, 13, 14, 17, 18];
const ICMPV6_TYPES = [128, 129, 139, 140];

/**
 * Kernels are built with or without these (6.18 has no DCCP any more); without, their entries have no ports.
 */
const OPTIONAL_PROTOCOLS = [33, 47, 132, 136];

const anyProtocol = fc.oneof(
  protocolsWithPorts,
  fc.integer({ min: 2, max: 255 }).filter((proto) => proto !== Proto.icmpv6),
);

/** What can be told to the kernel about an entry. The rest is its own: id, use, counters and times. */
const injectable: fc.Arbitrary<Event> = fc
  .tuple(
    fc.oneof(
      events([4], fc.oneof(anyProtocol, fc.constant(Proto.icmp)), ['both', 'orig', 'reply']),
      events([6], fc.oneof(anyProtocol, fc.constant(Proto.icmpv6)), ['both', 'orig', 'reply']),
    ),
    fc.record({
      status: fc
        .constantFrom(0, IPS_SEEN_REPLY, IPS_SEEN_REPLY | IPS_ASSURED)
        .map((bits) => bits | IPS_CONFIRMED),
      tcpState: fc.integer({ min: 0, max: 9 }),
      timeoutSeconds: fc.integer({ min: 3600, max: 1_000_000 }),
      zone: fc.integer({ min: 1, max: 0xffff }),
      type: fc.constantFrom(...ICMP_TYPES),
      type6: fc.constantFrom(...ICMPV6_TYPES),
      ftp: fc.boolean(),
    }),
  )
  .map(([event, choice]) => ({
    kind: 'start',
    family: event.family,
    proto: event.proto,
    orig: withType(event, event.orig, choice),
    reply: withType(event, event.reply, choice),
    zone: event.zone && { ...event.zone, number: choice.zone },
    status: choice.status,
    mark: event.mark,
    tcpState: event.proto === Proto.tcp ? choice.tcpState : undefined,
    timeoutSeconds: choice.timeoutSeconds,
    labels: event.labels,
    helper: event.proto === Proto.tcp && choice.ftp ? 'ftp' : undefined,
  }));

function withType({ proto }: Event, tuple: Tuple, { type, type6 }: { type: number; type6: number }) {
  const number = { [Proto.icmp]: type, [Proto.icmpv6]: type6 }[proto];
  return number === undefined ? tuple : { ...tuple, dport: (number << 8) | (tuple.dport & 255) };
}

const withoutPorts = (tuple: Tuple) => ({ ...tuple, sport: 0, dport: 0 });

inNamespace(import.meta.url, () => {
  const ring = createRing({ slots: 64, slotBytes: 512, extraBytes: RECEIVE_EXTRA_BYTES });
  const producer = new RingProducer(ring);
  const consumer = new RingConsumer(ring);
  const batch = new EventBatch(64);
  let injector: SyncInjector;
  let socket: EventSocket;

  before(() => {
    for (const name of ['acct', 'timestamp'])
      writeFileSync(`/proc/sys/net/netfilter/nf_conntrack_${name}`, '1');
    // Labels take room in an entry only while some rule sets one.
    execFileSync('nft', ['add table t; add chain t c; add rule t c ct label set 1']);
    injector = new SyncInjector();
    socket = EventSocket.open(ring, { rcvbufBytes: 1 << 20, protocols: 'all' });
    socket.join();
  });
  after(() => {
    socket.close();
    injector.close();
  });

  /** The events that the kernel has sent, as rows. */
  function received(): Row[] {
    producer.publish(socket.receive(producer, 64));
    batch.clear();
    const counters = createDecodeCounters();
    const first = consumer.index;
    const count = consumer.readable();
    for (let slot = first; slot < first + count; slot++)
      decodeInto(batch, counters, ring.bytes, ring.offsetOf(slot), ring.lengthOf(slot), ring.slotBytes);
    consumer.release(count);
    assert.equal(counters.unknownAttributes, 0);
    return Array.from({ length: batch.count }, (_, row) => rowOf(batch, row));
  }

  /** What the kernel was told must come back; what it adds must make sense. */
  function check(row: Row, event: Event, sinceUs: number): void {
    const { id, timeoutSeconds, timeUs, timeSource, startUs, status } = row;
    const { orig, reply } = event;
    const ports = [row.orig.sport, row.orig.dport, row.reply.sport, row.reply.dport];
    const portless = OPTIONAL_PROTOCOLS.includes(event.proto) && ports.every((port) => port === 0);
    const told = rowFor(
      portless ? { ...event, orig: withoutPorts(orig), reply: withoutPorts(reply) } : event,
    );
    assert.deepEqual(row, { ...told, id, timeoutSeconds, timeUs, timeSource, startUs, status });
    assert.equal(status & told.status, told.status);
    assert.ok(timeoutSeconds <= told.timeoutSeconds && timeoutSeconds >= told.timeoutSeconds - 60);
    if (timeSource !== 'receive') assert.ok(timeUs >= sinceUs && timeUs <= wallClockUs());
  }

  test('any entry: its start and its end', () => {
    fc.assert(
      fc.property(injectable, (event) => {
        injector.flush(); // what a failed run left
        received();
        const beforeUs = wallClockUs();
        const request = messageOf(event);
        request.writeUInt16LE(request.readUInt16LE(6) | NLM_F_REQUEST_ACK, 6);
        injector.exchange(request);
        const [start, ...noMore] = received();
        assert.deepEqual(noMore, []);
        check(start, event, beforeUs);
        injector.flush();
        const ends = received();
        assert.equal(ends.length, 1);
        // The kernel says no labels and no helper when an entry ends.
        check(ends[0], { ...event, kind: 'end', labels: undefined, helper: undefined }, start.startUs);
        assert.equal(ends[0].id, start.id);
        assert.ok(ends[0].startUs >= beforeUs && ends[0].startUs <= ends[0].timeUs);
      }),
      { numRuns: 500 },
    );
  });
});
