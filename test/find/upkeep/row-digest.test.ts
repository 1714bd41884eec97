import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET, type EventBatch } from '../../../src/event/batch.js';
import { columnEntries } from '../../../src/event/columns.js';
import { RowDigest } from '../../../src/find/upkeep/row-digest.js';
import { change, fullBatch } from '../../event/full-batch.js';

const ROWS = 12;

function digestOf(...batches: EventBatch[]): string {
  const digest = new RowDigest();
  for (const batch of batches) digest.add(batch);
  return digest.digest();
}

/** The rows from `from` on as a batch of their own, whose tables are in another order. */
function cut(from: number, to: number): EventBatch {
  const whole = fullBatch(ROWS);
  const part = fullBatch(to - from);
  for (const [name, { elements = 1, refersTo }] of columnEntries) {
    for (let i = 0; i < part.count * elements; i++) {
      const at = from * elements + i;
      part[name][i] = whole[name][at];
      if (refersTo !== 'addresses') continue;
      const index = whole[name][at];
      part[name][i] =
        whole.family[at] === AF_INET
          ? part.addresses4.intern(whole.addresses4.values[index])
          : internSix(part, whole, index);
    }
  }
  return part;
}

function internSix(part: EventBatch, { addresses6 }: EventBatch, index: number): number {
  const [a, b, c, d] = addresses6.words.subarray(index * 4, index * 4 + 4);
  return part.addresses6.intern(a, b, c, d);
}

test('differs when any value of any column does', () => {
  const seen = new Map([[digestOf(fullBatch(ROWS)), 'unchanged']]);
  for (const [name, { elements = 1 }] of columnEntries) {
    for (let element = 0; element < elements; element++) {
      const batch = fullBatch(ROWS);
      change(batch, name, ROWS - 1, element);
      const digest = digestOf(batch);
      assert.ok(!seen.has(digest), `${name} ${element} is as ${seen.get(digest)}`);
      seen.set(digest, `${name} ${element}`);
    }
  }
});

test('does not depend on where a batch ends, nor on the order of its tables', () => {
  assert.equal(digestOf(cut(0, 5), cut(5, ROWS)), digestOf(fullBatch(ROWS)));
});
