/** Encoder and decoder keep every column that the table declares. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Column, EventBatch } from '../../../src/event/batch.js';
import { columnEntries } from '../../../src/event/columns.js';
import { decodeRecords } from '../../../src/log/format/decode-rows.js';
import { timeRange } from '../../../src/log/format/encode-loops.js';
import { encodeRecords } from '../../../src/log/format/encode-rows.js';
import {
  ALL_COLUMNS,
  Section,
  sectionColumns,
  sectionsEnd,
  WORST_BYTES_PER_ROW,
} from '../../../src/log/format/section-ids.js';
import { change, fullBatch, isOptional, valuesOf } from '../../event/full-batch.js';

const ROWS = 40;
const out = new Uint8Array(1 << 20);

function throughLog(batch: EventBatch, effort: 'fast' | 'strong', columns = ALL_COLUMNS): EventBatch {
  const { minTimeUs } = timeRange(batch);
  const { storedBytes } = encodeRecords(batch, minTimeUs, out, 0, effort, columns);
  const read = new EventBatch(batch.capacity);
  decodeRecords(out.slice(0, storedBytes), batch.count, minTimeUs, read);
  return read;
}

const rowsOf = (batch: EventBatch) => Array.from({ length: batch.count }, (_, row) => valuesOf(batch, row));

for (const effort of ['fast', 'strong'] as const) {
  test(`a value in every column comes back: ${effort}`, () => {
    const batch = fullBatch(ROWS);
    const read = throughLog(batch, effort);
    assert.deepEqual(rowsOf(read), rowsOf(batch));
    assert.equal(read.present, batch.present);
  });

  test(`each column comes back alone, and says that it is there: ${effort}`, () => {
    for (const [name, { elements = 1 }] of columnEntries) {
      for (let element = 0; element < elements; element++) {
        const batch = fullBatch(ROWS);
        for (const [other] of columnEntries) if (isOptional(other)) batch[other].fill(0);
        batch.present = 0;
        change(batch, name, 3, element);
        if (isOptional(name)) batch.present = Column[name];
        const read = throughLog(batch, effort);
        assert.deepEqual(rowsOf(read), rowsOf(batch), `${name} ${element}`);
        assert.equal(read.present, batch.present, name);
      }
    }
  });
}

test('a column with a section of its own is written only when it is asked for', () => {
  for (const { name, bit } of sectionColumns) {
    const read = throughLog(fullBatch(ROWS), 'fast', ALL_COLUMNS & ~bit);
    assert.ok(
      read[name].every((value) => value === 0),
      name,
    );
    assert.equal(read.present & bit, 0, name);
  }
});

test('no two sections have the same id', () => {
  const ids = Object.values(Section);
  assert.equal(new Set(ids).size, ids.length);
  for (const column of sectionColumns)
    for (let id = column.section.id; id < sectionsEnd(column); id++) assert.ok(ids.includes(id), column.name);
});

test('rows of the largest values fit the room that a row has', () => {
  const batch = fullBatch(ROWS);
  for (const { name } of sectionColumns)
    if (!['startUs', 'endUs'].includes(name)) batch[name].fill(0xffffffff);
  const { minTimeUs } = timeRange(batch);
  const { rawBytes } = encodeRecords(batch, minTimeUs, out, 0, 'fast');
  assert.ok(rawBytes <= ROWS * WORST_BYTES_PER_ROW, String(rawBytes));
});
