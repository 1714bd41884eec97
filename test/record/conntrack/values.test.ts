/**
 * Traps in values, in what there is twice or should not be there, and in messages that are neither start nor
 * end.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvariantError } from '../../../src/base/errors.js';
import { Column, EventBatch } from '../../../src/event/batch.js';
import { createDecodeCounters } from '../../../src/record/conntrack/decode.js';
import { decode, decodeInto, rowOf } from './decoded.js';
import { encodeMessage, MSG_CT_DELETE, MSG_CT_NEW, NLM_F_CREATE_EXCL, type Node } from './encode-message.js';
import { type Event, messageOf, nodesOf, rowFor } from './events.js';
import { counted, end, icmpEnd, ipv6End, namesIn, partialRow, replaced, tcpEnd, tcpRow } from './samples.js';

describe('values', () => {
  it('a zone attribute of length 8: its first two bytes are the zone', () => {
    const zone = Buffer.of(0, 7, 0xff, 0xff);
    for (const direction of ['both', 'orig', 'reply'] as const) {
      const event: Event = { ...tcpEnd, zone: { number: 7, direction } };
      const name = direction === 'both' ? 'CTA_ZONE' : 'CTA_TUPLE_ZONE';
      const nodes = replaced(nodesOf(event), name, () => [[name, zone]]);
      assert.deepEqual(decode(end(nodes)).row, rowFor(event));
    }
  });

  it('counters beyond 2^53 are exact', () => {
    for (const counters of [
      [2n ** 53n + 1n, 2n ** 63n + 1n, 2n ** 64n - 1n, 2n ** 32n],
      [2n ** 32n - 1n, 1n, 0n, 0x0123456789abcdefn],
    ] as const) {
      const { orig, reply } = decode(messageOf({ ...tcpEnd, counters })).row!;
      assert.deepEqual([orig.packets, orig.bytes, reply.packets, reply.bytes], counters);
    }
  });

  it('times are floored to microseconds, exactly, up to 2^52', () => {
    const { stopNs: _, ...noStop } = tcpEnd;
    for (const [ns, us] of [
      [1_790_000_000_123_456_999n, 1_790_000_000_123_456],
      [4_294_967_295_999n, 4_294_967_295],
      [4_294_967_296_000n, 4_294_967_296],
      [4_503_599_627_370_495_999n, 2 ** 52 - 1],
    ] as const)
      assert.equal(decode(messageOf({ ...noStop, eventNs: ns })).row!.timeUs, us);
  });

  it('a time beyond that is not believed', () => {
    for (const ns of [4_503_599_627_370_496_000n, 2n ** 63n, 2n ** 64n - 1n]) {
      const withoutEvent = { ...tcpRow, partial: true, timeUs: 1_790_000_001_000_002, timeSource: 'entry' };
      assert.deepEqual(partialRow(messageOf({ ...tcpEnd, eventNs: ns })), withoutEvent);
      assert.deepEqual(partialRow(messageOf({ ...tcpEnd, startNs: ns })), {
        ...tcpRow,
        partial: true,
        startUs: 0,
      });
    }
  });

  it('the best time there is: of the event, of the entry, of receipt', () => {
    const { eventNs: _, ...noEvent } = tcpEnd;
    const { stopNs: __, ...noStop } = noEvent;
    assert.equal(decode(messageOf(tcpEnd)).row!.timeSource, 'event');
    assert.equal(decode(messageOf(noEvent)).row!.timeUs, 1_790_000_001_000_002);
    assert.equal(decode(messageOf(noStop)).row!.timeSource, 'receive');
    // A kernel in reliable mode delivers an end until it is taken: the entry's own time is the true one then.
    const lateNs = tcpEnd.stopNs! + 5_000_000n;
    assert.equal(decode(messageOf({ ...tcpEnd, eventNs: lateNs })).row!.timeUs, 1_790_000_001_000_002);
    assert.equal(decode(messageOf({ ...tcpEnd, eventNs: lateNs - 1_000_000n })).row!.timeSource, 'event');
    // An entry's start is the time of its NEW, not of its DESTROY.
    assert.equal(decode(messageOf({ ...noStop, kind: 'start' })).row!.timeUs, 1_790_000_000_000_001);
  });

  it('the reply-seen bit of the status is the flag, whatever the others', () => {
    for (const status of [0x2, 0xffffffff, 0x18e])
      assert.equal(decode(messageOf({ ...tcpEnd, status })).row!.replied, true);
    for (const status of [0, 0xfffffffd, 0x188, undefined])
      assert.equal(decode(messageOf({ ...tcpEnd, status })).row!.replied, false);
  });

  it('a TCP state that we do not know stays within four bits', () => {
    for (const tcpState of [14, 15, 255])
      assert.equal(decode(messageOf({ ...tcpEnd, tcpState })).row!.tcpState, 15);
  });

  it('labels: at most 128 bits, fewer are filled up with zeros', () => {
    for (const bytes of [0, 4, 16, 20]) {
      const labels = new Uint8Array(bytes).fill(0xff);
      const nodes = replaced(nodesOf(tcpEnd), 'CTA_LABELS', () => [['CTA_LABELS', labels]]);
      const expected = 'ff'.repeat(Math.min(bytes, 16)).padEnd(32, '0');
      assert.deepEqual(decode(end(nodes)).row, { ...tcpRow, labels: expected });
    }
  });
});

describe('helper names', () => {
  const named = (bytes: Uint8Array) =>
    end(replaced(nodesOf(tcpEnd), 'CTA_HELP_NAME', () => [['CTA_HELP_NAME', bytes]]));
  const HELPERS_MAX = 255;

  /** Helper names of rows decoded into one batch. */
  function helpersOf(names: readonly Uint8Array[]): { batch: EventBatch; found: string[] } {
    const batch = new EventBatch(names.length);
    const counters = createDecodeCounters();
    for (const name of names) {
      const message = Uint8Array.from(named(name));
      decodeInto(batch, counters, message, 0, message.length);
    }
    return { batch, found: names.map((_, row) => rowOf(batch, row).helper) };
  }

  it('end at the first NUL, or with the attribute', () => {
    for (const [bytes, helper] of [
      ['ftp\0', 'ftp'],
      ['ftp', 'ftp'],
      ['ftp\0sip\0', 'ftp'],
      ['\0', ''],
      ['', ''],
    ])
      assert.deepEqual(decode(named(Buffer.from(bytes))).row, { ...tcpRow, helper });
  });

  it('stand once in a batch, however often they come', () => {
    const { batch, found } = helpersOf(['ftp\0', 'sip\0', 'ftp\0', 'ft\0'].map((name) => Buffer.from(name)));
    assert.deepEqual(found, ['ftp', 'sip', 'ftp', 'ft']);
    assert.deepEqual(batch.helpers, ['', 'ftp', 'sip', 'ft']);
  });

  it('longer than the log holds are cut, and still stand once', () => {
    const long = new Uint8Array(300).fill(0x61);
    const { batch, found } = helpersOf([long, long.subarray(0, 256), long]);
    assert.deepEqual(found, Array(3).fill('a'.repeat(255)));
    assert.equal(batch.helpers.length, 2);
  });

  it('beyond the number that a batch holds have none', () => {
    const names = Array.from({ length: HELPERS_MAX + 2 }, (_, i) => Buffer.from(`helper-${i}`));
    const { batch, found } = helpersOf(names);
    assert.deepEqual(found, [...names.slice(0, HELPERS_MAX).map(String), '', '']);
    assert.equal(batch.helpers.length, HELPERS_MAX + 1);
  });
});

