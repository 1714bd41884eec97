/** What recovery does not touch: files of others, and those that it cannot recover. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  lstatSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { BLOCK_MARKER } from '../../../src/log/format/format.js';
import { filePreamble } from '../../../src/log/format/frame.js';
import { INDEX_EVERY_BLOCKS } from '../../../src/log/format/index-block.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { leaveBehind, recover, write } from './left-behind.js';
import {
  complaints,
  Events,
  expectedRows,
  faultyFileSystem,
  inDirectory,
  intactRowsOf,
  namesIn,
  options,
  recoverFiles,
  rowsOf,
  START_US,
} from './writer-helper.js';

process.env.TZ = 'UTC';
const skip = process.platform === 'win32' ? 'no pipes among files there' : false;

test('locked files, files of other recorders and files that are no logs are left alone', () =>
  inDirectory(async (directory) => {
    const template = join(directory, '%H%M');
    const running = new LogWriter(options(template), createStats(), () => {});
    running.open(START_US);
    write(running, 1, 1);
    leaveBehind(join(directory, '21%M'), 1, 1, START_US + 60e6, 'another');
    const udp = join(directory, '2117.part');
    copyFileSync(leaveBehind(template, 1, 1, START_US + 180e6), udp);
    writeFileSync(udp, Buffer.from(readFileSync(udp)).fill(0, 0, 8));
    const before = namesIn(directory).filter((name) => name !== '2118.part');
    const contents = before.map((name) => readFileSync(join(directory, name)));
    const events = new Events();
    await recover(template, events, [17]);
    assert.deepEqual(
      events
        .logged(/./)
        .map((line) => /2117\.part: was left behind, and its header cannot be read/.test(line)),
      [true],
      'other protocols, another recorder; nobody knows whose that one is',
    );
    await recover(template, events);
    assert.equal(events.logged(/: was left behind; recovered as /).length, 1);
    assert.deepEqual(namesIn(directory), [...before, '2118']);
    assert.deepEqual(
      before.map((name) => readFileSync(join(directory, name))),
      contents,
    );
    running.close();
    assert.deepEqual(await complaints(join(directory, '2115')), []);
  }));

test('a file that was made and not begun is removed, unless somebody has it locked or it is something else', () =>
  inDirectory(async (directory) => {
    const template = join(directory, 'log-%M');
    const preamble = filePreamble();
    writeFileSync(join(directory, 'log-01.part'), '');
    writeFileSync(join(directory, 'log-02.part'), preamble);
    writeFileSync(join(directory, 'log-03.part'), 'not ours');
    writeFileSync(join(directory, 'log-04.part'), Buffer.concat([preamble, Buffer.of(1)]));
    writeFileSync(join(directory, 'other.part'), '');
    const locked = realFileSystem.create(join(directory, 'log-05.part'));
    assert.ok(realFileSystem.lock(locked));
    const events = new Events();
    await recover(template, events);
    realFileSystem.close(locked);
    assert.deepEqual(namesIn(directory), ['log-03.part', 'log-04.part', 'log-05.part', 'other.part']);
    assert.equal(events.logged(/: was left behind empty; removed$/).length, 2);
  }));

test('a recovery that fails leaves the file as it is and does not keep anybody from recording', () =>
  inDirectory(async (directory) => {
    const template = join(directory, 'log');
    const live = leaveBehind(template, 1, 2);
    truncateSync(live, statSync(live).size - 3);
    const before = readFileSync(live);
    for (const operation of ['open', 'create', 'lock'] as const) {
      const events = new Events();
      const fs = faultyFileSystem((name) => (name === operation ? 'EIO' : undefined));
      const earlier = await recoverFiles(template, [6], fs, events.emit);
      const isRead = operation === 'create';
      assert.equal(earlier?.lastFile?.file, isRead ? 'log' : undefined, 'what is durable can be continued');
      const told = isRead ? /left behind and cannot be closed now/ : /left behind and not recovered/;
      assert.equal(events.logged(told).length, 1);
      assert.deepEqual(readFileSync(live), before);
    }
    for (const operation of ['truncate', 'write', 'sync', 'rename', 'syncDirectory'] as const) {
      const fs = faultyFileSystem((name) => (name === operation ? 'EIO' : undefined));
      await recoverFiles(template, [6], fs);
    }
    await recover(template);
    assert.deepEqual(await rowsOf(join(directory, 'log')), expectedRows(1, 1));
    assert.deepEqual(await complaints(join(directory, 'log')), []);
  }));

test('a file that is made of blocks without an index takes no memory: it is said, left as it is, and recording starts', () =>
  inDirectory(async (directory) => {
    const template = join(directory, '%H%M');
    const live = leaveBehind(template, 1, 1);
    const bytes = readFileSync(live);
    const block = bytes.subarray(bytes.lastIndexOf(BLOCK_MARKER));
    writeFileSync(live, Buffer.concat([bytes, ...new Array<Buffer>(8 * INDEX_EVERY_BLOCKS).fill(block)]));
    const before = readFileSync(live);
    const events = new Events();
    assert.equal(await recover(template, events), undefined);
    assert.equal(events.all.length, 1);
    assert.equal(
      events.logged(/not recovered: more than 2048 blocks in a row without an index; "ctrecorder repair"/)
        .length,
      1,
    );
    assert.deepEqual(namesIn(directory), ['2115.part']);
    assert.deepEqual(readFileSync(live), before);
    // One fewer is as many as a recorder's own file can have, whatever is damaged in it.
    truncateSync(live, before.length - block.length);
    await recover(template);
    assert.deepEqual(namesIn(directory), ['2115']);
    assert.deepEqual(await intactRowsOf([join(directory, '2115')]), expectedRows(1, 1));
  }));

test(
  'a file that is renamed while it is being locked is not touched, nor is what has its name by then',
  { skip },
  () =>
    inDirectory(async (directory) => {
      const template = join(directory, 'log');
      const live = leaveBehind(template, 1, 2);
      const before = readFileSync(live);
      const moved = join(directory, 'moved');
      const lock: LogFileSystem['lock'] = (file) => {
        const isLocked = realFileSystem.lock(file);
        renameSync(live, moved);
        execFileSync('mkfifo', [live]); // whoever opened it would wait for ever
        return isLocked;
      };
      await recoverFiles(template, [6], { ...realFileSystem, lock });
      assert.deepEqual(readFileSync(moved), before);
      assert.ok(lstatSync(live).isFIFO());
    }),
);
