import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prctl } from '../../../src/base/libc/process.js';
import { closeDescriptor, openSocket } from '../../../src/base/libc/socket.js';
import { skip, systemFailure } from './helpers.js';

test('errors of prctl and of sockets name the operation and the errno', { skip }, () => {
  assert.throws(() => prctl(9999), systemFailure('EINVAL', /prctl 9999/));
  assert.throws(() => openSocket(9999, 1, 0), systemFailure('EAFNOSUPPORT', /socket/));
  assert.throws(() => closeDescriptor(-1), systemFailure('EBADF', /close/));
});
