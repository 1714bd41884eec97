import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { ctrecorderAsync, type Finished } from './command-line.js';

const directory = makeFolder('bad-input');
after(() => removeFolder(directory));
const log = 'test/fixtures/legacy/legacy-tcp.ct';
const empty = join(directory, 'empty.ct');
const foreign = join(directory, 'foreign.ct');
writeFileSync(empty, '');
writeFileSync(foreign, 'this is no log file\n'.repeat(100));
const cut2 = join(directory, 'cut2.ct');
const cut3 = join(directory, 'cut3.ct');
writeFileSync(cut2, readFileSync(log).subarray(0, 100));
writeFileSync(cut3, readFileSync('test/fixtures/log/golden-3.0.ct').subarray(0, 10));

/** One line that says something, and no stack. */
function assertOneLine({ stderr }: Finished): void {
  assert.match(stderr, /^ctrecorder: [^\n]{10,}\n$/);
  assert.doesNotMatch(stderr, /\bat .*[:(]\d+|internal error/);
}

const usage: readonly (readonly string[])[] = [
  [],
  [''],
  ['-z'],
  ['--bogus'],
  ['-f', 'x'],
  ['bogus'],
  ['-Lz'],
  ['-Lf', log, '--bogus'],
  ['-Cf', 'x', '--bogus'],
  ['-L'],
  ['-Lf', ''],
  ['-Lf'],
  ['-T'],
  ['-S'],
  ['-H'],
  ['-C'],
  ['capture', '--file='],
  ['-Lf', log, 'extra'],
  ['-L', '-C', '-f', log],
  ['-Cs', '-f', 'x'],
  ['-Ca', '-f', 'x'],
  ['-La', '-f', log],
  ['-Lf', log, '-i', '300.1.1.1'],
  ['-Lf', log, '-i', '10.0.0.0/33'],
  ['-Lf', log, '-i', '10.0.0.0/'],
  ['-Lf', log, '-i', ''],
  ['-Lf', log, '-i', '2001:db8::/129'],
  ['-Lf', log, '-p', 'nosuch'],
  ['-Lf', log, '-p', '65536'],
  ['-Lf', log, '-p', '-1'],
  ['-Lf', log, '-p', '2000-1000'],
  ['-Lf', log, '-p', 'tcp'],
  ['-Lf', log, '--address', 'nosuch'],
  ['lst'],
  ['help', 'lst'],
  ['tune', '--for', 'soon'],
  ['-Cf', 'x', '-b', '0'],
  ['-Cf', 'x', '-b', '-1'],
  ['-Cf', 'x', '-b', '99999999999'],
  ['-Cf', 'x', '-B', 'abc'],
  ['-Cf', 'x', '-B', '0'],
  ['-Cf', 'x', '-B', ''],
  ['-Cf', 'x', '-t', '-1'],
  ['-Cf', 'x', '-t', '1.5'],
  ['-Cf', 'x', '-t', '90s'],
  ['-Cf', 'x', '--rotate', 'hourly'],
  ['-Cf', 'x', '-b', '1500B'],
  ['-Cf', 'x', '--keep-days', '36h'],
  ['-Cf', 'x', '--keep-bytes', '5iB'],
  ['-Cf', 'x', '--rotat', '5'],
  ['-Cf', 'x', '-p', 'nosuch'],
  ['-Cf', 'x', '-p', ''],
  ['-Cf', 'x', '-p', '256'],
  ['-Cf', 'x', '-N', '20'],
  ['-Cf', 'x', '-U', 'no-such-user'],
  ['-Cf', 'x', '-G', 'no-such-group'],
  ['-CFf', 'x', '-U', ''],
  ['-CFf', 'x', '-U', 'no\nsuch\nuser'],
  ['-Cf', 'x', '--flush-interval', '5'],
  ['-Cf', 'x', '--flush-interval', '0s'],
  ['-Cf', 'x', '--stop-timeout', 'soon'],
  ['-Cf', 'x', '--save-limit', '0'],
  ['-Cf', 'x', '--progress-fd', '2'],
  ['-Cf', 'x', '--progress-fd', '777'],
  ['-Cf', 'x', '--log-format', 'xml'],
  ['-Cf', 'x', '--replay', ''],
  ['-Sf', '-'],
  ['stats'],
  ['repair'],
  ['repair', log],
];

for (const args of usage)
  test(`wrong usage: ${JSON.stringify(args)}`, async () => {
    const finished = await ctrecorderAsync(args);
    assertOneLine(finished);
    assert.equal(finished.code, 2);
    assert.equal(finished.stdout, '');
  });

for (const mode of ['-Lf', '-Hf', '-Tf', '-Sf', 'stats', 'repair'])
  for (const file of [join(directory, 'missing.ct'), directory, empty, foreign, cut2, cut3])
    test(`unreadable: ${mode} ${file.slice(directory.length) || 'a directory'}`, async () => {
      const output = mode === 'repair' ? ['-o', join(directory, 'new.ct')] : [];
      const finished = await ctrecorderAsync([mode, file, ...output]);
      assert.equal(finished.code, 1);
      assertOneLine(finished);
      assert.ok(finished.stderr.includes(file), finished.stderr);
    });

test('--debug adds the stack', async () => {
  const { code, stderr } = await ctrecorderAsync(['-Lf', log, '-p', 'nosuch', '--debug']);
  assert.equal(code, 2);
  assert.match(stderr, /^ctrecorder: -p nosuch: [^\n]+\nUsageError: [^\n]+\n +at /);
});

test('the option that was typed is the one that is named', async () => {
  const named: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['-Cf', 'x', '-t', 'hourly'], /^ctrecorder: -t hourly: give minutes from 0 to \d+, like 60, 5m or 1h$/m],
    [['-Cf', 'x', '--rotate', 'hourly'], /^ctrecorder: --rotate hourly: give minutes/],
    [['-Cf', 'x', '-t60', '--rotate=hourly'], /^ctrecorder: --rotate hourly:/],
    [['capture', '-f', 'x', '-B', '1', '--rcvbuf', '0'], /^ctrecorder: --rcvbuf 0: give KiB from 1 /],
    [['-Lf', log, '-p', '80', '--port', 'htps'], /^ctrecorder: --port htps: htps .*; did you mean https\?$/m],
    [['-Lf', log, '-i10.0.0.1', '--address', 'x'], /^ctrecorder: --address x: not an address or a network/],
    [['capture', '--file='], /^ctrecorder: --file: the value is empty; give a file$/m],
    [['-L'], /^ctrecorder: -L needs a file: add -f FILE$/m],
    [['-C'], /^ctrecorder: -C needs a file: add -f TEMPLATE$/m],
    [['stats'], /^ctrecorder: stats needs a file: add -f FILE$/m],
    [['repair', log], /^ctrecorder: repair needs a new file, .*: add -o FILE$/m],
  ];
  for (const [args, message] of named) {
    const finished = await ctrecorderAsync(args);
    assert.match(finished.stderr, message, args.join(' '));
    assertOneLine(finished);
  }
});

test('letters of other modes are ignored, with one line that names them, the mode and theirs', async () => {
  const { code, stderr } = await ctrecorderAsync(['-LHf', log, '-U', 'x', '-b0', '-Ux']);
  assert.equal(code, 0);
  assert.equal(stderr, 'ctrecorder: -L ignores options of other modes: -U (-C), -b (-C, tune)\n');
});
