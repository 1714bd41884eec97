import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { SystemFailure } from '../../../src/base/errors.js';
import { testFiles } from '../../../src/find/upkeep/check.js';
import { squeeze } from '../../../src/find/upkeep/squeeze.js';
import type { RemovedFile } from '../../../src/log/format/retention-note.js';
import { FinishedFiles } from '../../../src/log/read/finished-files.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { BlockMessage, createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { WriterLoop } from '../../../src/record/writer/writer-loop.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import type { WriterEvent } from '../../../src/record/writer/writer-task.js';
import { announcedIn, blockOf, DAY_US, Days, NAMES, notesIn, setNow, usedBytes } from './days.js';
import {
  Events,
  eventBlock,
  faultyFileSystem,
  inDirectory,
  options,
  put,
  START_US,
} from './writer-helper.js';

process.env.TZ = 'UTC';

const FULL = new SystemFailure('write', 'ENOSPC', 'write: no space left (ENOSPC)');

test('--keep-days: files whose last event is older, each said and noted with its size and last hash', (t) =>
  inDirectory(async (directory) => {
    const days = new Days(directory, { keepDays: 3 }).record(8);
    setNow(t, 7.5);
    const sizes = new Map(days.left.map((day) => [day, statSync(realPath(days.path(day))).size]));
    await days.retain();
    // What happened late on day 5 is not three days old yet, though its file was begun longer ago.
    assert.deepEqual(days.left, [5, 6, 7, 8]);
    const closed = new Map(
      days.events.all.flatMap((event) => (event.type === 'closed' ? [[event.file, event.chain]] : [])),
    );
    const expected = [1, 2, 3, 4].map((day) => ({
      file: days.path(day),
      bytes: sizes.get(day),
      chain: closed.get(days.path(day)),
      reason: 'age',
    }));
    assert.deepEqual(
      days.removed.map(({ type: _, ...said }) => said),
      expected,
    );
    assert.equal(days.stats[WriterStat.filesRemoved], 4);
    assert.equal(
      days.stats[WriterStat.bytesRemoved],
      expected.reduce((sum, { bytes }) => sum + bytes!, 0),
    );
    days.writer.close();
    const removed = expected.map((said, i) => ({
      ...said,
      file: basename(said.file),
      openedUs: START_US + i * DAY_US,
    }));
    // The note does not say that everything up to now was seen: its block has the time of the last event.
    const blockUs = START_US + blockOf(8) * 1e6 + 2;
    assert.deepEqual(notesIn(days.path(8)), [{ atUs: Date.now() * 1000, removed, blockUs }]);
  }));

function realPath(path: string): string {
  return existsSync(path) ? path : `${path}.part`;
}

test('--keep-bytes: the oldest go until all that is left is no more, again when the live file grows', () =>
  inDirectory(async (directory) => {
    const keepBytes = 12_000;
    const days = new Days(directory, { keepBytes }).record(10, 100);
    const total = () => usedBytes(directory);
    await days.retain();
    assert.ok(total() <= keepBytes && total() + days.removed.at(-1)!.bytes > keepBytes);
    assert.ok(days.removed.every(({ reason }) => reason === 'bytes'));
    assert.deepEqual(
      days.removed.map(({ file }) => basename(file)),
      NAMES.slice(1, 1 + days.removed.length),
    );
    // Without a rotation:
    const count = days.removed.length;
    for (let block = 10; days.removed.length === count; block++) {
      const { bytes, filter } = eventBlock(blockOf(block), 100);
      days.writer.append(bytes, 0, filter);
      days.writer.commit();
      await days.work();
      assert.ok(total() <= keepBytes);
    }
  }));

