/** Which errors are the system's, and which are bugs of ours. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readSync } from 'node:fs';
import { setPriority } from 'node:os';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { FileFeed } from '../../src/base/disk/input.js';
import { errnoName, errnoText } from '../../src/base/errno.js';
import {
  DamageError,
  errnoCode,
  InvariantError,
  isSystemError,
  PayloadDamage,
  SystemFailure,
  systemErrorText,
  UsageError,
} from '../../src/base/errors.js';

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** As libuv makes them where it has no name for the errno, for instance of a full quota. */
function withoutName(errno: number): Error {
  const code = `Unknown system error -${errno}`;
  return Object.assign(new Error(`${code}: ${code}, write`), { errno: -errno, code, syscall: 'write' });
}

test("the system's errors, from wherever they come", async () => {
  const spawned = await once(spawn('/no/such/program'), 'error');
  const cases: [unknown, string][] = [
    [new SystemFailure('open', 'EIO', 'x'), 'EIO'],
    [thrownBy(() => openSync('/no/such/file', 'r')), 'ENOENT'],
    [thrownBy(() => new FileFeed('/no/such/file')), 'ENOENT'],
    [thrownBy(() => setPriority(2 ** 30, 0)), 'ESRCH'],
    [spawned[0], 'ENOENT'],
    [withoutName(122), 'EDQUOT'],
    [withoutName(117), 'EUNKNOWN'],
    // libuv's own word for an errno that it does not know, as on Windows.
    [Object.assign(new Error('UNKNOWN'), { errno: -4094, code: 'UNKNOWN', syscall: 'open' }), 'EUNKNOWN'],
  ];
  for (const [error, code] of cases) {
    assert.ok(isSystemError(error), String(error));
    assert.equal(errnoCode(error), code);
  }
});

test('anything else is none, whatever its code', () => {
  for (const error of [
    new TypeError('x is undefined'),
    new InvariantError('broken'),
    new UsageError('wrong'),
    new DamageError('empty', { file: 'x', offsetBytes: 0 }, 'is empty'),
    new PayloadDamage('ends too early'),
    thrownBy(() => readSync(-1, new Uint8Array(1))), // ERR_OUT_OF_RANGE
    thrownBy(() => gunzipSync('no gzip')), // Z_DATA_ERROR, and an errno
    Object.assign(new Error('x'), { code: 'UNKNOWN' }),
    { code: 'ENOENT', errno: -2, syscall: 'open' },
    'ENOENT',
    undefined,
  ]) {
    assert.ok(!isSystemError(error), String(error));
    assert.equal(errnoCode(error), undefined);
  }
});

test('a bug below a file system call stays a bug', () => {
  const feed = new FileFeed('/dev/null');
  try {
    assert.throws(() => feed.read(new Uint8Array(1), 5, 1), RangeError);
  } finally {
    feed.close();
  }
});

test('numbers of either sign have the name and text that Node gives them', () => {
  for (const errno of [28, -28]) {
    assert.equal(errnoName(errno), 'ENOSPC');
    assert.equal(errnoText(errno), 'no space left on device (ENOSPC)');
  }
  assert.equal(errnoName(11), 'EAGAIN');
  assert.equal(errnoName(95), 'ENOTSUP');
  assert.equal(errnoText(117), 'error 117 (EUNKNOWN)');
  assert.equal(systemErrorText(new SystemFailure('write', 'EBADF', '')), 'bad file descriptor (EBADF)');
  assert.equal(systemErrorText(new SystemFailure('write', 'EUNKNOWN', '')), 'EUNKNOWN');
});

test('damage names its file and its place', () => {
  const { code, file, offsetBytes, lengthBytes, message } = new PayloadDamage(
    'block payload ends too early',
  ).at({
    file: 'nat.ct',
    offsetBytes: 1234,
    lengthBytes: 56,
  });
  assert.deepEqual([code, file, offsetBytes, lengthBytes], ['bad-payload', 'nat.ct', 1234, 56]);
  assert.equal(message, 'nat.ct: offset 1234: block payload ends too early');
});
