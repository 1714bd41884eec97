/**
 * The real writer worker on real file systems that fill up, hang, become read-only and are mounted again.
 * Disks whose writes fail late, in fdatasync, are left to faults.test.ts: ext4 on a loop device that loses
 * its end made the kernel (6.18) stop with "kernel BUG at fs/ext4/mballoc.c", which no test may do to a
 * machine.
 */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { BlockMessage } from '../../../src/record/stage/blocks.js';
import { diskState, WriterStat } from '../../../src/record/writer/writer-stats.js';
import { enterMountNamespace, fill, loopOf, Mounts, mayMount, mend } from './mounts.js';
import { complaints, expectedRows, metaOf, namesIn, rowsOf, START_US } from './writer-helper.js';
import { WriterThread } from './writer-thread.js';

enterMountNamespace(import.meta.url);

const ROWS = 900;
const MINUTE_US = 60e6;
const skip = mayMount ? false : 'needs root on Linux';

/** Files in the order they were opened in. */
function filesIn(directory: string): string[] {
  return namesIn(directory)
    .map((name) => join(directory, name))
    .sort((a, b) => metaOf(a).openedUs - metaOf(b).openedUs || a.length - b.length);
}

async function checkAll(writer: WriterThread, directory: string, rows = ROWS): Promise<void> {
  const files = filesIn(directory);
  assert.ok(files.every((file) => !file.includes('.part')));
  assert.deepEqual(await complaints(...files), []);
  assert.deepEqual(await rowsOf(...files), expectedRows(1, writer.last, rows));
  assert.equal(writer.stats[WriterStat.stalled], 0);
  assert.equal(writer.stats[WriterStat.filesUnfinished], 0);
}

test('a tmpfs that is filled and freed under load: stalls, loses nothing, goes on by itself', { skip }, () =>
  Mounts.with(async (mounts) => {
    const at = mounts.tmpfs('small', 'size=16m');
    await WriterThread.with(join(at, 'log-%H%M'), {}, async (writer) => {
      const { stats, events } = writer;
      for (let cycle = 1; cycle <= 3; cycle++) {
        await writer.putUntil(
          () => writer.durableEvents > writer.last * ROWS * 0.9 && writer.last > 20 * cycle,
          ROWS,
        );
        const ballast = fill(at);
        await writer.putUntil(() => stats[WriterStat.stalled] === 1, ROWS);
        const durable = writer.durableEvents;
        await writer.putUntil(() => !writer.hasRoom, ROWS);
        const errors = stats[WriterStat.errors];
        await writer.until(() => stats[WriterStat.errors] > errors + 1);
        assert.equal(writer.durableEvents, durable, 'nothing is acknowledged while the disk is full');
        assert.ok(!writer.hasRoom, 'the blocks stay in the ring');
        assert.match(diskState(stats), /^; stalled for \d+ s, writing fails$/);
        rmSync(ballast);
        await writer.until(() => writer.durableEvents === writer.last * ROWS);
        assert.equal(diskState(stats), '');
        await writer.tell(BlockMessage.rotate, START_US + cycle * MINUTE_US);
      }
      await writer.stop();
      assert.equal(events.logged(/no space left.*events are kept/).length, 3, 'once each time');
      assert.equal(events.logged(/writing works again/).length, 3);
      assert.equal(filesIn(at).length, 4);
      await checkAll(writer, at);
    });
  }),
);

