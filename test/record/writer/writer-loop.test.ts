import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SystemFailure } from '../../../src/base/errors.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { BlockMessage, createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { WriterLoop } from '../../../src/record/writer/writer-loop.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import {
  complaints,
  Events,
  expectedRows,
  faultyFileSystem,
  gapsOf,
  inDirectory,
  options,
  put,
  putBlock,
  RUN_ID,
  rowsOf,
  START_US,
} from './writer-helper.js';

process.env.TZ = 'UTC';

test('the loop keeps blocks in the ring until they are durable, and says once when it begins and once when it ends', () =>
  inDirectory(async (directory) => {
    const [ring, stats, events] = [createBlockRing(), createStats(), new Events()];
    const producer = new RingProducer(ring);
    const consumer = new RingConsumer(ring);
    const freeWhenFailed: number[] = [];
    let failures = 0;
    const fs = faultyFileSystem((operation, path) => {
      if (operation !== 'sync' || !path.endsWith('.part') || stats[WriterStat.files] === 0 || failures === 3)
        return undefined;
      failures++;
      freeWhenFailed.push(producer.free());
      return 'EIO';
    });
    const log = join(directory, 'log');
    const writer = new LogWriter(options(log), stats, events.emit, fs);
    const progress = openSync(join(directory, 'progress'), 'w');
    const loop = new WriterLoop(consumer, writer, stats, options(log, { progressFd: progress }), events.emit);
    put(producer, BlockMessage.open);
    putBlock(producer, 1);
    putBlock(producer, 2);
    put(producer, BlockMessage.stop);
    // It blocks its thread, here ours: everything it gets was put before.
    await loop.run();
    closeSync(progress);
    assert.deepEqual(freeWhenFailed, [1, 1, 1]);
    assert.equal(events.logged(/injected.*events are kept/).length, 1);
    assert.equal(events.logged(/writing works again/).length, 1);
    const lines = readFileSync(join(directory, 'progress'), 'utf8').trim().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [{ run: RUN_ID.toString(16).padStart(16, '0'), sequence: 2, events: 6 }],
    );
    const files = events.files('closed');
    assert.deepEqual((await rowsOf(...files)).sort(), expectedRows(1, 2));
  }));

test('a first file that cannot be opened ends the loop with one line', () =>
  inDirectory(async (directory) => {
    writeFileSync(join(directory, 'file'), '');
    const [ring, stats, events] = [createBlockRing(), createStats(), new Events()];
    put(new RingProducer(ring), BlockMessage.open);
    const log = join(directory, 'file/log');
    const writer = new LogWriter(options(log), stats, events.emit);
    const loop = new WriterLoop(new RingConsumer(ring), writer, stats, options(log), events.emit);
    await assert.rejects(loop.run(), (error: SystemFailure) => {
      assert.match(error.message, /^stat [^\n]*\/file\/log: not a directory \(ENOTDIR\)$/);
      return error.code === 'ENOTDIR' || error.code === 'EEXIST';
    });
  }));

test('a parser that ends without a stop message: the file is closed with a gap up to then', () =>
  inDirectory(async (directory) => {
    const [ring, stats, events] = [createBlockRing(), createStats(), new Events()];
    const producer = new RingProducer(ring);
    put(producer, BlockMessage.open);
    putBlock(producer, 1);
    producer.close();
    const log = join(directory, 'log');
    const writer = new LogWriter(options(log), stats, events.emit);
    await new WriterLoop(new RingConsumer(ring), writer, stats, options(log), events.emit).run();
    assert.deepEqual(await rowsOf(log), expectedRows(1, 1));
    assert.deepEqual(await complaints(log), []);
    const [{ fromUs, toUs, cause, certainty }] = await gapsOf(log);
    assert.deepEqual([cause, certainty], ['recorder died', 'unknown']);
    assert.equal(fromUs, START_US + 1e6 + 2, 'the last event of block 1');
    assert.ok(toUs >= fromUs);
    assert.ok(readFileSync(log, 'latin1').includes('"reason":"unclean end"'));
  }));
