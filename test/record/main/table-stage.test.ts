/** What is told when the table worker cannot go on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { BLOCK_HEADER_BYTES, BLOCK_MARKER } from '../../../src/log/format/format.js';
import { TableStage } from '../../../src/record/main/table-stage.js';
import { createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import { eventBlock, inDirectory, options, RUN_ID, START_US } from '../writer/writer-helper.js';

/** The first error that a table worker which follows this file logs. */
async function complaintAbout(path: string, sequence: number): Promise<string> {
  const lines = new PassThrough();
  const stage = new TableStage(
    {
      snapshots: createBlockRing().buffer,
      blocks: createBlockRing().buffer,
      writerStats: createStats().buffer as SharedArrayBuffer,
      runId: RUN_ID,
      protocols: 'all',
      mark: (mark) => stage.marked(mark, sequence),
    },
    pino({ level: 'error' }, lines),
  );
  try {
    stage.fileOpened({ path, openedUs: START_US, afterSequence: 0 });
    const [line] = await once(lines, 'data', { signal: AbortSignal.timeout(30_000) });
    return JSON.parse(String(line)).msg;
  } finally {
    await stage.stop();
  }
}

const CONSEQUENCE = '; recording continues; the next file begins with a new dump';

test('a block whose checksums are right and whose payload is not: the file and the offset are told', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'log');
    const stats = createStats();
    const writer = new LogWriter(options(path), stats, () => {});
    writer.open(START_US);
    const [good, bad] = [eventBlock(1), eventBlock(2)];
    bad.bytes.fill(0xff, BLOCK_HEADER_BYTES, bad.blockBytes); // the writer computes the checksums
    for (const { bytes, filter } of [good, bad]) writer.append(bytes, 0, filter);
    writer.commit();
    const live = `${path}.part`;
    const offsetBytes = readFileSync(live).lastIndexOf(BLOCK_MARKER);
    const told = await complaintAbout(live, stats[WriterStat.durableSequence]);
    writer.close();
    const place = `table worker: ${live}: offset ${offsetBytes}: block payload `;
    assert.equal(told.slice(0, place.length), place, told);
    assert.equal(told.slice(-CONSEQUENCE.length), CONSEQUENCE, told);
    assert.doesNotMatch(told, /internal error/);
  }));

test('a file that is gone: its name and what the system said', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'gone');
    const told = await complaintAbout(path, 1);
    assert.equal(told, `table worker: ${path}: no such file or directory (ENOENT)${CONSEQUENCE}`);
  }));

test('a file that ends too early: the block that is missing, and where', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'log');
    writeFileSync(path, new Uint8Array(16));
    const told = await complaintAbout(path, 1);
    assert.equal(told, `table worker: ${path}: offset 16: block 1 is missing${CONSEQUENCE}`);
  }));