test('a disk that is always full, and retention: the oldest files go, nothing waits', { skip }, () =>
  Mounts.with(async (mounts) => {
    const at = mounts.tmpfs('small', 'size=1m');
    const retention = { keepBytes: 1e12, holds: [] };
    await WriterThread.with(join(at, '%H%M'), { retention }, async (writer) => {
      const { stats, events } = writer;
      for (let minute = 1; stats[WriterStat.filesRemoved] < 10; minute++) {
        const { last } = writer;
        await writer.putUntil(() => writer.last >= last + 10, ROWS);
        await writer.tell(BlockMessage.rotate, START_US + minute * MINUTE_US);
      }
      await writer.stop();
      const removed = events.all.flatMap((event) => (event.type === 'removed' ? [event] : []));
      assert.ok(removed.every(({ reason }) => reason === 'disk full'));
      assert.deepEqual(events.logged(/events are kept/), []);
      const files = filesIn(at);
      assert.equal(
        metaOf(files[0]).previous?.file,
        basename(removed.at(-1)!.file),
        'the oldest went, in order',
      );
      assert.equal(metaOf(files[0]).previous?.chain, removed.at(-1)!.chain);
      assert.deepEqual(await complaints(...files), []);
      const rows = await rowsOf(...files);
      const first = Number.parseInt(rows[0], 10);
      assert.deepEqual(rows, expectedRows(first, writer.last, ROWS));
    });
  }),
);

test('a full disk is no reason to remove files from another one', { skip }, () =>
  Mounts.with(async (mounts) => {
    mounts.tmpfs('2027', 'size=1m');
    const template = join(mounts.folder, '%Y/log');
    await WriterThread.with(template, { retention: { keepDays: 10_000, holds: [] } }, async (writer) => {
      const { stats } = writer;
      await writer.putUntil(() => writer.durableEvents > 10 * ROWS, ROWS);
      await writer.tell(BlockMessage.rotate, Date.UTC(2027) * 1000);
      await writer.until(() => writer.events.files('opened').length === 2);
      const ballast = fill(join(mounts.folder, '2027'));
      await writer.putUntil(() => stats[WriterStat.stalled] === 1, ROWS);
      assert.equal(stats[WriterStat.filesRemoved], 0);
      rmSync(ballast);
      await writer.until(() => writer.durableEvents === writer.last * ROWS);
      await writer.stop();
      await checkAll(writer, mounts.folder);
    });
  }),
);

test('a disk that hangs: the statistics say so, nothing is lost, it goes on by itself', { skip }, () =>
  Mounts.with(async (mounts) => {
    const { at } = mounts.ext4('disk');
    const directory = join(at, 'log');
    await WriterThread.with(join(directory, '%H%M'), {}, async (writer) => {
      const { stats } = writer;
      await writer.putUntil(() => writer.durableEvents > 10 * ROWS, ROWS);
      const thaw = mounts.freeze(at);
      try {
        await writer.putUntil(() => diskState(stats).includes('has not answered') && !writer.hasRoom, ROWS);
        const durable = writer.durableEvents;
        assert.ok(durable < writer.last * ROWS);
        assert.match(diskState(stats), /^; the disk has not answered for \d+ s$/);
        assert.equal(writer.durableEvents, durable);
      } finally {
        thaw(); // before the thread is ended, which would wait for the disk
      }
      await writer.until(() => writer.durableEvents === writer.last * ROWS);
      assert.equal(stats[WriterStat.errors], 0);
      await writer.stop();
      await checkAll(writer, directory);
    });
  }),
);

test('a file system that turns read-only, is checked and mounted again: recording goes on', { skip }, () =>
  Mounts.with(async (mounts) => {
    // Below it nothing can be written: a recorder would make its directory again on the disk that is there.
    mounts.tmpfs('disk', 'ro');
    const { at, image } = mounts.ext4('disk', ',errors=remount-ro');
    const directory = join(at, 'log');
    await WriterThread.with(join(directory, '%H%M'), {}, async (writer) => {
      const { stats, events } = writer;
      await writer.putUntil(() => writer.durableEvents > 10 * ROWS, ROWS);
      writeFileSync(`/sys/fs/ext4/${loopOf(image)}/trigger_fs_error`, 'test');
      await writer.putUntil(() => stats[WriterStat.stalled] === 1, ROWS);
      const errors = stats[WriterStat.errors];
      await writer.until(() => stats[WriterStat.errors] > errors + 1);
      mounts.unmount(at); // the recorder has let go of it
      mend(image);
      mounts.mount('disk', ['-o', 'loop', image]);
      await writer.until(() => writer.durableEvents === writer.last * ROWS);
      await writer.stop();
      assert.equal(events.logged(/events are kept/).length, 1);
      await checkAll(writer, directory);
    });
  }),
);
