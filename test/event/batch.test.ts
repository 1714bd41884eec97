/** What EventBatch promises to whoever writes the next row: the optional columns are zero already. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Column, EventBatch } from '../../src/event/batch.js';
import { optionalColumns } from '../record/conntrack/columns.js';

const ROWS = 5;

/** Rows with something in every column. */
function fullBatch(): EventBatch {
  const batch = new EventBatch(ROWS);
  for (const [, values] of optionalColumns(batch)) values.fill(1);
  batch.helpers.push('ftp');
  batch.addresses4.intern(0x0a000001);
  batch.addresses6.intern(0x20010db8, 0, 0, 1);
  batch.count = ROWS;
  for (const bit of Object.values(Column)) batch.present |= bit;
  return batch;
}

describe('EventBatch.clear', () => {
  it('leaves all optional columns zero, tables empty, nothing present', () => {
    const batch = fullBatch();
    batch.clear();
    for (const [name, values] of optionalColumns(batch))
      assert.ok(
        values.every((value) => value === 0),
        name,
      );
    assert.deepEqual(batch.helpers, ['']);
    assert.deepEqual([batch.addresses4.count, batch.addresses6.count], [1, 1]);
    assert.deepEqual([batch.count, batch.present], [0, 0]);
  });
});

describe('EventBatch.discardLast', () => {
  it('zeroes the optional columns of the last row and of no other', () => {
    const batch = fullBatch();
    for (let left = ROWS - 1; left >= 0; left--) {
      batch.discardLast();
      assert.equal(batch.count, left);
      for (const [name, values] of optionalColumns(batch)) {
        const used = (values.length / ROWS) * left;
        assert.ok(
          values.every((value, i) => value === (i < used ? 1 : 0)),
          `${name} with ${left} rows`,
        );
      }
    }
  });
});
