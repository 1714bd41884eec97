import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import type { ErrnoCode } from '../../../src/base/errno.js';
import { SystemFailure } from '../../../src/base/errors.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import {
  complaints,
  Events,
  eventBlock,
  expectedRows,
  type Fault,
  faultyFileSystem,
  gapsOf,
  inDirectory,
  meta,
  metaOf,
  namesIn,
  options,
  recoverFiles,
  rowsOf,
  START_US,
} from './writer-helper.js';

process.env.TZ = 'UTC';

interface Bench {
  readonly writer: LogWriter;
  readonly events: Events;
  readonly stats: Float64Array;
  /** Write blocks of three rows each in one group, and go on after failures as the loop does. */
  write(from: number, to?: number): void;
  failures: number;
}

function bench(template: string, fs: LogFileSystem = realFileSystem): Bench {
  const [events, stats] = [new Events(), createStats()];
  const writer = new LogWriter(options(template), stats, events.emit, fs);
  const made: Bench = {
    writer,
    events,
    stats,
    failures: 0,
    write(from, to = from) {
      // As in the ring: a block that is written again is the same memory.
      const blocks = Array.from({ length: to - from + 1 }, (_, i) => eventBlock(from + i));
      for (let attempt = 0; attempt < 20; attempt++) {
        try {
          writer.restore();
          for (const { bytes, filter } of blocks) writer.append(bytes, 0, filter);
          writer.commit();
          return;
        } catch (error) {
          if (!(error instanceof SystemFailure)) throw error;
          made.failures++;
        }
      }
      assert.fail('it never worked again');
    },
  };
  return made;
}

test('rotation: live names, final names, directories, modes, and a chain from file to file', () =>
  inDirectory(async (directory) => {
    const { writer, write, events, stats } = bench(join(directory, '%Y/%m/%H%M'));
    writer.open(START_US);
    assert.deepEqual(namesIn(directory), ['2026/03/2115.part']);
    write(1, 2);
    assert.deepEqual(
      await rowsOf(join(directory, '2026/03/2115')),
      expectedRows(1, 2),
      'readable while it grows',
    );
    writer.rotate(START_US + 60e6);
    write(3);
    writer.rotate(START_US + 120e6);
    writer.close();
    const names = ['2026/03/2115', '2026/03/2116', '2026/03/2117'];
    assert.deepEqual(namesIn(directory), names);
    const files = names.map((name) => join(directory, name));
    assert.deepEqual(await complaints(...files), []);
    assert.deepEqual(await rowsOf(...files), expectedRows(1, 3));
    assert.deepEqual(events.files('closed'), files);
    assert.deepEqual(metaOf(files[1]).previous, {
      file: '2115',
      acknowledgedBytes: statSync(files[0]).size,
      runId: meta.runId,
      chain: (events.all.find((event) => event.type === 'closed') as { chain: string }).chain,
    });
    assert.equal(metaOf(files[0]).template, join(directory, '%Y/%m/%H%M'));
    const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
    assert.deepEqual(
      [WriterStat.bytesWritten, WriterStat.files, WriterStat.durableEvents, WriterStat.durableSequence].map(
        (i) => stats[i],
      ),
      [bytes, 3, 9, 3],
    );
  }));

test('modes are what was asked for, whatever the umask; directories are entered where files are read', () =>
  inDirectory((directory) => {
    const before = process.umask(0o077);
    try {
      for (const [fileMode, directoryMode] of [
        [undefined, 0o750],
        [0o600, 0o700],
        [0o664, 0o775],
      ] as const) {
        const place = join(directory, String(fileMode));
        mkdirSync(place, 0o2700);
        chmodSync(place, 0o2700);
        const template = join(place, 'a/b/log');
        const more = fileMode === undefined ? {} : { fileMode };
        const writer = new LogWriter(options(template, more), createStats(), () => {});
        writer.open(START_US);
        writer.close();
        assert.equal(statSync(template).mode & 0o7777, fileMode ?? 0o640);
        // A set-group-id directory hands that on.
        for (const made of ['a', 'a/b'])
          assert.equal(statSync(join(place, made)).mode & 0o7777, directoryMode | 0o2000, made);
        assert.equal(statSync(place).mode & 0o7777, 0o2700, 'what was there is left as it is');
      }
    } finally {
      process.umask(before);
    }
  }));

test('the next file is durable before anything happens to the old one', () =>
  inDirectory((directory) => {
    const calls: string[] = [];
    const fs = faultyFileSystem((operation, path) => {
      calls.push(`${operation} ${path.slice(directory.length + 1)}`);
      return undefined;
    });
    const { writer, write } = bench(join(directory, '%H%M'), fs);
    writer.open(START_US);
    write(1);
    calls.length = 0;
    writer.rotate(START_US + 60e6);
    const order = [
      'create 2116.part',
      'lock 2116.part',
      'write 2116.part',
      'sync 2116.part',
      'syncDirectory ',
    ];
    order.push('write 2115.part', 'sync 2115.part', 'rename 2115.part', 'syncDirectory ', 'close 2115.part');
    let at = -1;
    for (const call of order) {
      at = calls.indexOf(call, at + 1);
      assert.ok(at >= 0, `${call} in its place: ${calls.join(', ')}`);
    }
    assert.ok(calls.indexOf('write 2115.part') > calls.indexOf('sync 2116.part'));
    writer.close();
  }));

