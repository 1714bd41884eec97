/**
 * Hostile bytes: the kernel's messages with bytes changed, doubled, lost and mixed. Whatever comes out is a
 * row or a count.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventBatch } from '../../../src/event/batch.js';
import { decodeRecords } from '../../../src/log/format/decode-rows.js';
import { timeRange } from '../../../src/log/format/encode-loops.js';
import { encodeRecords } from '../../../src/log/format/encode-rows.js';
import { createDecodeCounters, type DecodeCounters } from '../../../src/record/conntrack/decode.js';
import { runs } from '../../soak/runs.js';
import { optionalColumns } from './columns.js';
import { decodeInto, type Row, rowOf } from './decoded.js';
import { messageOf } from './events.js';
import { goldenMessages } from './goldens.js';
import { icmpEnd, ipv6End, tcpEnd } from './samples.js';

const RUNS = runs(3000);
const ROWS = 3;
const originals = [
  ...goldenMessages,
  ...[tcpEnd, icmpEnd, ipv6End].map((event) => Uint8Array.from(messageOf(event))),
];
const [before, after] = [tcpEnd, ipv6End].map((event) => Uint8Array.from(messageOf(event)));

const original = fc.constantFrom(...originals);
const place = fc.nat(400);
/** Lengths and numbers that mean something stand in small numbers; others are any. */
const byte = fc.oneof(fc.nat(40), fc.nat(255), fc.constantFrom(0x80, 0xff));
const mutation = fc.oneof(
  fc.record({ how: fc.constant('set'), at: place, value: byte }),
  fc.record({ how: fc.constant('flip'), at: place, value: fc.nat(7) }),
  fc.record({ how: fc.constant('insert'), at: place, value: byte }),
  fc.record({ how: fc.constant('remove'), at: place, value: fc.nat(40) }),
  fc.record({ how: fc.constant('double'), at: place, value: fc.nat(80) }),
);

function mutated(bytes: number[], { how, at, value }: { how: string; at: number; value: number }): number[] {
  const from = at % bytes.length;
  if (how === 'set') return bytes.with(from, value);
  if (how === 'flip') return bytes.with(from, bytes[from] ^ (1 << value));
  if (how === 'insert') return bytes.toSpliced(from, 0, value);
  if (how === 'remove') return bytes.length > value ? bytes.toSpliced(from, value) : bytes;
  return [...bytes.slice(0, from), ...bytes.slice(from, from + value), ...bytes.slice(from)];
}

/**
 * A message with up to eight mutations; with half of another behind it; its header mostly mended, to get
 * further.
 */
const hostile = fc
  .record({
    message: original,
    tail: fc.option(original, { nil: new Uint8Array(0) }),
    mutations: fc.array(mutation, { minLength: 1, maxLength: 8 }),
    keepsHeader: fc.boolean(),
  })
  .map(({ message, tail, mutations, keepsHeader }) => {
    const whole = [...message, ...tail.subarray(20, 20 + (tail.length >> 1))];
    const bytes = Uint8Array.from(mutations.reduce(mutated, whole).slice(0, SLOT_BYTES));
    if (!keepsHeader || bytes.length < 20) return bytes;
    bytes.set(message.subarray(0, 20));
    new DataView(bytes.buffer).setUint32(0, bytes.length, true);
    return bytes;
  });

const SLOT_BYTES = 512;
const memory = new Uint8Array(new SharedArrayBuffer(SLOT_BYTES * ROWS));
const batch = new EventBatch(ROWS);
const read = new EventBatch(ROWS);
const payload = new Uint8Array(64 * 1024);

/** Three slots, as the ring has them: decoded one after the other into one batch. */
function decodeSlots(messages: readonly Uint8Array[], counters: DecodeCounters): Row[] {
  memory.fill(0xa5);
  for (const [slot, message] of messages.entries()) memory.set(message, slot * SLOT_BYTES);
  const untouched = memory.slice();
  batch.clear();
  for (const [slot, message] of messages.entries()) {
    const count = batch.count;
    decodeInto(batch, counters, memory, slot * SLOT_BYTES, message.length, SLOT_BYTES);
    assert.ok(batch.count === count || batch.count === count + 1);
  }
  assert.deepEqual(memory, untouched);
  return Array.from({ length: batch.count }, (_, row) => rowOf(batch, row));
}

const [rowBefore, rowAfter] = decodeSlots([before, after], createDecodeCounters());

test('a mutated message is a row or a count, and leaves its neighbours alone', () => {
  fc.assert(
    fc.property(hostile, (message) => {
      const counters = createDecodeCounters();
      const rows = decodeSlots([before, message, after], counters);
      assert.deepEqual(rows[0], rowBefore);
      assert.deepEqual(rows.at(-1), rowAfter);
      const { starts, ends, updates, otherTypes, malformed } = counters;
      assert.equal(starts + ends, rows.length);
      assert.equal(starts + ends + updates + otherTypes + malformed, 3);
    }),
    { numRuns: RUNS },
  );
});

test('whatever row a mutated message makes, the log holds it and gives it back', () => {
  fc.assert(
    fc.property(hostile, (message) => {
      const rows = decodeSlots([before, message, after], createDecodeCounters());
      const { minTimeUs } = timeRange(batch);
      const { storedBytes } = encodeRecords(batch, minTimeUs, payload, 0, 'fast');
      decodeRecords(payload.slice(0, storedBytes), batch.count, minTimeUs, read);
      assert.deepEqual(
        Array.from({ length: read.count }, (_, row) => rowOf(read, row)),
        rows,
      );
    }),
    { numRuns: runs(300) },
  );
});

test('after discardLast and clear the optional columns are zero, whatever was in them', () => {
  fc.assert(
    fc.property(hostile, hostile, (one, other) => {
      decodeSlots([one, before, other], createDecodeCounters());
      while (batch.count > 1) {
        batch.discardLast();
        for (const [name, values] of optionalColumns(batch)) {
          const used = (values.length / ROWS) * batch.count;
          assert.ok(
            values.subarray(used).every((value) => value === 0),
            name,
          );
        }
      }
      batch.clear();
      for (const [name, values] of optionalColumns(batch))
        assert.ok(
          values.every((value) => value === 0),
          name,
        );
    }),
    { numRuns: runs(1000) },
  );
});
