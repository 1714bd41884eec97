/** A full disk, or one that is to keep some room: what waits, and what goes. */
import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { SystemFailure } from '../../../src/base/errors.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { BlockMessage, createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { WriterLoop } from '../../../src/record/writer/writer-loop.js';
import { diskState, WriterStat } from '../../../src/record/writer/writer-stats.js';
import type { WriterEvent, WriterOptions } from '../../../src/record/writer/writer-task.js';
import { blockOf, DAY_US, Days, NAMES, notesIn, usedBytes } from './days.js';
import {
  complaints,
  Events,
  expectedRows,
  inDirectory,
  options,
  put,
  putBlock,
  rowsOf,
  START_US,
} from './writer-helper.js';

process.env.TZ = 'UTC';

/** A disk with room for so many bytes in the files of a directory. */
function smallDisk(directory: string, capacityBytes: () => number): LogFileSystem {
  const freeBytes = () => capacityBytes() - usedBytes(directory);
  const write: LogFileSystem['write'] = (file, bytes, offset, length, position) => {
    // What is rewritten in place needs no room.
    const isInPlace = position + length <= realFileSystem.factsOf(file).bytes;
    if (!isInPlace && freeBytes() < length)
      throw new SystemFailure('write', 'ENOSPC', `write ${file.path}: no space left (ENOSPC)`, file);
    return realFileSystem.write(file, bytes, offset, length, position);
  };
  return { ...realFileSystem, write, freeBytes };
}

/** A start on day 20, a group of two blocks, a stop: through the loop, which blocks this thread meanwhile. */
class Recording {
  readonly events = new Events();
  readonly stats = createStats();
  /** What the statistics said of the disk at each line of the log. */
  readonly states: string[] = [];

  constructor(
    readonly directory: string,
    readonly fs: LogFileSystem,
    readonly more: Partial<WriterOptions>,
  ) {}

  async run(): Promise<this> {
    const { stats, fs } = this;
    const emit = (event: WriterEvent) => {
      this.events.emit(event);
      if (event.type === 'log') this.states.push(diskState(stats));
    };
    const all = options(join(this.directory, '%Y%m%d'), this.more);
    const ring = createBlockRing();
    const producer = new RingProducer(ring);
    put(producer, BlockMessage.open, START_US + 19 * DAY_US);
    putBlock(producer, blockOf(20), 900);
    putBlock(producer, blockOf(21), 900);
    put(producer, BlockMessage.stop);
    const writer = new LogWriter(all, stats, emit, fs);
    await new WriterLoop(new RingConsumer(ring), writer, stats, all, emit).run();
    return this;
  }

  get removed(): string[] {
    return this.events.all.flatMap((event) =>
      event.type === 'removed' && event.reason === 'disk full' ? [basename(event.file)] : [],
    );
  }

  /** Everything is in the file, and nothing is wrong. */
  async check(): Promise<void> {
    const file = join(this.directory, NAMES[20]);
    assert.deepEqual(await complaints(file), []);
    const rows = await rowsOf(file);
    assert.deepEqual(rows, [
      ...expectedRows(blockOf(20), blockOf(20), 900),
      ...expectedRows(blockOf(21), blockOf(21), 900),
    ]);
    assert.equal(this.stats[WriterStat.stalled], 0);
    assert.equal(this.stats[WriterStat.belowMinFree], 0);
    assert.equal(this.stats[WriterStat.busySinceMs], 0);
  }
}

test('a full disk at the start and later: the oldest go until it can be written, no more', () =>
  inDirectory(async (directory) => {
    const days = new Days(directory, { keepDays: 10_000 }).record(12, 300);
    await days.retain();
    days.writer.close();
    days.retention.end();
    const capacity = usedBytes(directory) + 10;
    const fs = smallDisk(directory, () => capacity);
    const holds = [NAMES[2]];
    const recording = await new Recording(directory, fs, { retention: { keepDays: 10_000, holds } }).run();
    const { removed } = recording;
    assert.ok(removed.length > 1 && removed.length < 11);
    const oldest = NAMES.slice(1).filter((name) => name !== NAMES[2]);
    assert.deepEqual(removed, oldest.slice(0, removed.length));
    const last = recording.events.all.findLast((event) => event.type === 'removed');
    assert.ok(usedBytes(directory) + (last as { bytes: number }).bytes > capacity, 'the last one was needed');
    await recording.check();
    assert.deepEqual(recording.events.logged(/./), [], 'nothing had to wait');
    const noted = notesIn(join(directory, NAMES[20])).flatMap((note) => note.removed);
    assert.deepEqual(
      noted.map(({ file, reason }) => [file, reason]),
      removed.map((name) => [name, 'disk full']),
    );
  }));

test('a full disk and nothing that may go, or no retention: events are kept until there is room', async () => {
  for (const retention of [undefined, { keepBytes: 1e9, holds: NAMES.slice(1, 13) }])
    await inDirectory(async (directory) => {
      const days = new Days(directory, {}).record(12, 300);
      days.writer.close();
      const full = usedBytes(directory) + 2000; // the first file can be opened
      let attempts = 0;
      const fs = smallDisk(directory, () => full + (attempts > 3 ? 1e6 : 0));
      const counting: LogFileSystem['truncate'] = (file, length) => {
        attempts++;
        realFileSystem.truncate(file, length);
      };
      const more = retention === undefined ? {} : { retention };
      const recording = await new Recording(directory, { ...fs, truncate: counting }, more).run();
      await recording.check();
      assert.deepEqual(recording.removed, []);
      assert.deepEqual(days.left, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20]);
      assert.equal(recording.events.logged(/no space left .*events are kept/).length, 1, 'said once');
      assert.equal(recording.events.logged(/writing works again/).length, 1);
      assert.ok(recording.states.some((state) => /^; stalled for \d+ s, writing fails$/.test(state)));
      assert.equal(recording.stats[WriterStat.errors], 4);
    });
});

test('--min-free: nothing is written below it, and with retention the oldest go first', async () => {
  await inDirectory(async (directory) => {
    let calls = 0;
    const fs = { ...realFileSystem, freeBytes: () => (++calls > 3 ? 2e6 : 1e6 + 5) };
    const recording = await new Recording(directory, fs, { minFreeBytes: 1e6 }).run();
    await recording.check();
    const said = recording.events.logged(
      /1000005 bytes are free on the disk, and --min-free leaves 1000000; ev/,
    );
    assert.equal(said.length, 1);
    assert.match(recording.states[0], /^; stalled for \d+ s, less is free than --min-free leaves$/);
    assert.equal(recording.stats[WriterStat.errors], 3);
  });
  await inDirectory(async (directory) => {
    const days = new Days(directory, {}).record(12, 300);
    days.writer.close();
    const capacity = usedBytes(directory) + 50_000;
    const fs = smallDisk(directory, () => capacity);
    const retention = { keepDays: 10_000, holds: [] };
    const recording = await new Recording(directory, fs, { minFreeBytes: 50_000, retention }).run();
    await recording.check();
    assert.ok(recording.removed.length > 1);
    assert.deepEqual(recording.removed, NAMES.slice(1, recording.removed.length + 1));
    const endBytes = 30_000; // index and end block of a file are written whatever is free
    assert.ok(capacity - usedBytes(directory) > 50_000 - endBytes);
  });
  await inDirectory(async (directory) => {
    const freeBytes = () => {
      throw new SystemFailure('statfs', 'ENOSYS', 'statfs: ENOSYS');
    };
    const recording = new Recording(directory, { ...realFileSystem, freeBytes }, { minFreeBytes: 1e6 });
    await (await recording.run()).check();
  });
});
