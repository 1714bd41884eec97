/** Walks the declarations of all commands: against each other, the help, the docs and the defaults. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandHelp } from '../../src/cli/args/help.js';
import { commands } from '../../src/cli/command-list.js';
import { defaultRecorderOptions } from '../../src/record/main/options.js';
import { EVENT_TRUESIZE_BYTES } from '../../src/record/netlink/event-socket.js';
import { RING_SLOT_BYTES, RING_SLOTS_MIN } from '../../src/record/stage/message-ring.js';
import { ctrecorder } from './command-line.js';

const every = commands.flatMap((command) =>
  Object.entries(command.options).map(([key, option]) => ({ command, key, option })),
);
const flat = (text: string) => text.replace(/\s+/g, ' ');

test('every file of src/cli/commands is a command, and exports what is run', async () => {
  const folder = new URL('../../src/cli/commands/', import.meta.url);
  const words = readdirSync(folder)
    .filter((name) => name.endsWith('.js'))
    .map((name) => name.slice(0, -'.js'.length));
  assert.deepEqual(words.sort(), commands.map(({ word }) => word).sort());
  for (const word of words) {
    if (word === 'help' || word === 'version') continue;
    const { run } = (await import(new URL(`${word}.js`, folder).href)) as { run: unknown };
    assert.equal(typeof run, 'function', word);
  }
});

test('letters and words of commands are unique', () => {
  for (const names of [commands.map(({ word }) => word), commands.flatMap(({ letter }) => letter ?? [])])
    assert.equal(new Set(names).size, names.length);
});

test('letters and names of options are unique in each command', () => {
  for (const { word, options } of commands) {
    const names = Object.values(options).flatMap(({ letter, name }) => [letter ?? [], name].flat());
    assert.equal(new Set(names).size, names.length, word);
    // The help of a command is asked for by them.
    assert.ok(!names.includes('h') && !names.includes('help'), word);
  }
});

test('a letter takes a value in every command or in none, or it could not be ignored', () => {
  for (const { option: one } of every)
    for (const { option: other } of every)
      if (one.letter !== undefined && one.letter === other.letter)
        assert.equal(one.value === undefined, other.value === undefined, one.letter);
});

test('an option has a parser when it has a value, and never both a default and several values', () => {
  for (const { command, option } of every) {
    const where = `--${option.name} of ${command.word}`;
    assert.equal(option.parse === undefined, option.value === undefined, where);
    assert.ok(option.default === undefined || option.several === undefined, where);
    assert.ok(option.default === undefined || option.required === undefined, where);
  }
});

test('a default is shown in the help as it is typed, and comes back from the parser', async () => {
  for (const { command, option } of every) {
    if (option.default === undefined) continue;
    const text = flat(commandHelp(command));
    const shown = option.defaultText ?? String(option.default);
    assert.ok(text.includes(`(default: ${shown})`), `--${option.name} of ${command.word}: ${shown}`);
    // Words of explanation may follow.
    const [typed] = shown.split(', ');
    if (typed === '0' && option.default === 0) continue;
    assert.deepEqual(await option.parse!('-x', typed), option.default, `--${option.name}: ${typed}`);
  }
});

test('the defaults of capture are the recorder’s, each of them', () => {
  const { options } = commands.find(({ word }) => word === 'capture')!;
  const { snapshot, ...recorder } = defaultRecorderOptions;
  assert.equal(snapshot, true);
  for (const [key, value] of Object.entries(recorder)) {
    assert.ok(key in options, key);
    // A switch is off until it is given.
    assert.deepEqual(options[key].value === undefined ? false : options[key].default, value, key);
  }
});

test('the help states what the code does with the buffers', () => {
  const text = flat(ctrecorder(['-Ch']).stdout);
  const events = Math.floor((2 * defaultRecorderOptions.rcvbufKiB * 1024) / EVENT_TRUESIZE_BYTES);
  assert.ok(text.includes(`${events.toLocaleString('en')} by default`));
  assert.ok(text.includes(`takes ${EVENT_TRUESIZE_BYTES.toLocaleString('en')} bytes`));
  assert.ok(text.includes(`slots of ${RING_SLOT_BYTES} bytes`));
  assert.ok(text.includes(`fewer than ${RING_SLOTS_MIN} are raised to ${RING_SLOTS_MIN}`));
});

test('every option that the documentation names exists, and every ctrecorder line is understood', async () => {
  const { translate } = await import('../../src/cli/args/getopt.js');
  const files = ['README.md', 'CHANGELOG.md', 'contrib/ctrecorder.service'].concat(
    readdirSync('docs')
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  );
  let lines = 0;
  for (const file of files)
    for (const [, line] of readFileSync(file, 'utf8').matchAll(
      /(?:^ {4}(?:[^\n`]*[|$] )?|^ExecStart=\S*\/|`)ctrecorder (-[^\n`|#]*|[a-z]+ [^\n`|#]*)/gm,
    )) {
      const words = line.replace(/\\$/, '').trim().replaceAll("'", '').split(/\s+/);
      if (words.includes('MODE')) continue;
      assert.doesNotThrow(() => translate(words, commands), `${file}: ctrecorder ${line}`);
      lines++;
    }
  assert.ok(lines >= 10, `${lines} lines`);
  const names = new Set([...every.map(({ option }) => option.name), 'help', 'version', 'debug']);
  const text =
    readFileSync('README.md', 'utf8') +
    readFileSync('docs/tuning.md', 'utf8') +
    readFileSync('docs/listing.md', 'utf8');
  for (const [, name] of text.matchAll(/`--([a-z][a-z-]*)/g)) assert.ok(names.has(name), `--${name}`);
});

test('a declaration costs no library: help answers without clipanion, pino, piscina and koffi', () => {
  const bundle = new URL('../../src/cli/run.js', import.meta.url);
  const { sources } = JSON.parse(readFileSync(`${fileURLToPath(bundle)}.map`, 'utf8')) as {
    sources: string[];
  };
  const libraries = sources.flatMap((file) => /node_modules\/([^/]+)/.exec(file)?.[1] ?? []);
  assert.deepEqual(libraries, ['fastest-levenshtein']);
  for (const [, name] of readFileSync(bundle, 'utf8').matchAll(/^import .*'(.*)';$/gm))
    assert.match(name, /^node:/);
});
