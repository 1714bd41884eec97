/** Rows without an event, in pairing: they stand in the file a moment after the events that followed. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type EventBatch, RecordFlag, RecordKind } from '../../../src/event/batch.js';
import { Pairer } from '../../../src/event/pair.js';
import { UNNUMBERED, writeJsonBlock, writeRecordBlock } from '../../../src/log/format/block.js';
import { BLOCK_MARKER, BlockType } from '../../../src/log/format/format.js';
import { LogFileWriter } from '../../../src/log/write/whole-file.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { temporaryDirectory } from '../../lab/folder.js';
import { meta, options, RUN_ID, START_US } from '../../record/writer/writer-helper.js';
import { batchOf, listText, type TestRow, useZone } from '../helpers.js';

const { start, end, snapshot } = RecordKind;
const derived = RecordFlag.derived;
const OPENED_US = 1_000_000;

/** `START-END`, `?` for what was not seen, `<T` for an end before T. */
function paired(rows: readonly TestRow[]): string[] {
  const pairer = new Pairer(OPENED_US, 16);
  const out: string[] = [];
  const take = (batches: Iterable<EventBatch>) => {
    for (const batch of batches)
      for (let row = 0; row < batch.count; row++) {
        const flags = batch.flags[row];
        assert.equal(flags & derived, 0, 'a connection is more than what the table told');
        const from = flags & RecordFlag.startUnseen ? '?' : batch.timeUs[row] - OPENED_US;
        const before = batch.endUs[row] === 0 ? '?' : `<${batch.endUs[row] - OPENED_US}`;
        out.push(`${from}-${flags & RecordFlag.endUnseen ? before : batch.endUs[row] - OPENED_US}`);
      }
  };
  for (const { timeUs, startUs, endUs, ...row } of rows) {
    const times = {
      timeUs: OPENED_US + timeUs,
      ...(startUs !== undefined && { startUs: OPENED_US + startUs }),
      ...(endUs !== undefined && { endUs: OPENED_US + endUs }),
    };
    take(pairer.add(batchOf([{ ...row, ...times }]), Uint32Array.of(0), 1));
  }
  take(pairer.finish());
  return out;
}

const cases: readonly [string, TestRow[], string[]][] = [
  [
    'what was open at the beginning gives its start to an end that stands before it',
    [
      { kind: end, timeUs: 20 },
      { kind: snapshot, timeUs: 0, startUs: -50 },
    ],
    ['-50-20'],
  ],
  [
    'also to an end that is older than the file, because it waited in the buffer when the file was opened',
    [
      { kind: end, timeUs: -5 },
      { kind: snapshot, timeUs: 0, startUs: -50 },
    ],
    ['-50--5'],
  ],
  [
    'an end in front of what was open with an unknown start stays without one',
    [
      { kind: end, timeUs: 20 },
      { kind: snapshot, timeUs: 0 },
    ],
    ['?-20'],
  ],
  [
    'and its successor is not taken for it',
    [{ kind: end, timeUs: 20 }, { timeUs: 30 }, { kind: snapshot, timeUs: 0, startUs: -50 }],
    ['-50-20', '30-?'],
  ],
  [
    'a look at the table from before the file was opened says nothing in it',
    [
      { kind: snapshot, timeUs: -10, startUs: -50 },
      { kind: start, flags: derived, timeUs: -10, endUs: -20 },
      { kind: end, flags: derived | RecordFlag.endUnseen, timeUs: -10, endUs: -20 },
    ],
    [],
  ],
  [
    'what is found later began after an older end',
    [
      { kind: end, timeUs: 20 },
      { kind: snapshot, timeUs: 30 },
    ],
    ['?-20', '?-?'],
  ],
  [
    'what is found and has ended in front of the row is not open',
    [
      { kind: end, timeUs: 40 },
      { kind: snapshot, timeUs: 30 },
    ],
    ['?-40'],
  ],
  [
    'an unseen start whose time the kernel knew',
    [
      { kind: start, flags: derived, timeUs: 30, startUs: 10 },
      { kind: end, timeUs: 40 },
    ],
    ['10-40'],
  ],
  [
    'one whose time it did not know',
    [
      { kind: start, flags: derived, timeUs: 30, endUs: 10 },
      { kind: end, timeUs: 40 },
    ],
    ['?-40'],
  ],
  [
    'an unseen start of before the file was opened, found in it',
    [{ kind: start, flags: derived, timeUs: 30, startUs: -10 }],
    ['-10-?'],
  ],
  [
    'a start that comes after the look that saw it is the same',
    [{ kind: start, flags: derived, timeUs: 30, startUs: 10 }, { timeUs: 11 }, { kind: end, timeUs: 40 }],
    ['11-40'],
  ],
  [
    'an unseen end',
    [{ timeUs: 10 }, { kind: end, flags: derived | RecordFlag.endUnseen, timeUs: 30, endUs: 15 }],
    ['10-<30'],
  ],
  [
    'an unseen end of what was open at the beginning with an unknown start, last seen before the file was opened',
    [
      { kind: snapshot, timeUs: 0 },
      { kind: end, flags: derived | RecordFlag.endUnseen, timeUs: 30, endUs: -15 },
    ],
    ['?-<30'],
  ],
  [
    'an unseen end does not end a successor',
    [
      { timeUs: 10 },
      { timeUs: 20 },
      { kind: end, flags: derived | RecordFlag.endUnseen, timeUs: 30, endUs: 15 },
    ],
    ['10-<30', '20-?'],
  ],
];
for (const [name, rows, expected] of cases)
  test(name, () => {
    assert.deepEqual(paired(rows), expected);
  });

