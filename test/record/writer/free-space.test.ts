/** The space of removed files: freed slowly, never under somebody else. */
import assert from 'node:assert/strict';
import { closeSync, linkSync, openSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { errnoCode } from '../../../src/base/errors.js';
import { Days, notesIn } from './days.js';
import { inDirectory } from './writer-helper.js';

process.env.TZ = 'UTC';

test('the space of a removed file is freed in steps, but not under somebody who reads it or has another name for it', () =>
  inDirectory(async (directory) => {
    const bytes = 40 * 2 ** 20;
    /** The sizes that the file has while it is freed. */
    const freed = async (prepare: (path: string) => unknown): Promise<Set<number>> => {
      const path = join(directory, 'file');
      writeFileSync(path, '');
      truncateSync(path, bytes);
      prepare(path);
      const file = realFileSystem.open(path);
      unlinkSync(path);
      const sizes = new Set([bytes]);
      let isClosed = false;
      const closing = realFileSystem.closeLater(file).then(() => {
        isClosed = true;
      });
      for (; !isClosed; await setImmediate())
        try {
          sizes.add(realFileSystem.factsOf(file).bytes);
        } catch (error) {
          assert.equal(errnoCode(error), 'EBADF');
        }
      await closing;
      return sizes;
    };
    assert.deepEqual(await freed(() => {}), new Set([40, 24, 8].map((mebibytes) => mebibytes * 2 ** 20)));
    let reader = -1;
    assert.deepEqual(
      await freed((path) => {
        reader = openSync(path, 'r');
      }),
      new Set([bytes]),
    );
    closeSync(reader);
    const backup = join(directory, 'backup');
    await freed((path) => linkSync(path, backup));
    assert.equal(statSync(backup).size, bytes);
  }));

test('a descriptor that is another file by now is neither cut nor closed', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'file');
    const bytes = 40 * 2 ** 20;
    writeFileSync(path, '');
    truncateSync(path, bytes);
    const other = realFileSystem.open(path);
    unlinkSync(path);
    await realFileSystem.closeLater({ ...other, inode: other.inode + 1 });
    assert.equal(realFileSystem.factsOf(other).bytes, bytes);
    realFileSystem.close(other);
  }));

test('a removal does not wait for the space to be freed, and the next one waits for that', async () => {
  await inDirectory(async (directory) => {
    let freed!: () => void;
    const closeLater: LogFileSystem['closeLater'] = async (file) => {
      await new Promise<void>((resolve) => {
        freed = resolve;
      });
      realFileSystem.close(file);
    };
    const days = new Days(directory, { keepBytes: 1 }, { ...realFileSystem, closeLater }).record(4);
    days.retention.schedule();
    while (days.removed.length === 0) days.step();
    for (let i = 0; i < 10; i++) days.step();
    assert.equal(days.removed.length, 1);
    assert.ok(days.retention.busy);
    freed();
    while (days.removed.length === 1) {
      await setImmediate();
      days.step();
    }
    assert.deepEqual(days.left, [3, 4]);
    freed();
    days.writer.close();
    assert.equal(
      notesIn(days.path(4)).length,
      0,
      'the run is not over: nothing is said that could be said later',
    );
  });
});
