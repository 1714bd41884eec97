import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PayloadDamage } from '../../../src/base/errors.js';
import { AF_INET, AF_INET6, Column, EventBatch } from '../../../src/event/batch.js';
import { decodeRecords } from '../../../src/log/format/decode-rows.js';
import { timeRange } from '../../../src/log/format/encode-loops.js';
import { encodeRecords } from '../../../src/log/format/encode-rows.js';
import { SectionWriter } from '../../../src/log/format/section-codec.js';
import { Section } from '../../../src/log/format/section-ids.js';
import { runs } from '../../soak/runs.js';

interface Row {
  kind: number;
  flags: number;
  timeUs: number;
  timeSource: number;
  ipv6: boolean;
  proto: number;
  /**
   * Picks of a small pool, so that tables have repeats; the reply is mirrored from them unless they differ.
   */
  addresses: [number, number, number, number];
  ports: [number, number, number, number];
  status: number;
  mark: number;
  zone: number;
  zoneDirection: number;
  tcpState: number;
  counters: number[];
  ageUs: number;
  durationUs: number;
  helper: number;
  id: number;
}

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffffffff }));
const pick = fc.integer({ min: 0, max: 12 });
const row: fc.Arbitrary<Row> = fc.record({
  kind: fc.integer({ min: 0, max: 5 }),
  flags: fc.integer({ min: 0, max: 255 }),
  timeUs: fc.integer({ min: 0, max: 4e15 }),
  timeSource: fc.integer({ min: 0, max: 4 }),
  ipv6: fc.boolean(),
  proto: fc.constantFrom(1, 6, 17, 47, 58, 132, 255),
  addresses: fc.tuple(pick, pick, pick, pick),
  ports: fc.tuple(u16, u16, u16, u16),
  status: u32,
  mark: u32,
  zone: u16,
  zoneDirection: fc.integer({ min: 0, max: 2 }),
  tcpState: fc.integer({ min: 0, max: 15 }),
  counters: fc.array(u32, { minLength: 8, maxLength: 8 }),
  ageUs: fc.oneof(fc.constant(0), fc.integer({ min: -1000, max: 1e12 })),
  durationUs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1e12 })),
  helper: fc.integer({ min: 0, max: 2 }),
  id: u32,
});

/** Fill a batch as the decoder does: optional columns are touched only where there is a value. */
function fill(batch: EventBatch, rows: Row[]): void {
  batch.clear();
  batch.helpers.push('ftp', 'sip');
  for (const [i, r] of rows.entries()) {
    batch.kind[i] = r.kind;
    batch.flags[i] = r.flags;
    batch.timeUs[i] = r.timeUs;
    batch.timeSource[i] = r.timeSource;
    batch.family[i] = r.ipv6 ? AF_INET6 : AF_INET;
    batch.proto[i] = r.proto;
    const intern = (pick: number) =>
      r.ipv6
        ? batch.addresses6.intern(pick && 0x20010db8, 0, pick * 0x10001, pick)
        : batch.addresses4.intern((pick * 0x13572468) >>> 0);
    [batch.origSrc[i], batch.origDst[i], batch.replySrc[i], batch.replyDst[i]] = r.addresses.map(intern);
    [batch.origSrcPort[i], batch.origDstPort[i], batch.replySrcPort[i], batch.replyDstPort[i]] = r.ports;
    optional(batch, Column.status, batch.status, i, r.status);
    optional(batch, Column.mark, batch.mark, i, r.mark);
    optional(batch, Column.zone, batch.zone, i, r.zone);
    if (r.zone !== 0) batch.zoneDirection[i] = r.zoneDirection;
    optional(batch, Column.tcpState, batch.tcpState, i, r.tcpState);
    optional(batch, Column.helper, batch.helper, i, r.helper);
    optional(batch, Column.id, batch.id, i, r.id);
    for (const [j, value] of r.counters.entries())
      optional(batch, Column.counters, batch.counters, i * 8 + j, value);
    if (r.ageUs !== 0) optional(batch, Column.startUs, batch.startUs, i, Math.max(0, r.timeUs - r.ageUs));
    if (r.durationUs !== 0) optional(batch, Column.endUs, batch.endUs, i, r.timeUs + r.durationUs);
    batch.count = i + 1;
  }
}

function optional(
  batch: EventBatch,
  column: number,
  values: Uint8Array | Uint16Array | Uint32Array | Float64Array,
  index: number,
  value: number,
): void {
  if (value === 0) return;
  values[index] = value;
  batch.present |= column;
}

function address(batch: EventBatch, i: number, index: number): string {
  if (batch.family[i] === AF_INET) return String(batch.addresses4.values[index]);
  return batch.addresses6.words.slice(index * 4, index * 4 + 4).join(':');
}

/** Every value of a row by meaning, not by index. */
function meaning(batch: EventBatch): unknown[] {
  return Array.from({ length: batch.count }, (_, i) => [
    batch.kind[i],
    batch.flags[i],
    batch.timeUs[i],
    batch.timeSource[i],
    batch.family[i],
    batch.proto[i],
    ...[batch.origSrc, batch.origDst, batch.replySrc, batch.replyDst].map((column) =>
      address(batch, i, column[i]),
    ),
    ...[batch.origSrcPort, batch.origDstPort, batch.replySrcPort, batch.replyDstPort].map(
      (column) => column[i],
    ),
    batch.status[i],
    batch.mark[i],
    batch.zone[i],
    batch.zoneDirection[i],
    batch.tcpState[i],
    ...batch.counters.slice(i * 8, i * 8 + 8),
    batch.startUs[i],
    batch.endUs[i],
    batch.id[i],
    batch.helpers[batch.helper[i]],
  ]);
}

