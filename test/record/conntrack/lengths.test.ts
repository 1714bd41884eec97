/** Traps in lengths and flags: attributes, nested attributes, the message, the datagram, the slot. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ATTRIBUTES, WIRE_BYTES } from '../../../src/record/conntrack/attributes.js';
import { decode } from './decoded.js';
import { encodeAttributes, HEADER_BYTES, type Node, rawAttribute } from './encode-message.js';
import { messageOf, nodesOf, rowFor } from './events.js';
import {
  assertPartOf,
  counted,
  end,
  icmpEnd,
  ipv6End,
  namesIn,
  partialRow,
  replaced,
  tcpEnd,
  tcpRow,
} from './samples.js';

const NLA_F_NESTED = 0x8000;
const NLA_F_NET_BYTEORDER = 0x4000;

/** A DESTROY with these attributes' bytes. */
function endOf(...attributes: Uint8Array[]): Buffer {
  const message = Buffer.concat([end([]), ...attributes]);
  message.writeUInt32LE(message.length, 0);
  return message;
}

describe('attribute length 0 to 3', () => {
  for (let length = 0; length < 4; length++) {
    it(`${length}: what stands before it in the message is recorded`, () => {
      const [orig, reply, ...rest] = nodesOf(tcpEnd);
      const bad = rawAttribute(3, new Uint8Array(4), length);
      const row = partialRow(endOf(encodeAttributes([orig, reply]), bad, encodeAttributes(rest)));
      assert.deepEqual(row.orig, { ...tcpEnd.orig, packets: 0n, bytes: 0n });
      assert.deepEqual(row.reply, { ...tcpEnd.reply, packets: 0n, bytes: 0n });
      assert.deepEqual([row.proto, row.status, row.timeSource], [6, 0, 'receive']);
    });

    it(`${length}: inside a nested attribute, only the rest of that one is lost`, () => {
      for (const event of [tcpEnd, icmpEnd, ipv6End])
        for (const name of new Set(namesIn(nodesOf(event), true))) {
          const bad = rawAttribute(1, new Uint8Array(8), length);
          const nodes = replaced(nodesOf(event), name, () => [[name, bad]]);
          const message = end(nodes);
          if (name === 'CTA_TUPLE_IP') {
            // Both of them: without any address there is no connection to record.
            assert.deepEqual(counted(decode(message).counters), { malformed: 1 });
            continue;
          }
          const row = partialRow(message);
          assertPartOf(row, rowFor(event), name);
          assert.equal(row.mark, event.mark);
        }
    });
  }
});

describe('attribute shorter than its value', () => {
  it('is left out and flagged, the others are kept', () => {
    for (const event of [tcpEnd, icmpEnd, ipv6End])
      for (const name of new Set(namesIn(nodesOf(event), false))) {
        const { wire } = ATTRIBUTES.find((attribute) => attribute.name === name)!;
        for (let bytes = 0; bytes < WIRE_BYTES[wire]; bytes++) {
          const nodes = replaced(nodesOf(event), name, () => [[name, new Uint8Array(bytes).fill(0xff)]]);
          assertPartOf(partialRow(end(nodes)), rowFor(event), `${name} of ${bytes} bytes`);
        }
      }
  });
});

describe('attribute longer than what is left', () => {
  it('is not believed, nothing behind it is read, the rest is kept', () => {
    for (const length of [9, 100, 0xffff]) {
      const [orig, reply, ...rest] = nodesOf(tcpEnd);
      const bad = rawAttribute(8, Buffer.of(1, 2, 3, 4), length);
      const row = partialRow(endOf(encodeAttributes([orig, reply, ...rest]), bad));
      assert.deepEqual(row, { ...tcpRow, partial: true });
    }
  });

  it('inside a nested one ends there', () => {
    const inside = Buffer.concat([
      encodeAttributes([['CTA_COUNTERS_PACKETS', 5n]], 10),
      rawAttribute(2, new Uint8Array(8).fill(0xff), 200),
    ]);
    const nodes = replaced(nodesOf(tcpEnd), 'CTA_COUNTERS_ORIG', () => [['CTA_COUNTERS_ORIG', inside]]);
    assert.deepEqual(partialRow(end(nodes)), {
      ...tcpRow,
      partial: true,
      orig: { ...tcpRow.orig, packets: 5n, bytes: 0n },
    });
  });
});

