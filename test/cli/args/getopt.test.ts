import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../src/base/errors.js';
import { translate } from '../../../src/cli/args/getopt.js';

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
  ['-T a b -f c -- -d', 'test', '--file=c -- a b -d'],
  // words and long names
  ['list --file=a=b --json', 'list', '--file=a=b --json'],
  ['list --file a -s --port 80', 'list', '--file=a --squeeze --port=80'],
  ['capture --file a --flush-interval 1s', 'capture', '--file=a --flush-interval=1s'],
  ['header -f a', 'header', '--file=a'],
  ['stats -f a b --json', 'stats', '--file=a --json -- b'],
  ['repair a -o b', 'repair', '--output=b -- a'],
  ['repair -fa -ob -s', 'repair', '--file=a --output=b'],
  ['-h', 'help', ''],
  ['--help', 'help', ''],
  ['help', 'help', ''],
  ['-V', 'version', ''],
  ['--version', 'version', ''],
];

for (const [line, mode, args] of translations)
  test(`${line} is ${mode} ${args}`, () => {
    const translated = translate(line.split(' '));
    assert.equal(translated.mode.word, mode);
    assert.equal(translated.args.join(' '), args);
    assert.equal(translated.help, false);
  });

for (const line of ['-Lh', '-L -h', 'list --help', '-Ch -f x'])
  test(`${line} asks for the help of its mode`, () => assert.equal(translate(line.split(' ')).help, true));

const refusals: readonly [line: string, message: RegExp][] = [
  ['-f x', /^-f is not a mode: begin with -C, -L/],
  ['-sLf x', /^-sLf is not a mode/],
  ['-', /^- is not a mode/],
  ['--', /^-- is not a mode/],
  ['record', /^record is no mode/],
  ['-a', /^-a: not yet; begin with -C, -L/],
  ['-af x', /^-a: not yet/],
  ['-Lz', /^-z: unknown option/],
  ['-Lf', /^-f: the value FILE is missing/],
  ['-LU', /^-U: the value is missing/],
  ['-Lf x -C', /^-C: a second mode after -L/],
  ['-L --pidfile x', /^--pidfile: unknown option of list/],
  ['list --json=1', /^--json takes no value/],
  ['list --file', /^--file: the value FILE is missing/],
  ['-Lf x y', /^y: unexpected argument of list; name the log file with -f/],
  ['-Cs', /^-s in mode -C: not yet/],
  ['-La', /^-a in mode -L: not yet/],
  ['record', /begin with -C, .*, stats, repair, tune, -h, -V;/],
  ['stats -C', /^-C: a second mode after stats/],
  ['repair --json', /^--json: unknown option of repair/],
  ['-Ca -f x', /^-a in mode -C: not yet/],
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
