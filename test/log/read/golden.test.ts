/** Files of every format version stay readable, with the same output. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { repositoryPath } from '../../lab/repository.js';

const folder = repositoryPath('test/fixtures/log/');
const program = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url));

function ctrecorder(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    env: { ...process.env, TZ: 'UTC' },
    encoding: 'utf8',
  });
}

const expected = (name: string) => readFileSync(`${folder}${name}`, 'utf8');

test('format 3.0: list and header', () => {
  const { stdout, stderr } = ctrecorder('-Lf', 'golden-3.0.ct');
  assert.equal(stdout, expected('golden-3.0.list.utc.txt'));
  assert.equal(stderr, expected('golden-3.0.header.utc.txt'));
});

test('format 3.0: connections', () => {
  assert.equal(ctrecorder('-Lsf', 'golden-3.0.ct').stdout, expected('golden-3.0.connections.utc.txt'));
});

test('format 3.0: connections, squeezed', () => {
  assert.equal(
    ctrecorder('-Lf', 'golden-3.0-squeezed.ct').stdout,
    expected('golden-3.0.connections.utc.txt'),
  );
});

test('format 3.0: JSON', () => {
  assert.equal(ctrecorder('-Lf', 'golden-3.0.ct', '--json').stdout, expected('golden-3.0.ndjson'));
});

test('format 3.0: sound', () => {
  const { stdout, status } = ctrecorder('-Tf', 'golden-3.0.ct');
  assert.equal(status, 0);
  assert.match(stdout, /sound, 5 blocks, 58 records \(29 starts, 29 ends\), no gaps, closed \(stop\)/);
});