test('a full disk in the middle of it: what that took is not removed once more', () =>
  inDirectory(async (directory) => {
    const days = new Days(directory, { keepBytes: 12_000 }).record(14, 100);
    const { liveBytes } = days.writer;
    days.retention.schedule();
    while (days.removed.length === 0) days.step();
    assert.ok(days.retention.makeRoom({ error: FULL, bytes: 1 }));
    await days.work();
    assert.deepEqual(
      days.removed.slice(0, 3).map(({ reason }) => reason),
      ['bytes', 'disk full', 'bytes'],
    );
    // Some of the notes came before the last removal, some later.
    const used = usedBytes(directory);
    const noteBytes = days.writer.liveBytes - liveBytes;
    assert.ok(used - noteBytes <= 12_000 && used + days.removed.at(-1)!.bytes > 12_000);
  }));

test('nothing is removed that is not a finished file of this recorder', (t) =>
  inDirectory(async (directory) => {
    const at = (name: string) => join(directory, name);
    const other = new LogWriter(options(at('%Y%m%e')), createStats(), () => {});
    other.open(START_US + 20 * DAY_US);
    other.close();
    const udp = new LogWriter(options(at('%Y%m%d'), { protocols: [17] }), createStats(), () => {});
    udp.open(START_US + 21 * DAY_US);
    udp.close();
    const days = new Days(directory, { keepDays: 1 }).record(7);
    const whole = readFileSync(days.path(1));
    writeFileSync(at('20250101.part'), whole); // left behind by another process
    writeFileSync(at('20250101.torn'), whole);
    writeFileSync(at(`${NAMES[1]}.copy`), whole);
    writeFileSync(at('20250102'), whole); // a copy under a name that is not the one of its time
    writeFileSync(at('20250103'), 'no log');
    writeFileSync(at('20250104'), '');
    mkdirSync(at('20250105'));
    execFileSync('mkfifo', [at('20250106')]);
    renameSync(days.path(2), at('elsewhere'));
    symlinkSync(at('elsewhere'), days.path(2));
    truncateSync(days.path(3), statSync(days.path(3)).size - 1); // no end any more
    const foreignLock = realFileSystem.open(days.path(4));
    assert.ok(realFileSystem.lock(foreignLock));
    await squeeze({ file: days.path(5) });
    const before = readdirSync(directory).sort();
    setNow(t, 30);
    await days.retain();
    await days.retain();
    const gone = before.filter((name) => !readdirSync(directory).includes(name));
    assert.deepEqual(gone, [NAMES[1], NAMES[5], NAMES[6]].sort());
    assert.equal(days.events.logged(/is not removed: it has no end block/).length, 1, 'said once');
    realFileSystem.close(foreignLock);
    await days.retain();
    assert.ok(!existsSync(days.path(4)));
    // The file after a squeezed one names the hash of the original.
    days.writer.close();
    const chainOf = (day: number) => days.removed.find(({ file }) => file === days.path(day))?.chain;
    const closed = days.events.all.find((event) => event.type === 'closed' && event.file === days.path(5));
    assert.equal(chainOf(5), (closed as { chain: string }).chain);
  }));

test('a file that cannot be removed is said once and tried again; the others go', (t) =>
  inDirectory(async (directory) => {
    let failing = true;
    const fs = faultyFileSystem((operation, path) =>
      failing && operation === 'remove' && path.endsWith(NAMES[2]) ? 'EPERM' : undefined,
    );
    const days = new Days(directory, { keepDays: 1 }, fs).record(5);
    setNow(t, 30);
    await days.retain();
    await days.retain();
    assert.deepEqual(days.left, [2, 5]);
    assert.equal(days.events.logged(/is not removed: remove .*EPERM/).length, 1);
    failing = false;
    await days.retain();
    assert.deepEqual(days.left, [5]);
    assert.equal(notesInAll(days).length, 4);
  }));

/** Of these, LogFileSystem says that they answer whatever happens. */
const NEVER_FAIL = new Set(['closeLater', 'entries']);

