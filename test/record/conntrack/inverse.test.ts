/** Encoder and decoder are inverse: every event, as a message, becomes the row that says the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode } from './decoded.js';
import { anyEvent, messageOf, rowFor } from './events.js';

test('any event comes back as it went in', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const { row, counters } = decode(messageOf(event));
      assert.deepEqual(row, rowFor(event));
      const { starts, ends, ...others } = counters;
      assert.deepEqual([starts, ends], event.kind === 'start' ? [1, 0] : [0, 1]);
      assert.ok(Object.values(others).every((count) => count === 0));
    }),
    { numRuns: 1000 },
  );
});
