import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../src/base/errors.js';
import { type Translated, translate as translateOf } from '../../../src/cli/args/getopt.js';
import { commands } from '../../../src/cli/command-list.js';

const translate = (words: readonly string[]): Translated => translateOf(words, commands);

const translations: readonly [line: string, mode: string, args: string][] = [
  ['-C -f a.ct', 'capture', '--file=a.ct'],
  ['-Cf a.ct', 'capture', '--file=a.ct'],
  ['-Cfa.ct', 'capture', '--file=a.ct'],
  ['-CFf a.ct -t5 -b 64', 'capture', '--foreground --file=a.ct --rotate=5 --rcvbuf=64'],
  ['-Lf path -i 10.0.0.0/8', 'list', '--file=path --address=10.0.0.0/8'],
  ['-Lsf path -i10.0.0.1 -i 10.0.0.2', 'list', '--squeeze --file=path --address=10.0.0.1 --address=10.0.0.2'],
  ['-Lf path -H', 'list', '--file=path --no-header'],
  ['-LHsf -', 'list', '--no-header --squeeze --file=-'],
  ['-Hf path', 'header', '--file=path'],
  ['-H -f path', 'header', '--file=path'],
  // the value of a letter is whatever comes next, as getopt has it
  ['-Cf x -t -1', 'capture', '--file=x --rotate=-1'],
  ['-Lf -i', 'list', '--file=-i'],
  // letters of another mode, with their values
  ['-Lf x -U nobody -Pfile -F -b 0 -t-1', 'list', '--file=x'],
  ['-LFsUnobody -f x', 'list', '--squeeze --file=x'],
  ['-Cf x -i 1.2.3.4 -H -o y', 'capture', '--file=x'],
  ['-Tf x -s -p 80', 'test', '--file=x'],
  ['-Sf x -o y -H', 'squeeze', '--file=x --output=y'],
  // files
  ['-T a b -f c -- -d', 'test', '--file=a --file=b --file=c --file=-d'],
  // words and long names
  ['list --file=a=b --json', 'list', '--file=a=b --json'],
  ['list --file a -s --port 80', 'list', '--file=a --squeeze --port=80'],
  ['capture --file a --flush-interval 1s', 'capture', '--file=a --flush-interval=1s'],
  ['header -f a', 'header', '--file=a'],
  ['stats -f a b --json', 'stats', '--file=a --file=b --json'],
  ['repair a -o b', 'repair', '--file=a --output=b'],
  ['repair -fa -ob -s', 'repair', '--file=a --output=b'],
  ['-V', 'version', ''],
  ['--version', 'version', ''],
];

for (const [line, word, args] of translations)
  test(`${line} is ${word} ${args}`, () => {
    const { command, given, help } = translate(line.split(' '));
    assert.equal(command.word, word);
    const long = given.map(({ name, text }) => (text === undefined ? `--${name}` : `--${name}=${text}`));
    assert.equal(long.join(' '), args);
    assert.equal(help, false);
  });

test('what the user typed stays with each value', () => {
  const { given } = translate('-Cft --rotate 5m -t60'.split(' '));
  assert.deepEqual(given, [
    { name: 'file', typed: '-f', text: 't' },
    { name: 'rotate', typed: '--rotate', text: '5m' },
    { name: 'rotate', typed: '-t', text: '60' },
  ]);
  assert.deepEqual(translate(['test', 'a']).given, [{ name: 'file', typed: 'FILE', text: 'a' }]);
});

const ignored: readonly [line: string, letters: string][] = [
  ['-Lf x -p 80', ''],
  ['-Lf x -U nobody -Pfile -F -b 0 -t-1 -Unobody', 'UPFbt'],
  ['-Cf x -i 1.2.3.4 -H -o y', 'iHo'],
  ['repair -fa -ob -s', 's'],
];

for (const [line, letters] of ignored)
  test(`${line} ignores "${letters}"`, () =>
    assert.equal(translate(line.split(' ')).ignored.join(''), letters));

const helps: readonly [line: string, word: string][] = [
  ['-h', 'help'],
  ['--help', 'help'],
  ['help', 'help'],
  ['-h --debug', 'help'],
  ['-Lh', 'list'],
  ['-L -h', 'list'],
  ['list --help', 'list'],
  ['list extra --help', 'list'],
  ['-Ch -f x', 'capture'],
  ['-h -L', 'list'],
  ['-hL', 'list'],
  ['-hLf x', 'list'],
  ['-h list', 'list'],
  ['help list', 'list'],
  ['--help list', 'list'],
  ['help -C', 'capture'],
  ['help help', 'help'],
];

for (const [line, word] of helps)
  test(`${line} asks for the help of ${word}`, () => {
    const { command, help } = translate(line.split(' '));
    assert.equal(help, true);
    assert.equal(command.word, word);
  });

const refusals: readonly [line: string, message: RegExp][] = [
  ['-f x', /^-f is not a mode; begin with -C, -L/],
  ['-sLf x', /^-sLf is not a mode/],
  ['-', /^- is not a mode/],
  ['--', /^-- is not a mode/],
  ['record', /^record is not a mode; begin with -C, .*, stats, repair, tune, -h, -V; see ctrecorder -h$/],
  ['lst', /^lst is not a mode; did you mean list\?$/],
  ['Capture', /^Capture is not a mode; did you mean capture\?$/],
  ['capt', /^capt is not a mode; did you mean capture\?$/],
  ['--list', /^--list is not a mode; did you mean list\?$/],
  ['help lst', /^lst is not a mode; did you mean list\?$/],
  ['-hz', /^-z is not a mode; begin with/],
  ['-a', /^-a: not available yet; begin with -C, -L/],
  ['-af x', /^-a: not available yet/],
  ['-Lz', /^-z: unknown option; see ctrecorder -L -h$/],
  ['-Lf', /^-f: its value FILE is missing; see ctrecorder -L -h$/],
  ['-LU', /^-U: its value USER is missing/],
  ['-Lf x -C', /^-C: a second mode after -L/],
  ['-L --pidfile x', /^--pidfile: an option of capture, not of list; see ctrecorder -L -h$/],
  ['-C --rotat 5', /^--rotat: unknown option of capture; did you mean --rotate\?$/],
  ['-C --keep 5', /^--keep: unknown option of capture; did you mean --keep-days\?$/],
  ['stats --jsno', /^--jsno: unknown option of stats; did you mean --json\?$/],
  ['stats --nosuch=x', /^--nosuch: unknown option of stats; see ctrecorder stats -h$/],
  ['list --json=1', /^--json takes no value/],
  ['list --file', /^--file: its value FILE is missing/],
  ['-Lf x y', /^y: unexpected argument of list; name the log file with -f$/],
  ['repair a b -o c', /^b: repair takes one file; run it once for each$/],
  ['repair -f a b -o c', /^b: repair takes one file/],
  ['-Cs', /^-s: not available with -C yet; leave it out$/],
  ['-La', /^-a: not available with -L yet/],
  ['-Ca -f x', /^-a: not available with -C yet/],
  ['stats -C', /^-C: a second mode after stats/],
  ['repair --json', /^--json: an option of list, not of repair/],
];

for (const [line, message] of refusals)
  test(`${line} is refused`, () => {
    assert.throws(
      () => translate(line.split(' ')),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });

test('no argument at all is refused', () => {
  assert.throws(() => translate([]), UsageError);
});
