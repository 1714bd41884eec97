/** What retention and -S must leave alone, and packed files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testFiles } from '../../../src/find/upkeep/check.js';
import { squeeze } from '../../../src/find/upkeep/squeeze.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import { Days, NAMES } from './days.js';
import { complaints, inDirectory } from './writer-helper.js';

process.env.TZ = 'UTC';

test('a legal hold keeps a file by path, by name and by a marker beside it, also when it counts', () =>
  inDirectory(async (directory) => {
    const holds = [join(directory, 'x/..', NAMES[2]), NAMES[3], `${NAMES[4]}.part`, NAMES[30]];
    const days = new Days(directory, { keepBytes: 1, holds }).record(8);
    writeFileSync(`${days.path(6)}.hold`, '');
    await days.retain();
    assert.deepEqual(days.left, [2, 3, 4, 6, 8]);
    // A hold can be lifted while the recorder runs.
    rmSync(`${days.path(6)}.hold`);
    await days.retain();
    assert.deepEqual(days.left, [2, 3, 4, 8]);
    days.writer.close();
    const files = [2, 3, 4, 8].map((day) => days.path(day));
    const reports: string[] = [];
    for await (const { lines, sound } of testFiles(files)) {
      assert.ok(sound, lines.join('\n'));
      reports.push(...lines.map((line) => line.replaceAll(`${directory}/`, '')));
    }
    const chainOf = (day: number) => days.removed.find(({ file }) => file === days.path(day))?.chain;
    assert.match(reports[0], /^\d+: sound/);
    assert.deepEqual(
      reports.filter((line) => !line.includes(': sound,')),
      [
        `${NAMES[8]}: retention removed 3 files, the last ${NAMES[7]}, chain ${chainOf(7)}`,
        `${NAMES[8]}: retention removed 1 file, the last ${NAMES[6]}, chain ${chainOf(6)}`,
        `${NAMES[8]}: ${NAMES[1]}, the file before ${NAMES[2]}, is one of them: a chain begins there`,
        `${NAMES[8]}: the file before it, ${NAMES[7]}, was removed by retention`,
      ],
    );
    // Without the file that tells, a file before the first that is not given is not a fault; a missing one
    // between two is.
    assert.deepEqual(await complaints(files[1], files[2]), []);
    assert.match((await complaints(files[0], files[2]))[0], /does not continue .*: it names/);
  }));

test('a hold through a symbolic link keeps the file; one that fits nothing is said once and counted', () =>
  inDirectory(async (directory) => {
    const data = join(directory, 'data');
    mkdirSync(data);
    symlinkSync('data', join(directory, 'log'));
    const holds = [
      join(directory, 'log', NAMES[1]),
      join(directory, 'evidence'),
      '/nowhere/at/all',
      'no-such',
    ];
    const days = new Days(data, { keepBytes: 1, holds }).record(4);
    symlinkSync(join(data, NAMES[2]), join(directory, 'evidence'));
    await days.retain();
    await days.retain();
    assert.deepEqual(days.left, [1, 2, 4]);
    assert.deepEqual(days.events.logged(/--hold/), [
      '--hold /nowhere/at/all: fits no file of this recorder now',
      '--hold no-such: fits no file of this recorder now',
    ]);
    assert.equal(days.stats[WriterStat.holdsUnmatched], 2);
  }));

test('packed files: those of gzip count and go in their order, with the chain of what is in them; others are named', () =>
  inDirectory(async (directory) => {
    const days = new Days(directory, { keepBytes: 1 }).record(6);
    const chains = new Map(
      days.events.all.flatMap((event) => (event.type === 'closed' ? [[event.file, event.chain]] : [])),
    );
    execFileSync('gzip', [days.path(1), days.path(2), days.path(3)]);
    writeFileSync(`${days.path(3)}.hold`, '');
    renameSync(days.path(4), `${days.path(4)}.xz`);
    await days.retain();
    assert.deepEqual(
      days.removed.map(({ file, chain }) => [file, chain]),
      [1, 2, 5].map((day) => {
        const path = days.path(day);
        return [day === 5 ? path : `${path}.gz`, chains.get(path)];
      }),
    );
    assert.ok(existsSync(`${days.path(3)}.gz`) && existsSync(`${days.path(4)}.xz`));
    assert.equal(days.events.logged(/1 packed file .* neither counts nor removes/).length, 1);
    assert.equal(days.stats[WriterStat.filesUncounted], 1);
  }));

test('-S leaves a held file alone: a marker beside it or beside a link, or a --hold of its recorder', () =>
  inDirectory(async (directory) => {
    const days = new Days(directory, {}).record(4);
    days.writer.close();
    const before = [1, 2, 3].map((day) => readFileSync(days.path(day)));
    writeFileSync(`${days.path(1)}.hold`, '');
    const link = join(directory, 'link');
    symlinkSync(days.path(2), link);
    writeFileSync(`${link}.hold`, '');
    const recorders = [{ holds: [days.path(3)] }];
    writeFileSync(join(directory, '.ctrecorder.json'), JSON.stringify({ version: 1, recorders }));
    for (const file of [days.path(1), link, days.path(3)])
      await assert.rejects(squeeze({ file }), /: is under legal hold and stays as it is/);
    assert.deepEqual(
      [1, 2, 3].map((day) => readFileSync(days.path(day))),
      before,
    );
    await squeeze({ file: days.path(4) });
  }));
