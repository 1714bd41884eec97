import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { DamageError } from '../../../src/base/errors.js';
import { RecordFlag, RecordKind } from '../../../src/event/batch.js';
import { openLegacy } from '../../../src/log/read/legacy.js';
import { checkLegacy } from '../../../src/log/read/legacy-check.js';
import type { Damage } from '../../../src/log/read/source.js';
import { repositoryPath } from '../../lab/repository.js';

const fixture = (name: string) => readFileSync(repositoryPath(`test/fixtures/legacy/${name}`));
const EVENTS = fixture('legacy-tcp.ct');
const SQUEEZED = fixture('legacy-tcp-squeezed.ct');
const HEADER = EVENTS.subarray(0, 256);
const ENTRY = 33;
const entry = (i: number) => EVENTS.subarray(256 + i * ENTRY, 256 + (i + 1) * ENTRY);

async function* chunked(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.slice(at, at + chunkBytes);
}

interface Reading {
  /** `kind timeUs` of each row, and every other column of it. */
  rows: string[];
  damage: Damage[];
}

async function readAll(bytes: Uint8Array, chunkBytes = 1 << 20): Promise<Reading> {
  const source = await openLegacy('x.ct', chunked(bytes, chunkBytes));
  const rows: string[] = [];
  const damage: Damage[] = [];
  for await (const item of source.items()) {
    if (item.type === 'damage') damage.push(item.damage);
    if (item.type !== 'records') continue;
    const b = item.batch;
    const { values } = b.addresses4;
    for (let i = 0; i < b.count; i++)
      rows.push(
        [
          b.kind[i],
          b.flags[i],
          b.timeUs[i],
          b.endUs[i],
          b.proto[i],
          values[b.origSrc[i]],
          b.origSrcPort[i],
          values[b.origDst[i]],
          b.origDstPort[i],
          values[b.replySrc[i]],
          b.replySrcPort[i],
          values[b.replyDst[i]],
          b.replyDstPort[i],
        ].join(' '),
      );
  }
  await source.close();
  return { rows, damage };
}

const intact = await readAll(EVENTS);

/** A long file: `count` entries from 10.x.x.x, a second apart, so that each is different and plausible. */
function longFile(count: number): Buffer {
  const bytes = Buffer.alloc(256 + count * ENTRY);
  HEADER.copy(bytes);
  for (let i = 0; i < count; i++) {
    const at = 256 + i * ENTRY;
    entry(i % 13).copy(bytes, at);
    bytes.writeUInt32BE(EVENTS.readUInt32BE(257) + i, at + 1);
    bytes.writeUInt32BE(0x0a000000 + i, at + 9);
  }
  return bytes;
}

test('events: header and rows', async () => {
  const source = await openLegacy('x.ct', chunked(EVENTS, 1000));
  assert.equal(source.header.hostname, 'vm');
  assert.equal(source.header.formatMajor, 2);
  assert.equal(source.header.squeezed, false);
  assert.deepEqual(source.header.protocols, [6]);
  assert.equal(source.header.startUs, 1_795_409_443_027_696);
  await source.close();
  assert.equal(intact.rows.length, 13);
  assert.deepEqual(intact.damage, []);
  assert.equal(
    intact.rows[4],
    `${RecordKind.start} ${RecordFlag.replied} 1795409443734066 0 6 ${0x0a000008} 40001 ${0x5db8d822} 443 ` +
      `${0x5db8d822} 443 ${0xcb007101} 61003`,
  );
});

test('squeezed: connections with both times; the flag also in the other byte order', async () => {
  const { rows, damage } = await readAll(SQUEEZED);
  assert.equal(rows.length, 5);
  assert.deepEqual(damage, []);
  assert.ok(rows[0].startsWith(`${RecordKind.connection} 0 1795409443727654 1795409444060994 6 `), rows[0]);
  const other = Buffer.from(SQUEEZED);
  other.writeUInt32BE(1, 14);
  assert.deepEqual(await readAll(other), { rows, damage });
  const open = Buffer.from(SQUEEZED);
  open.fill(0, 256 + 8, 256 + 16);
  assert.ok(
    (await readAll(open)).rows[0].startsWith(
      `${RecordKind.connection} ${RecordFlag.endUnseen} 1795409443727654 0 `,
    ),
  );
});