/**
 * Blocks of a live recorder's file, in this order: rows, or the value of a checkpoint of the moment it was
 * opened.
 */
function record(t: TestContext, ...blocks: (TestRow[] | object)[]): string {
  const template = join(temporaryDirectory(t), 'live.ct');
  const writer = new LogWriter(options(template), createStats(), () => {});
  writer.open(START_US);
  const bytes = new Uint8Array(65_536);
  const identity = { runId: RUN_ID, sequence: UNNUMBERED };
  for (const block of blocks) {
    if (Array.isArray(block)) {
      const batch = batchOf(block);
      const type = batch.kind[0] === snapshot ? BlockType.snapshot : BlockType.events;
      writeRecordBlock(batch, type, identity, bytes, 0, 'strong');
    } else writeJsonBlock(block, BlockType.checkpoint, identity, START_US, START_US, bytes, 0);
    writer.append(bytes, 0, new Uint8Array(0));
  }
  writer.commit();
  writer.close();
  return template;
}

const ended = { kind: end, timeUs: START_US + 1e6 };
const opened = { kind: snapshot, timeUs: START_US, startUs: START_US - 1e6 };

test('only the checkpoint of the snapshot ends the search for it', async (t) => {
  useZone(t, 'UTC');
  const file = record(t, { retention: {} }, [ended], [opened], { snapshot: { entries: 1, atUs: START_US } });
  const { stdout, result } = await listText(file, { noHeader: true, squeeze: true });
  assert.match(stdout, /^2026\.03\.12 21:14:59\.000000 2026\.03\.12 21:15:01\.000000 [^\n]*\n$/);
  assert.equal(result.exitCode, 0);
});

test('damage in the snapshot of the beginning is said', async (t) => {
  useZone(t, 'UTC');
  const file = record(t, [ended], [opened], [{ timeUs: START_US + 2e6, sport: 7 }]);
  const bytes = readFileSync(file);
  let at = -1;
  for (let block = 0; block < 3; block++) at = bytes.indexOf(BLOCK_MARKER, at + 1);
  bytes[at + 100] ^= 1;
  writeFileSync(file, bytes);
  const { stdout, stderr, result } = await listText(file, { noHeader: true, squeeze: true });
  assert.equal(stdout.trim().split('\n').length, 2);
  assert.match(stderr, /block 2: the payload's checksum is wrong/);
  assert.equal(result.exitCode, 1);
});

/** More connections end than are handed out at once before the snapshot of the beginning comes. */
function writeFile(t: TestContext, count: number): string {
  const file = join(temporaryDirectory(t), 'a.ct');
  const writer = LogFileWriter.create(file, meta);
  const rows = (times: TestRow) =>
    Array.from({ length: count }, (_, i) => ({
      ...times,
      src: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    }));
  const blocks = (all: TestRow[]) => {
    for (let from = 0; from < count; from += 40_000) writer.append(batchOf(all.slice(from, from + 40_000)));
  };
  blocks(rows({ kind: end, timeUs: START_US + 1e6 }));
  blocks(rows({ kind: snapshot, timeUs: START_US, startUs: START_US - 1e6 }));
  writer.close();
  return file;
}

test('a file lists everything that was open at its beginning with its start, however late it is told', async (t) => {
  useZone(t, 'UTC');
  const count = 80_000;
  const file = writeFile(t, count);
  const listed = (await listText(file, { noHeader: true, squeeze: true })).stdout.trim().split('\n');
  assert.equal(listed.length, count);
  const span = '2026.03.12 21:14:59.000000 2026.03.12 21:15:01.000000 ';
  assert.deepEqual(
    listed.filter((line) => !line.startsWith(span)),
    [],
  );
  // A pipe is read once: each connection is there once, but what was handed out before its start came stays
  // without it.
  const packed = `${file}.gz`;
  writeFileSync(packed, gzipSync(readFileSync(file)));
  const piped = (await listText(packed, { noHeader: true, squeeze: true })).stdout.trim().split('\n');
  const keys = (lines: string[]) => lines.map((line) => line.slice(span.length)).sort();
  assert.deepEqual(keys(piped), keys(listed));
  assert.ok(piped.every((line) => line.startsWith(span) || line.startsWith('-')));
});
