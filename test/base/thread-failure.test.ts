import assert from 'node:assert/strict';
import { openSync, renameSync } from 'node:fs';
import { setPriority } from 'node:os';
import { test } from 'node:test';
import {
  DamageError,
  errnoCode,
  InvariantError,
  isSystemError,
  PayloadDamage,
  SystemFailure,
  UsageError,
} from '../../src/base/errors.js';
import { exitCodeOf, oneLine } from '../../src/base/failure.js';
import { errorFromThread, failureForThread } from '../../src/base/thread-failure.js';

const KINDS = [SystemFailure, DamageError, UsageError, InvariantError];

function thrownBy(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** What becomes of it on its way through `postMessage`. */
function crossed(error: unknown): Error {
  const back = errorFromThread(structuredClone(failureForThread(error)));
  assert.ok(back instanceof Error);
  return back;
}

for (const error of [
  new SystemFailure('open', 'EACCES', 'x: no', { path: 'x' }),
  new SystemFailure('join', 'EPERM', 'no'),
  new DamageError(
    'bad-payload',
    { file: 'x', offsetBytes: 12, lengthBytes: 34 },
    'offset 12: ends too early',
  ),
  new UsageError('wrong'),
  new InvariantError('broken'),
  new PayloadDamage('that nobody gave a place'),
  new RangeError('out'),
  thrownBy(() => openSync('/no/such/file', 'r')),
  thrownBy(() => renameSync('/no/a', '/no/b')),
  thrownBy(() => setPriority(2 ** 30, 0)),
])
  test(`${error.name} (${error.message}) is the same on the other thread`, () => {
    const back = crossed(error);
    for (const kind of KINDS) assert.equal(back instanceof kind, error instanceof kind, kind.name);
    assert.deepEqual([back.message, back.stack], [error.message, error.stack]);
    assert.deepEqual([isSystemError(back), errnoCode(back)], [isSystemError(error), errnoCode(error)]);
    assert.deepEqual([oneLine(back), exitCodeOf(back)], [oneLine(error), exitCodeOf(error)]);
    // Node's own add a few fields that nobody reads; of ours nothing is lost.
    if (!isSystemError(error) || error instanceof SystemFailure)
      assert.deepEqual({ ...back, name: back.name }, { ...error, name: error.name });
  });

test('what is no error becomes one, and an error that was not sent this way stays as it is', () => {
  assert.equal(crossed('text').message, 'text');
  const foreign = new Error('worker ended');
  assert.equal(errorFromThread(foreign), foreign);
});
