import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { capget, capset, gettid } from '../../../src/base/libc/process.js';
import { skip } from './helpers.js';

test('the rights of this thread are those in /proc', { skip }, () => {
  const status = readFileSync(`/proc/self/task/${gettid()}/status`, 'latin1');
  const mask = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\s*(\\w+)`, 'm').exec(status)![1]}`);
  assert.deepEqual(capget(), {
    effective: mask('CapEff'),
    permitted: mask('CapPrm'),
    inheritable: mask('CapInh'),
  });
});

test('capset takes and gives back', { skip: skip || (process.getuid?.() !== 0 && 'needs root') }, () => {
  const before = capget();
  const bit = 1n << 12n;
  capset({ ...before, effective: before.effective & ~bit });
  try {
    assert.equal(capget().effective & bit, 0n);
  } finally {
    capset(before);
  }
  assert.deepEqual(capget(), before);
});
