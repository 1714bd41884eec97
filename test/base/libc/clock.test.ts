import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wallClockUs } from '../../../src/base/libc/clock.js';
import { skip } from './helpers.js';

test('the wall clock is the wall clock, in microseconds', { skip }, () => {
  const before = Date.now() * 1000;
  const now = wallClockUs();
  const after = (Date.now() + 1) * 1000;
  assert.ok(before <= now && now <= after, `${before} ${now} ${after}`);
});