test('any call of it fails: what is gone is in the log, and nothing else', async (t) => {
  setNow(t, 30);
  for (let at = 0, calls = 1; at < calls; at++)
    await inDirectory(async (directory) => {
      let active = false;
      let call = 0;
      const fs = faultyFileSystem((operation) =>
        active && !NEVER_FAIL.has(operation) && call++ === at ? 'EIO' : undefined,
      );
      const days = new Days(directory, { keepDays: 1 }, fs).record(5);
      active = true;
      days.retention.schedule();
      while (days.retention.busy) {
        days.step();
        await setImmediate();
      }
      active = false;
      calls = call;
      const gone = [1, 2, 3, 4].filter((day) => !days.left.includes(day)).map((day) => NAMES[day]);
      assert.ok(gone.length >= 3);
      assert.deepEqual(
        notesInAll(days)
          .map(({ file }) => file)
          .sort(),
        gone,
      );
    });
});

/** Of the fifth day, also where another file stands in for one that was given up. */
function notesInAll(days: Days): RemovedFile[] {
  days.writer.close();
  return readdirSync(days.directory)
    .filter((name) => name.startsWith(NAMES[5]))
    .flatMap((name) => notesIn(join(days.directory, name)).flatMap(({ removed }) => removed));
}

test('a header is read once, not at every look; a file that was changed is looked at again', () =>
  inDirectory((directory) => {
    const days = new Days(directory, { keepDays: 1 }).record(5);
    const files = new FinishedFiles(realFileSystem);
    const look = () => {
      const steps = files.look(days.writer.recorder);
      let next = steps.next();
      while (!next.done) next = steps.next();
      return next.value.map(({ path }) => basename(path));
    };
    const found = NAMES.slice(1, 5);
    utimesSync(days.path(2), 1000, 1000);
    assert.deepEqual(look(), found);
    writeFileSync(days.path(2), new Uint8Array(statSync(days.path(2)).size));
    utimesSync(days.path(2), 1000, 1000);
    assert.deepEqual(look(), found);
    utimesSync(days.path(2), 1000, 2000);
    assert.deepEqual(look(), [found[0], found[2], found[3]]);
  }));

test('what was removed until a stop is in the log, though there was more to remove', (t) =>
  inDirectory(async (directory) => {
    const days = new Days(directory, {}).record(6);
    days.writer.close();
    setNow(t, 100);
    const all = options(join(directory, '%Y%m%d'), {
      retention: { keepDays: 1, holds: [], trustClock: true },
    });
    const ring = createBlockRing();
    const producer = new RingProducer(ring);
    const [events, stats] = [new Events(), createStats()];
    const emit = (event: WriterEvent) => {
      events.emit(event);
      if (event.type === 'removed' && stats[WriterStat.filesRemoved] === 3) put(producer, BlockMessage.stop);
    };
    const writer = new LogWriter(all, stats, emit);
    put(producer, BlockMessage.open, START_US + 99 * DAY_US);
    await new WriterLoop(new RingConsumer(ring), writer, stats, all, emit).run();
    assert.deepEqual(days.left, [4, 5, 6]);
    const [file] = events.files('closed');
    const noted = notesIn(file).flatMap(({ removed }) => removed.map((gone) => gone.file));
    assert.deepEqual(noted, NAMES.slice(1, 4));
  }));

test('what is to be removed is durable in the log before it is, and -T explains a missing file by that alone', () =>
  inDirectory(async (directory) => {
    let copy = '';
    const announced: string[] = [];
    const fs: LogFileSystem = {
      ...realFileSystem,
      remove(path) {
        const live = `${days.path(4)}.part`;
        announced.push(...announcedIn(live).map(({ file }) => file));
        if (copy === '') {
          copy = join(directory, 'copy');
          copyFileSync(live, copy);
        }
        realFileSystem.remove(path);
      },
    };
    const days: Days = new Days(directory, { keepBytes: 1 }, fs).record(4);
    await days.retain();
    assert.deepEqual(days.left, [4]);
    assert.deepEqual([...new Set(announced)], NAMES.slice(1, 4));
    // As if the recorder had been killed after the removals and before it could say that they are done.
    const lines: string[] = [];
    const earlier = new Days(directory, {}).record(1);
    earlier.writer.close();
    for await (const report of testFiles([earlier.path(1), copy])) lines.push(...report.lines);
    assert.ok(
      lines.some((line) => /was about to be removed by retention/.test(line)),
      lines.join('\n'),
    );
  }));
