/** What a command loads: reading needs neither koffi nor what only recorders use, and works without. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { program } from './command-line.js';

const preload = new URL('./loads-preload.js', import.meta.url).href;
const golden = 'test/fixtures/log/golden-3.0.ct';
const listing = readFileSync('test/fixtures/log/golden-3.0.list.utc.txt', 'utf8');
const skip = process.platform === 'linux' ? false : 'elsewhere nothing looks for koffi';
const RECORDERS_ONLY = ['koffi', 'pino', 'pino-pretty', 'piscina'];

const folder = makeFolder('loads');
after(() => removeFolder(folder));

/** Run the program; what it loaded, of packages and its own files, comes with its output. */
function loadsOf(args: readonly string[], absent = '') {
  const loads = join(folder, 'loads');
  writeFileSync(loads, '');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', preload, program, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, TZ: 'UTC', CTRECORDER_TEST_LOADS: loads, CTRECORDER_TEST_ABSENT: absent },
  });
  const specifiers = readFileSync(loads, 'utf8').trimEnd().split('\n');
  return { status, stdout, stderr, loaded: new Set(specifiers) };
}

test('-L loads the program, its command, and no package', () => {
  const { status, stdout, stderr, loaded } = loadsOf(['-L', '-H', '-f', golden]);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, listing);
  assert.ok(loaded.has('./run.js') && loaded.has('./commands/list.js'), [...loaded].join(' '));
  const packages = [...loaded].filter((name) => !isBuiltin(name) && !/^([./]|file:)/.test(name));
  assert.deepEqual(packages, []);
});

test('-C loads what only a recorder uses: the test sees both imports and requires', () => {
  const output = join(folder, 'replayed.ct');
  const replay = ['-C', '-F', '-f', output, '--replay', 'test/fixtures/captures/demo.pcap'];
  const { status, stderr, loaded } = loadsOf([...replay, '--log-format', 'pretty']);
  assert.equal(status, 0, stderr);
  for (const name of ['pino', 'pino-pretty', 'piscina']) assert.ok(loaded.has(name), name);
});

for (const absent of RECORDERS_ONLY)
  test(`-L works without ${absent}`, () => {
    const { status, stdout, stderr } = loadsOf(['-L', '-H', '-f', golden], absent);
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: listing, stderr: '' });
  });

test('-V without koffi says that this machine cannot record, and why', { skip }, () => {
  const { status, stdout, loaded } = loadsOf(['-V'], 'koffi');
  assert.equal(status, 0);
  assert.ok(loaded.has('koffi'));
  assert.match(stdout, /^capture: no: the optional package koffi cannot be loaded: /m);
});
