import assert from 'node:assert/strict';
import { openSync, renameSync } from 'node:fs';
import { setPriority } from 'node:os';
import { test } from 'node:test';
import { DamageError, PayloadDamage, SystemFailure, UsageError } from '../../src/base/errors.js';
import { exitCodeOf, oneLine, report } from '../../src/base/failure.js';

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('our errors speak for themselves', () => {
  assert.equal(oneLine(new UsageError('-b 0: no')), '-b 0: no');
  assert.equal(oneLine(new SystemFailure('open', 'EIO', 'x: broken')), 'x: broken');
  assert.equal(oneLine(new DamageError('empty', { file: 'x', offsetBytes: 0 }, 'is empty')), 'x: is empty');
});

test("Node's system errors lead with the path", () => {
  assert.equal(
    oneLine(caught(() => openSync('/no/such/file', 'r'))),
    '/no/such/file: no such file or directory (ENOENT)',
  );
  assert.match(oneLine(caught(() => renameSync('/no/a', '/no/b'))), /^\/no\/b: no such file or directory/);
  assert.match(
    oneLine(caught(() => setPriority(2 ** 30, 0))),
    /^uv_os_setpriority: no such process \(ESRCH\)$/,
  );
});

test('anything else is an internal error, and always one line', () => {
  assert.match(
    oneLine(new TypeError('a is\n  undefined\r\nb')),
    /^internal error: a is undefined b \(--debug/,
  );
  assert.match(oneLine(new PayloadDamage('that nobody gave a place')), /^internal error: /);
  assert.equal(oneLine('text'), 'internal error: text');
  assert.equal(oneLine(undefined), 'internal error: undefined');
});

test('only wrong usage has exit code 2', () => {
  assert.equal(exitCodeOf(new UsageError('x')), 2);
  for (const error of [new SystemFailure('a', 'EIO', 'b'), new Error('x'), 'x'])
    assert.equal(exitCodeOf(error), 1);
});

test("errors of another bundle's copy of the classes are ours as well", () => {
  const copy = (name: string) => Object.assign(new Error('x: no'), { name });
  assert.equal(exitCodeOf(copy('UsageError')), 2);
  for (const name of ['UsageError', 'SystemFailure', 'DamageError', 'StageDeath'])
    assert.equal(oneLine(copy(name)), 'x: no');
});

test('the stack only with --debug', () => {
  const error = new UsageError('-b 0: no');
  assert.equal(report(error, false), 'ctrecorder: -b 0: no\n');
  assert.match(report(error, true), /^ctrecorder: -b 0: no\nUsageError: -b 0: no\n {4}at /);
});