describe('attributes that are there twice', () => {
  it('the last one counts', () => {
    const other: Event = {
      ...icmpEnd,
      orig: { src: '10.9.9.9', sport: 9001, dst: '192.9.9.9', dport: 0x0d0f },
      reply: { src: '192.9.9.8', sport: 9003, dst: '203.9.9.9', dport: 0x0e0f },
      zone: { number: 9, direction: 'both' },
      status: 0,
      mark: 0xffffffff,
      counters: [2n ** 64n - 1n, 2n ** 64n - 1n, 2n ** 64n - 1n, 2n ** 64n - 1n],
      labels: new Uint8Array(16).fill(0xff),
      helper: 'sip-20000',
      startNs: 1000n,
      stopNs: 1000n,
      eventNs: 1000n,
    };
    for (const event of [icmpEnd, tcpEnd]) {
      const twice = [...nodesOf({ ...other, proto: event.proto }), ...nodesOf(event)];
      assert.deepEqual(decode(end(twice)).row, rowFor(event));
    }
  });

  it('addresses of both families: one family is recorded, and the row is flagged', () => {
    const six = { ...ipv6End, zone: tcpEnd.zone };
    const [orig4, reply4, ...rest] = nodesOf(tcpEnd);
    const [orig6, reply6] = nodesOf(six);
    for (const [nodes, first] of [
      [[orig4, reply6], tcpEnd],
      [[orig6, reply4], six],
      [[orig4, reply4, orig6, reply6], tcpEnd],
      [[orig6, orig4, reply4], six],
    ] as const) {
      const { orig, reply } = partialRow(end([...nodes, ...rest]));
      const addresses = [orig.src, orig.dst, reply.src, reply.dst];
      const known = [first.orig.src, first.orig.dst, first.reply.src, first.reply.dst];
      const none = first === six ? '::' : '0.0.0.0';
      for (const [i, address] of addresses.entries())
        assert.ok(address === known[i] || address === none, address);
    }
  });
});

describe('attributes that we do not know', () => {
  it('are counted at every level, and nothing else changes', () => {
    const unknown: Node[] = [
      [31, new Uint8Array(3)],
      [32, new Uint8Array(0)],
      [0x3fff, new Uint8Array(64)],
      [0x8000 | 30, new Uint8Array(8).fill(0xff)],
    ];
    for (const event of [tcpEnd, icmpEnd, ipv6End]) {
      const strew = (nodes: readonly Node[]): Node[] => [
        ...unknown,
        ...nodes.flatMap((node): Node[] =>
          Array.isArray(node[1]) ? [[node[0], strew(node[1])]] : [node, ...unknown.slice(0, 1)],
        ),
      ];
      const { row, counters } = decode(end(strew(nodesOf(event))));
      assert.deepEqual(row, rowFor(event));
      const levels = 1 + namesIn(nodesOf(event), true).length;
      const values = namesIn(nodesOf(event), false).length;
      assert.deepEqual(counted(counters), { ends: 1, unknownAttributes: 4 * levels + values });
    }
  });
});