describe('flags of an attribute', () => {
  it('without NLA_F_NESTED a nested attribute is read all the same', () => {
    for (const event of [tcpEnd, icmpEnd, ipv6End]) {
      const message = messageOf(event);
      const cleared = clearNestedFlags(message, HEADER_BYTES, message.length);
      assert.equal(cleared, namesIn(nodesOf(event), true).length);
      assert.deepEqual(decode(message).row, rowFor(event));
    }
  });

  it('NLA_F_NET_BYTEORDER is no part of the number', () => {
    const mark = Buffer.of(0xde, 0xad, 0xbe, 0xef);
    const nodes = replaced(nodesOf(tcpEnd), 'CTA_MARK', () => [[8 | NLA_F_NET_BYTEORDER, mark]]);
    assert.deepEqual(decode(end(nodes)).row, tcpRow);
  });
});

/** Between two offsets and inside; answers how many had it. */
function clearNestedFlags(message: Buffer, from: number, to: number): number {
  let cleared = 0;
  for (let at = from; at < to; at += (message.readUInt16LE(at) + 3) & ~3) {
    const type = message.readUInt16LE(at + 2);
    if ((type & NLA_F_NESTED) === 0) continue;
    message.writeUInt16LE(type & ~NLA_F_NESTED, at + 2);
    cleared += 1 + clearNestedFlags(message, at + 4, at + message.readUInt16LE(at));
  }
  return cleared;
}

describe('message length', () => {
  it('that is no multiple of 4, for want of the last padding', () => {
    const nodes = nodesOf(tcpEnd).filter(([name]) => name !== 'CTA_LABELS');
    for (const labelBytes of [13, 14, 15]) {
      const message = end([...nodes, ['CTA_LABELS', new Uint8Array(labelBytes).fill(0xff)]]);
      const bytes = message.length - (16 - labelBytes);
      message.writeUInt32LE(bytes, 0);
      const expected = { ...tcpRow, labels: 'ff'.repeat(labelBytes).padEnd(32, '0') };
      assert.deepEqual(decode(message.subarray(0, bytes)).row, expected);
      // Nothing is lost either when the datagram is padded and the header does not count it.
      assert.deepEqual(decode(message).row, expected);
    }
  });

  it('with one to three bytes too many: all is read, and flagged', () => {
    for (const extra of [1, 2, 3]) {
      const message = endOf(encodeAttributes(nodesOf(tcpEnd)), Buffer.alloc(extra, 0xff));
      assert.deepEqual(partialRow(message), { ...tcpRow, partial: true });
    }
  });

  it('larger than the datagram: all that is there is read, and flagged', () => {
    const message = messageOf(tcpEnd);
    for (const length of [message.length + 1, message.length + 400, 0x7fffffff, 0xffffffff]) {
      message.writeUInt32LE(length, 0);
      assert.deepEqual(partialRow(message), { ...tcpRow, partial: true });
    }
  });

  it('smaller than the datagram: what it covers is read, and flagged', () => {
    const nodes: Node[] = nodesOf(tcpEnd);
    const message = end(nodes);
    message.writeUInt32LE(end(nodes.slice(0, 2)).length, 0);
    const row = partialRow(message);
    assert.deepEqual([row.orig.sport, row.reply.dport, row.mark, row.id], [1001, 2002, 0, 0]);
  });

  it('smaller than the headers: not recorded, counted', () => {
    for (const length of [0, 1, 16, 19, 20]) {
      const message = messageOf(tcpEnd);
      message.writeUInt32LE(length, 0);
      assert.deepEqual(counted(decode(message).counters), { malformed: 1 });
    }
  });
});

describe('datagram', () => {
  it('without room for the headers: not recorded, counted', () => {
    for (let length = 0; length < HEADER_BYTES; length++)
      assert.deepEqual(counted(decode(messageOf(tcpEnd).subarray(0, length)).counters), { malformed: 1 });
  });

  it('beyond the slot: recorded as far as it was received, counted, flagged', () => {
    const message = messageOf(tcpEnd);
    const eventTimeBytes = 12;
    const { row, counters } = decode(message, { slotBytes: message.length - eventTimeBytes });
    assert.deepEqual(counted(counters), { ends: 1, partial: 1, truncated: 1 });
    assert.deepEqual(row, { ...tcpRow, partial: true, timeUs: 1_790_000_001_000_002, timeSource: 'entry' });
  });
});
