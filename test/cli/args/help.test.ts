import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandName } from '../../../src/cli/args/declaration.js';
import { commands } from '../../../src/cli/command-list.js';
import { ctrecorder } from '../command-line.js';

const LINE_COLUMNS = 100;

test('-h prints every command with every option, -h of a command only its own', () => {
  const { code, stdout, stderr } = ctrecorder(['-h']);
  assert.equal(code, 0);
  assert.equal(stderr, '');
  for (const command of commands) {
    const own = ctrecorder(['help', command.word]).stdout;
    assert.ok(stdout.includes(`ctrecorder ${commandName(command)}`));
    assert.ok(command.word === 'help' || stdout.includes(own), command.word);
    for (const { letter, name, value } of Object.values(command.options)) {
      const term = `${letter === undefined ? '   ' : `-${letter},`} --${name}${value === undefined ? '' : ` ${value}`} `;
      assert.ok(own.includes(`  ${term}`), term);
    }
  }
  assert.ok(!ctrecorder(['-Lh']).stdout.includes('--rcvbuf'));
});

test('every way to ask for the help of one command gives the same', () => {
  const { stdout } = ctrecorder(['list', '--help']);
  assert.match(stdout, /^ctrecorder -L \[OPTION\.\.\.\] or ctrecorder list /);
  for (const args of [['-Lh'], ['-L', '-h'], ['-h', '-L'], ['-hL'], ['-h', 'list'], ['help', 'list']])
    assert.equal(ctrecorder(args).stdout, stdout, args.join(' '));
});

test(`no line but an example is longer than ${LINE_COLUMNS} columns`, () => {
  const lines = ctrecorder(['-h']).stdout.split('\n');
  const long = lines.filter((line) => line.length > LINE_COLUMNS && !line.startsWith('  example: '));
  assert.deepEqual(long, []);
});