const original = new EventBatch();
const read = new EventBatch();
const out = new Uint8Array(4 * 1024 * 1024);

test('rows come back as they went in, whatever the batch before held', () => {
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 60 }),
      fc.constantFrom('fast', 'strong'),
      (rows, effort) => {
        fill(original, rows);
        const { minTimeUs } = timeRange(original);
        const { storedBytes } = encodeRecords(original, minTimeUs, out, 7, effort as 'fast' | 'strong');
        decodeRecords(out.slice(7, 7 + storedBytes), original.count, minTimeUs, read);
        assert.deepEqual(meaning(read), meaning(original));
      },
    ),
    { numRuns: runs(300) },
  );
});

for (const effort of ['fast', 'strong'] as const)
  test(`more clients and services than a byte tells apart, few ports translated, ends out of order: ${effort}`, () => {
    original.clear();
    for (let i = 0; i < 8000; i++) {
      const random = (salt: number) => Math.imul(i + salt, 0x9e3779b1) >>> 0;
      // A third of the rows is of a few clients and services, which are not the lowest.
      const pick = i % 3 === 0 ? 900 + (i % 7) : random(1) % 1000;
      original.kind[i] = 5;
      original.timeUs[i] = 1e15 + (random(2) % 1e9);
      original.family[i] = AF_INET;
      original.proto[i] = 6;
      original.origSrc[i] = original.addresses4.intern(0x0a000000 + pick);
      original.origDst[i] = original.addresses4.intern(0x08000000 + (pick ^ 1));
      original.replySrc[i] = original.origDst[i];
      original.replyDst[i] = original.addresses4.intern(0xcb007101);
      original.origSrcPort[i] = random(3);
      original.origDstPort[i] = 443;
      original.replySrcPort[i] = 443;
      original.replyDstPort[i] = i % 50 === 7 ? random(4) : original.origSrcPort[i];
      original.status[i] = random(5) % 5;
      original.endUs[i] = i % 5 === 0 ? 0 : original.timeUs[i] + i * 1e6;
      original.count = i + 1;
    }
    original.present = Column.status | Column.endUs;
    const { minTimeUs } = timeRange(original);
    const { storedBytes } = encodeRecords(original, minTimeUs, out, 0, effort);
    decodeRecords(out.slice(0, storedBytes), original.count, minTimeUs, read);
    assert.deepEqual(meaning(read), meaning(original));
  });

test('a full batch of random IPv6 rows fits its slot and comes back', () => {
  original.clear();
  for (let i = 0; i < original.capacity; i++) {
    original.kind[i] = 1;
    original.timeUs[i] = i;
    original.family[i] = AF_INET6;
    original.proto[i] = 17;
    const random = (salt: number) => Math.imul(i + salt, 0x9e3779b1) >>> 0;
    original.origSrc[i] = original.addresses6.intern(random(1), random(2), random(3), random(4));
    original.origDst[i] = original.addresses6.intern(random(5), random(6), random(7), random(8));
    original.replySrc[i] = original.origDst[i];
    original.replyDst[i] = original.addresses6.intern(random(9), random(10), random(11), random(12));
    original.origSrcPort[i] = random(13);
    original.status[i] = random(14);
    original.mark[i] = random(15);
  }
  original.present = Column.status | Column.mark;
  original.count = original.capacity;
  const large = new Uint8Array(original.capacity * 256);
  const { storedBytes } = encodeRecords(original, 0, large, 0, 'fast');
  decodeRecords(large.subarray(0, storedBytes), original.count, 0, read);
  for (const i of [0, 1, 30_000, original.capacity - 1]) {
    assert.equal(address(read, i, read.replyDst[i]), address(original, i, original.replyDst[i]));
    assert.equal(read.mark[i], original.mark[i]);
  }
});

test('a mutated payload ends in a PayloadDamage or in rows, never in another error', () => {
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 20 }),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }),
      fc.nat(),
      fc.constantFrom('fast' as const, 'strong' as const),
      (rows, flips, cut, effort) => {
        fill(original, rows);
        const { storedBytes } = encodeRecords(original, 0, out, 0, effort);
        const payload = out.slice(0, storedBytes - (cut % storedBytes));
        for (const [at, value] of flips) payload[at % payload.length] = value;
        try {
          decodeRecords(payload, original.count, 0, read);
        } catch (error) {
          assert.ok(error instanceof PayloadDamage, String((error as Error).stack));
        }
      },
    ),
    { numRuns: runs(500) },
  );
});

test('a payload that unpacks to tables no row can use is refused', () => {
  const zeros = new Uint8Array(5_000_000);
  const empty = [Section.rowClassLow, Section.rowClientLow, Section.rowServiceLow, Section.rowPortLow];
  for (const id of [
    Section.addresses4,
    Section.addresses6,
    Section.classes,
    Section.helpers,
    Section.clientSource,
  ]) {
    const writer = new SectionWriter();
    for (const column of empty) writer.add(column, zeros, 0, 1, 'strong');
    writer.add(id, zeros, 0, zeros.length, 'strong');
    const out = new Uint8Array(100_000);
    const { storedBytes } = writer.write(out, 0);
    assert.throws(
      () => decodeRecords(out.subarray(0, storedBytes), 1, 0, new EventBatch()),
      (error) => error instanceof PayloadDamage && /table larger/.test(error.message),
      String(id),
    );
  }
});
