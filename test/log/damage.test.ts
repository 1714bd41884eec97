/** Format 3 under every single damaged byte and every cut: `-T` finds it, `-L` shows nothing that was not recorded. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AF_INET, Column, EventBatch, RecordKind } from '../../src/conntrack/batch.js';
import { DamageError } from '../../src/errors.js';
import type { FileMeta } from '../../src/log/file-meta.js';
import { LogFileWriter } from '../../src/log/file-writer.js';
import { BLOCK_HEADER_BYTES, FILE_PREAMBLE_BYTES } from '../../src/log/format.js';
import { ByteInput, FileFeed } from '../../src/log/input.js';
import { openLog } from '../../src/log/open.js';
import { scanBlocks } from '../../src/log/scan.js';
import { testFiles } from '../../src/query/check.js';

const BLOCKS = 3;
const ROWS = 4;

const meta: FileMeta = {
  recorder: 'ctrecorder test',
  hostname: 'gateway',
  bootId: '',
  runId: '00000000000000aa',
  openedUs: 1_795_384_800_000_000,
  timeZone: 'UTC',
  minutesWest: 0,
  dst: 0,
  utcOffsetSeconds: 0,
  protocols: [6],
  template: '/var/log/x.ct',
  squeezed: false,
};

let folder: string;
let path: string;
let sound: Uint8Array;
let soundRows: string[];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ctrecorder-damage-'));
  path = join(folder, 'a.ct');
  sound = writeFile(path, meta);
  soundRows = (await read(sound)).rows;
  assert.equal(soundRows.length, BLOCKS * ROWS);
});

after(() => rmSync(folder, { recursive: true, force: true }));

function writeFile(to: string, fileMeta: FileMeta): Uint8Array {
  const writer = LogFileWriter.create(to, fileMeta);
  const batch = new EventBatch();
  for (let block = 0; block < BLOCKS; block++) {
    batch.clear();
    for (let i = 0; i < ROWS; i++) {
      batch.kind[i] = i % 2 === 0 ? RecordKind.start : RecordKind.end;
      batch.flags[i] = 0;
      batch.timeUs[i] = meta.openedUs + block * 1e6 + i * 1000;
      batch.timeSource[i] = 0;
      batch.family[i] = AF_INET;
      batch.proto[i] = 6;
      batch.origSrc[i] = batch.addresses4.intern(0x0a000001 + i);
      batch.origDst[i] = batch.addresses4.intern(0x5db8d822);
      batch.replySrc[i] = batch.origDst[i];
      batch.replyDst[i] = batch.addresses4.intern(0xcb007101);
      batch.origSrcPort[i] = 40_000 + i;
      batch.origDstPort[i] = 443;
      batch.replySrcPort[i] = 443;
      batch.replyDstPort[i] = 61_000 + block;
      batch.status[i] = 0x19e;
    }
    batch.present = Column.status;
    batch.count = ROWS;
    writer.append(batch);
  }
  writer.close();
  return new Uint8Array(readFileSync(to));
}

/** Rows that the reader gives, and whether it said that something was damaged. */
async function read(bytes: Uint8Array): Promise<{ rows: string[]; damaged: boolean }> {
  writeFileSync(path, bytes);
  const rows: string[] = [];
  let damaged = false;
  try {
    const source = await openLog(path);
    try {
      for await (const item of source.items()) {
        if (item.type === 'damage') damaged = true;
        if (item.type !== 'records') continue;
        const { batch } = item;
        for (let i = 0; i < batch.count; i++)
          rows.push(
            [
              batch.kind[i],
              batch.flags[i],
              batch.timeUs[i],
              batch.proto[i],
              ...[batch.origSrc, batch.origDst, batch.replySrc, batch.replyDst].map(
                (c) => batch.addresses4.values[c[i]],
              ),
              ...[batch.origSrcPort, batch.origDstPort, batch.replySrcPort, batch.replyDstPort].map(
                (c) => c[i],
              ),
              batch.status[i],
            ].join(),
          );
      }
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    assert.ok(!error.message.includes('\n'));
    damaged = true;
  }
  return { rows, damaged };
}

/** `-T`: sound or not. */
async function isSound(...files: string[]): Promise<boolean> {
  try {
    for await (const report of testFiles(files)) if (!report.sound) return false;
    return true;
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    return false;
  }
}

/** Rows in order, some may be missing, none may be new. */
function assertSubsequence(rows: string[], what: string): void {
  let at = 0;
  for (const row of rows) {
    at = soundRows.indexOf(row, at) + 1;
    assert.notEqual(at, 0, `${what}: a row that was never recorded: ${row}`);
  }
}

test('an undamaged file is sound', async () => {
  assert.deepEqual(await read(sound), { rows: soundRows, damaged: false });
  assert.ok(await isSound(path));
});

test('any byte changed: found, and never a wrong row', async () => {
  for (let at = 0; at < sound.length; at++) {
    const bytes = sound.slice();
    bytes[at] ^= 1 << (at % 8);
    const { rows } = await read(bytes);
    assertSubsequence(rows, `byte ${at} changed`);
    assert.ok(
      rows.length >= ROWS * (BLOCKS - 1) || at < FILE_PREAMBLE_BYTES,
      `byte ${at} cost more than its block`,
    );
    assert.equal(await isSound(path), false, `byte ${at} changed, and -T calls it sound`);
  }
});

test('cut at any byte: what stands before the cut is read, the cut is reported', async () => {
  for (let length = 0; length < sound.length; length++) {
    const { rows, damaged } = await read(sound.slice(0, length));
    assertSubsequence(rows, `cut at ${length}`);
    writeFileSync(path, sound.slice(0, length));
    assert.equal(await isSound(path), false, `cut at ${length}, and -T calls it sound`);
    if (rows.length % ROWS !== 0) assert.fail(`half a block at ${length}`);
    assert.ok(damaged, `cut at ${length}, and nobody says so`);
  }
});

test('a block missing, doubled or moved is found; doubled rows are not shown twice', async () => {
  const blocks = blockOffsets();
  const [, first, second, third] = blocks.map(([from, to]) => sound.subarray(from, to));
  const [head, tail] = [sound.subarray(0, blocks[1][0]), sound.subarray(blocks[3][1])];
  const variants: Record<string, Uint8Array[]> = {
    missing: [head, first, third, tail],
    doubled: [head, first, second, second, third, tail],
    'at the wrong place': [head, second, first, third, tail],
    'without header': [sound.subarray(0, blocks[0][0]), first, second, third, tail],
  };
  for (const [what, parts] of Object.entries(variants)) {
    const { rows } = await read(Buffer.concat(parts));
    assertSubsequence(rows, what);
    assert.ok(rows.length >= ROWS, what);
    assert.equal(await isSound(path), false, what);
  }
});

test('zeroed pages are skipped', async () => {
  const [from, to] = blockOffsets()[2];
  const bytes = sound.slice();
  bytes.fill(0, from, to);
  const { rows, damaged } = await read(bytes);
  assert.equal(rows.length, ROWS * (BLOCKS - 1));
  assert.ok(damaged);
});

test('bytes missing from a block cost that block alone, also where blocks are passed over unread', async () => {
  const blocks = blockOffsets();
  for (const [from, to] of blocks.slice(1, BLOCKS + 1)) {
    for (const cut of [1, to - from - BLOCK_HEADER_BYTES]) {
      const bytes = Buffer.concat([sound.subarray(0, to - cut), sound.subarray(to)]);
      const { rows, damaged } = await read(bytes);
      assert.equal(rows.length, ROWS * (BLOCKS - 1), `${cut} bytes missing before ${to}`);
      assert.ok(damaged);
      writeFileSync(path, bytes);
      const offsets: number[] = [];
      const input = new ByteInput(new FileFeed(path));
      await input.need(FILE_PREAMBLE_BYTES);
      input.advance(FILE_PREAMBLE_BYTES);
      for await (const item of scanBlocks(input, { wants: () => false }))
        if (item.type === 'block') offsets.push(item.offsetBytes);
      await input.close();
      const expected = blocks.filter(([at]) => at !== from).map(([at]) => (at > from ? at - cut : at));
      assert.deepEqual(offsets, expected);
    }
  }
});

test('files swapped in the chain', async () => {
  const [one, two, other] = ['one.ct', 'two.ct', 'other.ct'].map((name) => join(folder, name));
  const first = writeFile(one, meta);
  const chain = Buffer.from(first.subarray(lastBlock(first) + 60, lastBlock(first) + 92)).toString('hex');
  const previous = { file: 'one.ct', acknowledgedBytes: first.length, chain };
  writeFile(two, { ...meta, previous });
  writeFile(other, { ...meta, hostname: 'elsewhere' });
  assert.ok(await isSound(one, two));
  assert.equal(await isSound(other, two), false);
  assert.equal(await isSound(two, one), false);
});

/** [from, to) of every block. */
function blockOffsets(): [number, number][] {
  const view = new DataView(sound.buffer);
  const offsets: [number, number][] = [];
  for (let at = FILE_PREAMBLE_BYTES; at < sound.length; ) {
    const to = at + BLOCK_HEADER_BYTES + view.getUint32(at + 12, true);
    offsets.push([at, to]);
    at = to;
  }
  return offsets;
}

function lastBlock(bytes: Uint8Array): number {
  const tail = Buffer.from(bytes.subarray(bytes.length - 31)).toString('latin1');
  return Number.parseInt(tail.slice(13, 29), 16);
}
