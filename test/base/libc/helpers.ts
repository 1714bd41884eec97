/** What the tests of the C library share. */
import assert from 'node:assert/strict';
import { SystemFailure } from '../../../src/base/errors.js';
import { captureSupport } from '../../../src/base/libc/load.js';

export const skip =
  captureSupport().available || process.env.CI === 'true' ? false : 'no capture support here';

export function systemFailure(code: string, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SystemFailure);
    assert.equal(error.code, code);
    assert.match(error.message, text);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  };
}
