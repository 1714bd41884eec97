import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../../src/base/errors.js';
import type { NamePattern } from '../../../src/log/format/name-pattern.js';
import { checkTemplate, fileName, templatePatterns } from '../../../src/log/format/names.js';

const letters = [...'aAbBCdDeFgGhHIjmMprRsSTuUVwWyYzZ%'];
const everything = letters.map((letter) => `%${letter}`).join('_');
const zones = [
  'UTC',
  'Europe/Warsaw',
  'America/New_York',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Africa/Abidjan',
  'CET-1CEST,M3.5.0,M10.5.0/3',
  '<+0330>-3:30',
];
const instants = [
  '2026-03-29T00:59:59Z',
  '2026-03-29T01:00:00Z',
  '2026-07-04T11:30:05Z',
  '2026-10-25T00:30:00Z',
];
for (let year = 2015; year <= 2031; year++)
  for (const day of ['12-29', '12-30', '12-31', '01-01', '01-02', '01-03', '01-04', '02-29'])
    instants.push(new Date(`${year}-${day}T13:00:01Z`).toISOString());
const seconds = instants.map((instant) => Date.parse(instant) / 1000);

// Run as a program: prints the names in the zone of its environment.
if (process.argv[2] === '--names') {
  for (const second of seconds) console.log(fileName(everything, second * 1e6));
  process.exit(0);
}

test('names are those that date prints, in every zone', () => {
  for (const zone of zones) {
    const env = { ...process.env, TZ: zone, LC_ALL: 'C' };
    const ours = execFileSync(process.execPath, [fileURLToPath(import.meta.url), '--names'], {
      env,
      encoding: 'utf8',
    });
    const dates = seconds.map((second) => `@${second}`).join('\n');
    const theirs = execFileSync('date', ['-f', '-', `+${everything}`], {
      env,
      input: dates,
      encoding: 'utf8',
    });
    assert.deepEqual(ours.split('\n'), theirs.split('\n'), zone);
  }
});

test('a template that cannot name a file is refused, naming the conversion', () => {
  for (const good of ['log', '/var/log/%Y/%m/%d.ct', 'a%%b', everything]) checkTemplate(good);
  for (const [bad, named] of [
    ['log-%Q', '%Q'],
    ['log-%', '%'],
    ['%n', '%n'],
    ['%t', '%t'],
    ['%c', '%c'],
    ['%x', '%x'],
    ['%-d', '%-'],
    ['%Ey', '%E'],
    ['%%%k', '%k'],
    ['', 'empty'],
    ['logs/', 'slash'],
    ['/tmp', 'is a directory'],
    ['a\0b', 'NUL'],
  ])
    assert.throws(
      () => checkTemplate(bad),
      (error) =>
        error instanceof UsageError && error.message.includes(named) && !error.message.includes('\n'),
      bad,
    );
});

test('patterns find what a template names, live and numbered files too, and nothing in other places', () => {
  const { directories, file } = templatePatterns('/var/log/%Y%%/nat.%H%M+x');
  assert.deepEqual(directories.slice(0, 3), ['', 'var', 'log']);
  assert.ok((directories[3] as NamePattern)('2026%'));
  for (const name of ['nat.1200+x', 'nat.1200+x.part', 'nat.1200+x.2', 'nat.1200+x.2.part'])
    assert.ok(file(name), name);
  for (const name of ['natx1200+x', 'nat.1200+x.torn', 'nat.1200', 'snat.1200+x'])
    assert.ok(!file(name), name);
  assert.deepEqual(templatePatterns('/a%%b/c').directories, ['', 'a%b']);
  assert.equal(templatePatterns('/%D').directories.length, 3);
});

test('a name made to be slow to match is refused like any other', () => {
  const { directories, file } = templatePatterns('/%Y-%m-%d-%H-%M-%S/%Y%m%d%H%M%S-%j-%U-%s.ct');
  for (const name of ['-', '.', '1', '.1', '-.ct', '.part', '.1.part'].map((part) =>
    part.repeat(255).slice(0, 255),
  )) {
    assert.ok(!file(`${name}x`));
    assert.ok(!(directories[1] as NamePattern)(name.replaceAll('-', 'x')));
  }
  assert.ok((directories[1] as NamePattern)('-'.repeat(255)));
});