test('the size of the chunks does not matter', async () => {
  for (const chunkBytes of [1, 7, 33, 256, 257]) assert.deepEqual(await readAll(EVENTS, chunkBytes), intact);
});

test('a file longer than a batch comes whole', async () => {
  const { rows, damage } = await readAll(longFile(70_000), 10_001);
  assert.equal(rows.length, 70_000);
  assert.equal(new Set(rows).size, 70_000);
  assert.deepEqual(damage, []);
});

for (const [name, bytes, entryBytes] of [
  ['events', EVENTS, ENTRY],
  ['squeezed', SQUEEZED, 40],
] as const)
  test(`${name}: cut at every byte`, async () => {
    const all = (await readAll(bytes)).rows;
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      if (length < 256) {
        await assert.rejects(readAll(cut), DamageError, `length ${length}`);
        continue;
      }
      const { rows, damage } = await readAll(cut);
      const whole = Math.floor((length - 256) / entryBytes);
      const rest = (length - 256) % entryBytes;
      assert.deepEqual(rows, all.slice(0, whole), `length ${length}`);
      assert.deepEqual(
        damage.map(({ code, offsetBytes, lengthBytes }) => [code, offsetBytes, lengthBytes]),
        rest === 0 ? [] : [['truncated', length - rest, rest]],
        `length ${length}`,
      );
    }
  });

test('a short write puts entries out of step: every whole entry is found, the torn one never shown', async () => {
  for (let torn = 0; torn < 13; torn++)
    for (let kept = 1; kept < ENTRY; kept++) {
      const at = 256 + torn * ENTRY;
      const bytes = Buffer.concat([EVENTS.subarray(0, at + kept), EVENTS.subarray(at + ENTRY)]);
      const { rows, damage } = await readAll(bytes);
      const expected = [...intact.rows.slice(0, torn), ...intact.rows.slice(torn + 1)];
      assert.deepEqual(rows, expected, `entry ${torn} cut after ${kept} bytes`);
      assert.deepEqual(
        damage.map((d) => [d.offsetBytes, d.lengthBytes]),
        [[at, kept]],
      );
    }
});

test('several short writes in a long file, read in small pieces', async () => {
  const whole = longFile(3000);
  const all = (await readAll(whole)).rows;
  const parts: Buffer[] = [];
  const expected: string[] = [];
  let from = 0;
  for (const [torn, kept] of [
    [5, 9],
    [700, 32],
    [701, 5],
    [1999, 20],
  ]) {
    parts.push(whole.subarray(from === 0 ? 0 : 256 + from * ENTRY, 256 + torn * ENTRY + kept));
    expected.push(...all.slice(from, torn));
    from = torn + 1;
  }
  parts.push(whole.subarray(256 + from * ENTRY));
  expected.push(...all.slice(from));
  const { rows, damage } = await readAll(Buffer.concat(parts), 1000);
  // Two neighbours were torn: nothing vouches for the whole bytes between them.
  assert.deepEqual(rows, expected);
  assert.ok(damage.length >= 3);
});

test('bytes inserted or missing anywhere: no row that was not there, at most two lost for each entry that was hit', async () => {
  const real = new Set(intact.rows);
  const check = async (bytes: Uint8Array, hit: number, what: string) => {
    const { rows, damage } = await readAll(bytes);
    for (const row of rows) assert.ok(real.has(row), `${what}: ${row}`);
    assert.equal(new Set(rows).size, rows.length, what);
    assert.ok(rows.length >= 13 - hit - 1, `${what}: ${rows.length} rows`);
    assert.ok(damage.length > 0, what);
  };
  // At the end of a file nothing follows that could show which bytes are out of step.
  for (let at = 256; at < EVENTS.length - 2 * ENTRY; at++)
    for (const count of [1, 7, 32, 34, 100]) {
      const around = [EVENTS.subarray(0, at), EVENTS.subarray(at)];
      const inserted = Buffer.concat([around[0], Buffer.alloc(count, 0xee), around[1]]);
      await check(inserted, 1, `${count} bytes inserted at ${at}`);
      if (count > ENTRY || at + count > EVENTS.length - ENTRY) continue;
      const missing = Buffer.concat([around[0], EVENTS.subarray(at + count)]);
      await check(missing, 2, `${count} bytes missing at ${at}`);
    }
});

