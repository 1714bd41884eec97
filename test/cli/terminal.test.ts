/** Nothing that stands in a file, nor its name, steers the terminal of who reads it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { printable } from '../../src/base/printable.js';
import { Column } from '../../src/event/batch.js';
import { LogFileWriter } from '../../src/log/write/whole-file.js';
import { batchOf } from '../find/helpers.js';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { ctrecorder } from './command-line.js';

const TIME = 1_795_409_443_000_000;
/**
 * Clear the screen, ring, set the title, by escape sequences of 7 and 8 bits; an override of the writing
 * direction; a line end.
 */
const HOSTILE = '\u001b[2J\u0007\u001b]0;title\u0007\u009b31m\u202e\u2028\u007f\nend';

const folder = makeFolder('terminal');
after(() => removeFolder(folder));
const name = `${HOSTILE.replaceAll('/', '')}.ct`;

test('printable', () => {
  assert.equal(printable(HOSTILE), '?[2J??]0;title??31m????end');
  assert.equal(printable('Zürich 東京 \ud800'), 'Zürich 東京 ?');
  assert.deepEqual([printable(undefined), printable(5)], ['', '5']);
});

function assertHarmless(text: string): void {
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\u202e\u2028]/u);
}

/** Run every reader on a file; whatever it answers, the lines are harmless. */
function readAll(file: string): void {
  for (const args of [
    ['-L', '--show-gaps', '-f'],
    ['-L', '-s', '-f'],
    ['-L', '--json', '--show-gaps', '-f'],
    ['-H', '-f'],
    ['-T', '-f'],
    ['-S', '-f'],
  ]) {
    const { stdout, stderr } = ctrecorder([...args, file]);
    assert.ok(stdout.length + stderr.length > 0);
    // JSON escapes what a line of text replaces.
    assertHarmless(args.includes('--json') ? stdout.replace(/[\u202e\u2028]/g, '') : stdout);
    assertHarmless(stderr);
    assert.doesNotMatch(stderr, /internal error/);
  }
}

test('format 3: header, helper names, gaps and end', () => {
  const file = join(folder, name);
  const writer = LogFileWriter.create(file, {
    recorder: HOSTILE,
    hostname: HOSTILE,
    bootId: HOSTILE,
    runId: '0123456789abcdef',
    openedUs: TIME,
    timeZone: HOSTILE,
    minutesWest: 0,
    dst: 0,
    utcOffsetSeconds: 0,
    protocols: [6],
    template: HOSTILE,
    squeezed: false,
    previous: { file: HOSTILE, acknowledgedBytes: 1, chain: '00'.repeat(32) },
  });
  const batch = batchOf([{ timeUs: TIME }]);
  batch.present |= Column.helper;
  batch.helpers.push('\u001b[2J\u009b');
  batch.helper[0] = 1;
  writer.append(batch);
  writer.appendGap({ fromUs: TIME, toUs: TIME, lost: 1, certainty: 'exact', cause: HOSTILE });
  writer.close();
  assert.ok(ctrecorder(['-LHf', file, '--json']).stdout.includes('"helper":"\\u001b[2J\\u009b"'));
  const copy = join(folder, 'copy.ct');
  writeFileSync(copy, readFileSync(file));
  assert.match(ctrecorder(['-T', copy, file]).stdout, /it names \?\[2J/);
  readAll(copy);
  readAll(file);
});

test('format 2: host name; and a damaged file with such a name', () => {
  const bytes = readFileSync('test/fixtures/legacy/legacy-tcp.ct');
  bytes.write(HOSTILE, 19, 33, 'latin1');
  const file = join(folder, `old${name}`);
  writeFileSync(file, bytes.subarray(0, bytes.length - 5));
  readAll(file);
});

test('files that cannot be read at all', () => {
  readAll(join(folder, `none${name}`));
  const foreign = join(folder, `foreign${name}`);
  writeFileSync(foreign, HOSTILE.repeat(100));
  readAll(foreign);
});
