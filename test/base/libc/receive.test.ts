import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prepareReceiveMemory, RECEIVE_EXTRA_BYTES } from '../../../src/base/libc/receive.js';
import { createRing } from '../../../src/record/ring/layout.js';
import { skip } from './helpers.js';

test('descriptors lead to their own slots', { skip }, () => {
  const ring = createRing({ slots: 3, slotBytes: 64, extraBytes: RECEIVE_EXTRA_BYTES });
  const { descriptorsAddress } = prepareReceiveMemory(ring);
  const view = new DataView(ring.buffer);
  const base = BigInt(descriptorsAddress - ring.descriptorsOffset);
  for (let slot = 0; slot < 3; slot++) {
    const descriptor = ring.descriptorsOffset + slot * 64;
    const name = Number(view.getBigUint64(descriptor, true) - base);
    const iovec = Number(view.getBigUint64(descriptor + 16, true) - base);
    assert.equal(name, ring.extrasOffset + slot * 32);
    assert.equal(iovec, name + 16);
    assert.equal(Number(view.getBigUint64(iovec, true) - base), ring.offsetOf(slot));
    assert.equal(view.getBigUint64(iovec + 8, true), 64n);
  }
});
