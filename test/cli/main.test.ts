import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FORMAT_MAJOR, FORMAT_MINOR } from '../../src/log/format/format.js';
import { ctrecorder, program } from './command-line.js';

const fixtures = 'test/fixtures/legacy';
const log = `${fixtures}/legacy-tcp.ct`;
const listing = readFileSync(`${fixtures}/legacy-tcp.list.utc.txt`, 'utf8');

test('-L prints the lines on standard output and the header on standard error', () => {
  for (const args of [
    ['-Lf', log],
    ['-L', '-f', log],
    ['list', '--file', log],
  ]) {
    const { code, stdout, stderr } = ctrecorder(args);
    assert.equal(code, 0);
    assert.equal(stdout, listing);
    assert.match(stderr, /^\.magic: /);
  }
});

test('-H after -L leaves the header out, -H alone prints nothing else', () => {
  const quiet = ctrecorder(['-LHf', log]);
  assert.equal(quiet.stdout, listing);
  assert.equal(quiet.stderr, '');
  const header = ctrecorder(['-Hf', log]);
  assert.equal(header.code, 0);
  assert.equal(header.stdout, ctrecorder(['-Lf', log]).stderr);
});

test('-L reads standard input', () => {
  assert.equal(ctrecorder(['-Lf', '-'], readFileSync(log)).stdout, listing);
});

test('-i and -p choose, several of each are alternatives', () => {
  const lines = (...args: string[]) =>
    ctrecorder(['-LHf', log, ...args])
      .stdout.split('\n')
      .slice(0, -1);
  const all = listing.split('\n').slice(0, -1);
  const some = all.filter((line) => line.includes('=10.0.0.7:'));
  assert.ok(some.length > 0 && some.length < all.length);
  assert.deepEqual(lines('-i', '10.0.0.7'), some);
  assert.deepEqual(lines('-i', '10.0.0.7,10.0.0.8'), lines('-i10.0.0.8', '-i', '10.0.0.7'));
  assert.ok(lines('-i', '10.0.0.7,10.0.0.8').length > some.length);
  assert.deepEqual(
    lines('-p', '61002'),
    lines('--port', '61001-61002', '-i', '0.0.0.0/0').filter((line) => line.includes(':61002')),
  );
  assert.deepEqual(lines('-p', '0-65535'), all);
  assert.deepEqual(
    lines('-p', 'https'),
    all.filter((line) => line.includes(':443 ') || line.endsWith(':443')),
  );
  assert.deepEqual(
    lines('-p', '61002'),
    all.filter((line) => line.includes(':61002')),
  );
});

test('-T of several files: a verdict each', () => {
  const { code, stdout } = ctrecorder(['test', log, `${fixtures}/legacy-tcp-squeezed.ct`]);
  assert.equal(code, 0);
  assert.equal(stdout.split('\n').length, 3);
});

test('-V says version, format and whether it can capture', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const { code, stdout } = ctrecorder(['-V']);
  assert.equal(code, 0);
  const [name, format, capture] = stdout.split('\n');
  assert.equal(name, `ctrecorder ${version}`);
  assert.ok(format.includes(`${FORMAT_MAJOR}.${FORMAT_MINOR}`));
  assert.match(capture, process.platform === 'linux' ? /^capture: yes$/ : /^capture: no: .+/);
});

for (const args of ['-h', `-LHf ${log}`, `-Hf ${log}`, `-Tf ${log}`])
  test(`${args}: a reader that goes away ends it quietly`, async () => {
    // The shell's exit status is that of the program before the pipe; `true` reads nothing.
    const script = `set -o pipefail; "$@" | true; exit "\${PIPESTATUS[0]}"`;
    const child = spawn('bash', ['-c', script, 'bash', process.execPath, program, ...args.split(' ')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(stderr, '');
    assert.equal(code, 0);
  });

test('SIGUSR1 opens no inspector in a reading mode', { skip: process.platform !== 'linux' }, async () => {
  const child = spawn(process.execPath, [program, '-Lf', '-'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  try {
    // The handler is there long before the header has been printed.
    child.stdin.write(readFileSync(log).subarray(0, 256));
    while (!stderr.includes('.utc_offset')) await once(child.stderr, 'data');
    assert.ok(child.kill('SIGUSR1'));
    child.stdin.end(readFileSync(log).subarray(256));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /Debugger listening/);
  } finally {
    child.kill('SIGKILL');
  }
});