test('garbage and zeros are skipped and named', async () => {
  const tail = EVENTS.subarray(256 + 4 * ENTRY);
  for (const filling of [0, 0xff]) {
    const bytes = Buffer.concat([EVENTS.subarray(0, 256 + 4 * ENTRY), Buffer.alloc(5000, filling), tail]);
    const { rows, damage } = await readAll(bytes, 600);
    // The entry before it may be the first half of one and garbage: it is not vouched for.
    assert.deepEqual(rows, [...intact.rows.slice(0, 3), ...intact.rows.slice(4)]);
    assert.deepEqual(
      damage.map((d) => [d.offsetBytes, d.lengthBytes]),
      [[256 + 3 * ENTRY, ENTRY + 5000]],
    );
  }
  const zeroTail = await readAll(Buffer.concat([EVENTS, Buffer.alloc(4096)]));
  assert.deepEqual(zeroTail.rows, intact.rows);
  assert.deepEqual(
    zeroTail.damage.map((d) => [d.offsetBytes, d.lengthBytes]),
    [[EVENTS.length, 4096]],
  );
});

test('a clock that was set is believed, a single impossible time is not', async () => {
  const early = Buffer.from(EVENTS);
  for (let i = 0; i < 6; i++) early.writeUInt32BE(20 + i, 256 + i * ENTRY + 1);
  early.writeUInt32BE(18, 52);
  assert.equal((await readAll(early)).rows.length, 13);
  const lone = Buffer.from(EVENTS);
  lone.writeUInt32BE(5, 256 + 6 * ENTRY + 1);
  const { rows, damage } = await readAll(lone);
  assert.deepEqual(rows, [...intact.rows.slice(0, 6), ...intact.rows.slice(7)]);
  assert.deepEqual(
    damage.map((d) => [d.offsetBytes, d.lengthBytes]),
    [[256 + 6 * ENTRY, ENTRY]],
  );
});

test('changed bytes never end in anything but rows and damage', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(EVENTS.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      fc.nat(EVENTS.length),
      async (changes, length) => {
        const bytes = Buffer.from(EVENTS);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          const { rows, damage } = await readAll(bytes.subarray(0, length));
          const skipped = damage.reduce((sum, d) => sum + d.lengthBytes, 0);
          const squeezed = bytes[14] + bytes[15] + bytes[16] + bytes[17] > 0;
          assert.equal(
            256 + rows.length * (squeezed ? 40 : ENTRY) + skipped,
            length,
            'every byte is accounted for',
          );
        } catch (error) {
          if (!(error instanceof DamageError)) throw error;
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('what is no file of format 2 is refused', async () => {
  const code = async (bytes: Uint8Array) => {
    const error = await readAll(bytes).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof DamageError);
    return error.code;
  };
  assert.equal(await code(Buffer.alloc(0)), 'empty');
  assert.equal(await code(Buffer.alloc(1000, 1)), 'not-a-log');
  const version = Buffer.from(EVENTS);
  version.writeUInt32BE(1, 4);
  assert.equal(await code(version), 'unsupported-version');
  const lengths = Buffer.from(EVENTS);
  lengths.writeUInt16BE(34, 10);
  assert.equal(await code(lengths), 'bad-header');
});

test('the check finds what cannot be true, and says what it cannot find', async () => {
  const check = async (bytes: Uint8Array) => checkLegacy(await openLegacy('x.ct', chunked(bytes, 1000)));
  const good = await check(EVENTS);
  assert.deepEqual([good.entries, good.problemCount], [13, 0]);
  assert.match(good.note, /no checksums/);
  assert.deepEqual([(await check(SQUEEZED)).entries, (await check(SQUEEZED)).problemCount], [5, 0]);
  const bad = Buffer.from(EVENTS);
  bad[256 + 2 * ENTRY] = 0x42;
  bad.writeUInt32BE(1_000_000, 256 + 5 * ENTRY + 5);
  bad.writeUInt32BE(bad.readUInt32BE(256 + 8 * ENTRY + 1) - 3600, 256 + 8 * ENTRY + 1);
  const found = await check(bad.subarray(0, bad.length - 3));
  assert.deepEqual(
    found.problems.map((problem) => [problem.code, problem.offsetBytes]),
    [
      ['implausible', 256 + 2 * ENTRY],
      ['implausible', 256 + 5 * ENTRY],
      ['implausible', 256 + 8 * ENTRY],
      ['truncated', 256 + 12 * ENTRY],
    ],
  );
  assert.deepEqual([found.entries, found.problemCount], [10, 4]);
});