describe('tuples that are not there', () => {
  const [orig, reply, ...rest] = nodesOf(tcpEnd);
  const lost = { src: '0.0.0.0', sport: 0, dst: '0.0.0.0', dport: 0 };

  it('one of them: the other is recorded with the protocol, and flagged', () => {
    const { proto, orig: first } = partialRow(end([orig, ...rest]));
    assert.deepEqual([proto, first], [6, tcpRow.orig]);
    const noOrig = partialRow(end([reply, ...rest]));
    assert.deepEqual([noOrig.proto, noOrig.reply], [6, tcpRow.reply]);
    assert.deepEqual(noOrig.orig, { ...tcpRow.orig, ...lost });
  });

  it('any part of them: flagged', () => {
    for (const event of [tcpEnd, icmpEnd, ipv6End])
      for (const [name, place] of namesIn(nodesOf(event).slice(0, 2), false).map(
        (name, i) => [name, i] as const,
      )) {
        if (!/_IP_|_NUM/.test(name)) continue; // whether there are ports depends on protocol and kernel
        let seen = -1;
        const count = (nodes: readonly Node[]): Node[] =>
          nodes.flatMap((node): Node[] => {
            if (Array.isArray(node[1])) return [[node[0], count(node[1])]];
            return ++seen === place ? [] : [node];
          });
        assert.ok(partialRow(end(count(nodesOf(event)))), `${name} (${place})`);
      }
  });

  it('both: not recorded, counted', () => {
    assert.deepEqual(counted(decode(end(rest)).counters), { malformed: 1 });
    const noAddresses = replaced(nodesOf(tcpEnd), 'CTA_TUPLE_IP', () => []);
    assert.deepEqual(counted(decode(end(noAddresses)).counters), { malformed: 1 });
  });

  it('a message that is not recorded leaves nothing for the next row', () => {
    const batch = new EventBatch(2);
    const counters = createDecodeCounters();
    for (const bytes of [end(rest), messageOf({ ...tcpEnd, ...bare })]) {
      const message = Uint8Array.from(bytes);
      decodeInto(batch, counters, message, 0, message.length);
    }
    assert.equal(batch.count, 1);
    assert.deepEqual(rowOf(batch, 0), rowFor({ ...tcpEnd, ...bare }));
    assert.deepEqual(counted(counters), { ends: 1, malformed: 1 });
  });

  const bare = Object.fromEntries(
    Object.keys(tcpEnd)
      .filter((key) => !['kind', 'family', 'proto', 'orig', 'reply'].includes(key))
      .map((key) => [key, undefined]),
  );
});

describe('what is no start and no end', () => {
  const nodes = nodesOf(tcpEnd);

  it('NEW without CREATE and EXCL is an update', () => {
    for (const flags of [0, 0x0200, 0x0400, 0x0001, 0x0002])
      assert.deepEqual(counted(decode(encodeMessage(nodes, { flags })).counters), { updates: 1 });
    for (const flags of [NLM_F_CREATE_EXCL, NLM_F_CREATE_EXCL | 0x1])
      assert.deepEqual(counted(decode(encodeMessage(nodes, { type: MSG_CT_NEW, flags })).counters), {
        starts: 1,
      });
  });

  it('DESTROY is an end, whatever its flags', () => {
    for (const flags of [0, 0xffff])
      assert.deepEqual(counted(decode(encodeMessage(nodes, { type: MSG_CT_DELETE, flags })).counters), {
        ends: 1,
      });
  });

  it('other messages and subsystems are counted', () => {
    for (const type of [0, 2, 3, 0x0101, 0x0103, 0x0200, 0x0202, 0xffff])
      assert.deepEqual(counted(decode(encodeMessage(nodes, { type, flags: 0x600 })).counters), {
        otherTypes: 1,
      });
  });
});

it('memory that is not on a word boundary is a bug of ours, and said so', () => {
  const bytes = new Uint8Array(64);
  assert.throws(() => decodeInto(new EventBatch(1), createDecodeCounters(), bytes, 2, 32), InvariantError);
});

it('the batch knows which columns hold anything', () => {
  const batch = new EventBatch(1);
  const message = Uint8Array.from(
    messageOf({ ...tcpEnd, labels: undefined, helper: undefined, mark: undefined }),
  );
  decodeInto(batch, createDecodeCounters(), message, 0, message.length);
  const { labels, helper, mark, endUs, ...present } = Column;
  for (const bit of Object.values(present)) assert.ok(batch.present & bit);
  assert.equal(batch.present & (labels | helper | mark | endUs), 0);
});