test('taken names: numbered at the start, not rotated to later, nothing ever overwritten', () =>
  inDirectory(async (directory) => {
    for (const name of ['2115', '2115.1.part', '2116']) writeFileSync(join(directory, name), 'mine');
    const { writer, write, events, stats } = bench(join(directory, '%H%M'));
    writer.open(START_US);
    assert.equal(writer.path, join(directory, '2115.2.part'));
    assert.equal(events.logged(/2115 is there already: recording to .*2115\.2/).length, 1);
    write(1);
    for (let again = 0; again < 3; again++) writer.rotate(START_US + 60e6);
    assert.equal(events.logged(/not rotated to .*2116/).length, 1, 'said once');
    assert.equal(stats[WriterStat.rotationsRefused], 3);
    write(2);
    writer.rotate(START_US + 120e6);
    writeFileSync(join(directory, '2117'), 'mine'); // comes up while 2117.part grows
    write(3);
    writer.close();
    assert.deepEqual(namesIn(directory), ['2115', '2115.1.part', '2115.2', '2116', '2117', '2117.1']);
    for (const name of ['2115', '2115.1.part', '2116', '2117'])
      assert.equal(readFileSync(join(directory, name), 'utf8'), 'mine');
    assert.deepEqual(await rowsOf(join(directory, '2115.2'), join(directory, '2117.1')), expectedRows(1, 3));
  }));

test('rotation under the same name says so once and goes on', () =>
  inDirectory(async (directory) => {
    const { writer, write, events } = bench(join(directory, 'nat.log'));
    writer.open(START_US);
    write(1);
    writer.rotate(START_US + 60e6);
    writer.rotate(START_US + 120e6);
    write(2);
    writer.close();
    assert.equal(events.logged(/same name/).length, 1);
    assert.deepEqual(await rowsOf(join(directory, 'nat.log')), expectedRows(1, 2));
  }));

test('two writers in one directory keep apart', () =>
  inDirectory(async (directory) => {
    const [a, b] = [bench(join(directory, 'log-%H%M')), bench(join(directory, 'log-%H%M'))];
    a.writer.open(START_US);
    b.writer.open(START_US);
    a.write(1);
    b.write(1);
    a.writer.rotate(START_US + 60e6);
    b.writer.rotate(START_US + 60e6); // a has that name
    a.write(2);
    b.write(2);
    a.writer.close();
    b.writer.close();
    const files = ['log-2115', 'log-2115.1', 'log-2116'].map((name) => join(directory, name));
    assert.deepEqual(namesIn(directory), ['log-2115', 'log-2115.1', 'log-2116']);
    assert.deepEqual(await rowsOf(files[0], files[2]), expectedRows(1, 2));
    assert.deepEqual(await rowsOf(files[1]), expectedRows(1, 2));
    for (const file of files) assert.deepEqual(await complaints(file), []);
  }));

/** Fails the `nth` call of an operation on a path that matches, `times` times. */
function failOnce(
  operation: keyof LogFileSystem,
  code: ErrnoCode | number,
  match: RegExp,
  nth = 1,
  times = 1,
): Fault {
  let calls = 0;
  return (name, path) => {
    if (name !== operation || !match.test(path)) return undefined;
    calls++;
    return calls >= nth && calls < nth + times ? code : undefined;
  };
}

test('a full disk: cut back, written again, one file, every row once', () =>
  inDirectory(async (directory) => {
    // Calls 1 and 2 are preamble and header; in the second group one block is written before the first
    // failure.
    const made = bench(join(directory, 'log'), faultyFileSystem(failOnce('write', 50, /log/, 5, 5)));
    made.writer.open(START_US);
    made.write(1);
    made.write(2, 3);
    made.writer.close();
    assert.equal(made.failures, 5);
    assert.deepEqual(namesIn(directory), ['log']);
    assert.deepEqual(await rowsOf(join(directory, 'log')), expectedRows(1, 3));
    assert.deepEqual(await complaints(join(directory, 'log')), []);
  }));

