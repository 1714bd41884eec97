/**
 * Rows with whole keys, from blocks and from dumps, are those of the general decoders; of hostile bytes comes
 * a typed error.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PayloadDamage } from '../../../src/base/errors.js';
import { AF_INET, EventBatch } from '../../../src/event/batch.js';
import { KEY4_WORDS, KEY6_WORDS } from '../../../src/event/key.js';
import { KeyedRows } from '../../../src/event/keyed-rows.js';
import { KeyReader } from '../../../src/log/format/decode-keys.js';
import { decodeRecords } from '../../../src/log/format/decode-rows.js';
import { timeRange } from '../../../src/log/format/encode-loops.js';
import { encodeRecords } from '../../../src/log/format/encode-rows.js';
import { createDecodeCounters, decodeEntry } from '../../../src/record/conntrack/decode.js';
import { readPlainEntry } from '../../../src/record/table/plain-entry.js';
import { decodeInto } from '../../record/conntrack/decoded.js';
import { HEADER_BYTES } from '../../record/conntrack/encode-message.js';
import {
  anyEvent,
  type Event,
  events,
  messageOf,
  protocolsWithPorts,
} from '../../record/conntrack/events.js';
import { runs } from '../../soak/runs.js';

interface PlainRow {
  readonly key: number[];
  readonly hash: Int32Array;
  readonly others: readonly number[];
}

/** Of an event its start time is not read: the log tells it by its time. */
function rowsOf(rows: KeyedRows, withStart: boolean): PlainRow[] {
  rows.hash();
  return Array.from({ length: rows.count }, (_, row) => ({
    key: [...rows.keys.subarray(row * rows.keyWords, (row + 1) * rows.keyWords)],
    hash: rows.hashes.slice(row * 2, row * 2 + 2),
    others: [
      rows.kind[row],
      rows.flags[row],
      rows.timeSource[row],
      rows.timeUs[row],
      rows.status[row],
      rows.mark[row],
      withStart ? rows.startUs[row] : 0,
    ],
  }));
}

/** By way of a batch. */
function copied(batch: EventBatch, withStart: boolean): PlainRow[][] {
  const both = [KEY4_WORDS, KEY6_WORDS].map((words) => new KeyedRows(words, batch.capacity));
  for (let row = 0; row < batch.count; row++) both[batch.family[row] === AF_INET ? 0 : 1].append(batch, row);
  return both.map((rows) => rowsOf(rows, withStart));
}

function payloadOf(list: readonly Event[]): { payload: Uint8Array; count: number; minTimeUs: number } {
  const batch = new EventBatch(list.length);
  for (const event of list) {
    const message = Uint8Array.from(messageOf(event));
    decodeInto(batch, createDecodeCounters(), message, 0, message.length);
  }
  const { minTimeUs } = timeRange(batch);
  const out = new Uint8Array(1 << 16);
  const { storedBytes } = encodeRecords(batch, minTimeUs, out, 0, 'fast');
  return { payload: out.slice(0, storedBytes), count: batch.count, minTimeUs };
}

/** Its port is not translated: where most are so, a block lists the others. */
function keepsPort(event: Event): Event {
  return { ...event, reply: { ...event.reply, dport: event.orig.sport } };
}

test('a block gives the rows that the general decoder gives, more of them than are handed over at once', () => {
  fc.assert(
    fc.property(
      fc.array(anyEvent, { minLength: 1, maxLength: 40 }),
      fc.boolean(),
      fc.boolean(),
      (some, isLong, isNatRare) => {
        const long = isLong ? Array.from({ length: 700 }, (_, i) => some[i % some.length]) : some;
        const list = isNatRare ? long.map((event, i) => (i % 10 === 0 ? event : keepsPort(event))) : long;
        const { payload, count, minTimeUs } = payloadOf(list);
        const batch = new EventBatch(list.length);
        decodeRecords(payload, count, minTimeUs, batch);
        const read: PlainRow[][] = [[], []];
        new KeyReader((rows) => read[rows.keyWords === KEY4_WORDS ? 0 : 1].push(...rowsOf(rows, false))).read(
          payload,
          count,
          minTimeUs,
        );
        assert.deepEqual(read, copied(batch, false));
      },
    ),
    { numRuns: 150 },
  );
});

test('a damaged payload ends in a typed error, or gives rows', () => {
  let rowCount = 0;
  const reader = new KeyReader((rows) => {
    rowCount += rows.count;
  });
  const change = fc.tuple(fc.nat(2000), fc.nat(255));
  fc.assert(
    fc.property(
      fc.array(anyEvent, { minLength: 1, maxLength: 10 }),
      fc.array(change, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: -3, max: 3 }),
      (list, changes, more) => {
        const { payload, count, minTimeUs } = payloadOf(list);
        for (const [at, value] of changes) payload[at % payload.length] = value;
        try {
          reader.read(payload, Math.max(0, count + more), minTimeUs);
        } catch (error) {
          assert.ok(error instanceof PayloadDamage, String(error));
        }
      },
    ),
    { numRuns: runs(2000) },
  );
  // What was read before the damage is not left behind.
  const { payload, count, minTimeUs } = payloadOf(fc.sample(anyEvent, 5));
  rowCount = 0;
  reader.read(payload, count, minTimeUs);
  assert.equal(rowCount, count);
});

test('a plain entry of a dump gives the row that the general decoder gives', () => {
  const plain = events([4], protocolsWithPorts, ['both']);
  fc.assert(
    fc.property(plain, (event) => {
      const bytes = Uint8Array.from(messageOf(event));
      const aligned = new Uint8Array((bytes.length + 3) & ~3);
      aligned.set(bytes);
      const batch = new EventBatch(1);
      decodeEntry(aligned, 0, bytes.length, 0, batch, createDecodeCounters()); // learns what it looks like
      const rows = new KeyedRows(KEY4_WORDS, 1);
      const words = new Uint32Array(aligned.buffer);
      if (!readPlainEntry(words, HEADER_BYTES, bytes.length, rows)) {
        assert.ok(event.helper !== undefined, 'only a name of any length is irregular');
        return;
      }
      rows.kind[0] = batch.kind[0];
      rows.timeSource[0] = batch.timeSource[0];
      rows.timeUs[0] = batch.timeUs[0];
      assert.deepEqual(rowsOf(rows, true), copied(batch, true)[0]);
    }),
    { numRuns: 500 },
  );
});