test('a failed fdatasync: a new file that names what was acknowledged, every row once', () =>
  inDirectory(async (directory) => {
    const made = bench(join(directory, 'log'), faultyFileSystem(failOnce('sync', 'EIO', /log\.part/, 3)));
    made.writer.open(START_US);
    made.write(1);
    const acknowledged = statSync(join(directory, 'log.part')).size;
    made.write(2, 3);
    made.write(4);
    made.writer.close();
    assert.equal(made.failures, 1);
    const files = [join(directory, 'log'), join(directory, 'log.1')];
    assert.deepEqual(namesIn(directory), ['log', 'log.1']);
    assert.deepEqual(await rowsOf(...files), expectedRows(1, 4));
    const { previous } = metaOf(files[1]);
    assert.deepEqual([previous?.file, previous?.acknowledgedBytes], ['log', acknowledged]);
    for (const file of files) assert.deepEqual(await complaints(file), []);
    assert.equal(made.stats[WriterStat.durableEvents], 12);
  }));

test('a removed directory: it is made again and recording goes on', () =>
  inDirectory(async (directory) => {
    const made = bench(join(directory, 'logs/log'));
    made.writer.open(START_US);
    made.write(1);
    rmSync(join(directory, 'logs'), { recursive: true });
    made.write(2);
    made.writer.close();
    assert.equal(made.failures, 1);
    assert.deepEqual(await rowsOf(join(directory, 'logs/log')), expectedRows(2, 2));
    assert.equal(made.events.logged(/is gone, and the 3 records in it/).length, 1);
  }));

test('rotation that cannot open the next file loses nothing and leaves nothing behind', () =>
  inDirectory(async (directory) => {
    for (const [operation, code] of [
      ['create', 'EACCES'],
      ['write', 'ENOSPC'],
      ['sync', 'EIO'],
      ['lock', 'EIO'],
      ['syncDirectory', 'EIO'],
      ['makeDirectory', 'ENOTDIR'],
    ] as const) {
      const place = join(directory, operation);
      let failing = false;
      const fault: Fault = (name, path) =>
        failing && name === operation && !path.endsWith('2115.part') ? code : undefined;
      const made = bench(join(place, '%H%M'), faultyFileSystem(fault));
      made.writer.open(START_US);
      made.write(1);
      failing = true;
      made.writer.rotate(START_US + 60e6);
      assert.deepEqual(namesIn(place), ['2115.part'], operation);
      assert.equal(
        made.events.logged(/not rotated to .*2116.*recording continues in .*2115\.part/).length,
        1,
      );
      failing = false;
      made.write(2);
      made.writer.rotate(START_US + 120e6);
      made.writer.close();
      const files = [join(place, '2115'), join(place, '2117')];
      assert.deepEqual(namesIn(place), ['2115', '2117']);
      assert.deepEqual(await rowsOf(...files), expectedRows(1, 2));
      assert.deepEqual(await complaints(...files), []);
    }
  }));

test('a file that cannot be closed at rotation is closed later, with the end its successor names', () =>
  inDirectory(async (directory) => {
    for (const operation of ['write', 'sync', 'rename', 'truncate'] as const) {
      const place = join(directory, operation);
      let failing = false;
      const fault: Fault = (name, path) =>
        failing && name === operation && path.endsWith('2115.part') ? 'EIO' : undefined;
      const made = bench(join(place, '%H%M'), faultyFileSystem(fault));
      made.writer.open(START_US);
      made.write(1);
      failing = true;
      made.writer.rotate(START_US + 60e6);
      made.write(2);
      made.write(3);
      assert.deepEqual(namesIn(place), ['2115.part', '2116.part'], operation);
      assert.equal(made.events.logged(/2115\.part: cannot be closed yet/).length, 1);
      failing = false;
      made.write(4);
      made.writer.close();
      const files = [join(place, '2115'), join(place, '2116')];
      assert.deepEqual(namesIn(place), ['2115', '2116']);
      assert.deepEqual(await rowsOf(...files), expectedRows(1, 4));
      assert.deepEqual(await complaints(...files), []);
    }
  }));

test('when the end of a dead parser cannot be written, the next start writes the same', () =>
  inDirectory(async (directory) => {
    const log = join(directory, 'log');
    let full = false;
    const { writer, write, events } = bench(
      log,
      faultyFileSystem((operation) => (full && operation === 'write' ? 'ENOSPC' : undefined)),
    );
    writer.open(START_US);
    write(1);
    full = true;
    writer.closeAfterDeath();
    assert.equal(events.logged(/log\.part: the next start closes it: .*ENOSPC/).length, 1);
    assert.deepEqual(namesIn(directory), ['log.part']);
    // The process ends and with it the lock on the file, which here is ours.
    const moved = join(directory, 'moved.part');
    renameSync(`${log}.part`, moved);
    copyFileSync(moved, `${log}.part`);
    await recoverFiles(log, [6], realFileSystem, events.emit);
    assert.deepEqual(namesIn(directory), ['log', 'moved.part']);
    assert.deepEqual(
      (await gapsOf(log)).map(({ cause }) => cause),
      ['recorder died'],
    );
    assert.deepEqual(await rowsOf(log), expectedRows(1, 1));
    assert.deepEqual(await complaints(log), []);
  }));
