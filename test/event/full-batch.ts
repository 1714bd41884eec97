/** Rows with another value than 0 in every column, made from the table of columns. */
import { AF_INET, AF_INET6, Column, EventBatch, RecordKind } from '../../src/event/batch.js';
import {
  type ColumnDeclaration,
  type ColumnName,
  columnEntries,
  type OptionalColumnName,
} from '../../src/event/columns.js';

const TIME_US = 1_795_409_443_000_654;
const HELPERS = ['ftp', 'sip', 'tftp'];

/**
 * `rows` rows, of both families in turn. Every value is unlike those of the other columns and of the rows
 * around it, as far as the column's bits allow.
 */
export function fullBatch(rows: number, capacity = rows): EventBatch {
  const batch = new EventBatch(capacity);
  batch.helpers.push(...HELPERS);
  for (let row = 0; row < rows; row++) {
    batch.family[row] = row % 2 === 0 ? AF_INET : AF_INET6;
    for (const [index, [name, column]] of columnEntries.entries())
      if (name !== 'family') fill(batch, row, index, name, column);
    batch.kind[row] = 1 + (row % RecordKind.connection);
  }
  for (const bit of Object.values(Column)) batch.present |= bit;
  batch.count = rows;
  return batch;
}

function fill(
  batch: EventBatch,
  row: number,
  index: number,
  name: ColumnName,
  { elements = 1, unit, refersTo, classBits }: ColumnDeclaration,
): void {
  const values = batch[name];
  for (let element = 0; element < elements; element++) {
    const random = Math.imul(row * 97 + index * 16 + element + 1, 0x9e3779b1) >>> 0;
    let value = 1 + (random % (2 ** Math.min(classBits?.bits ?? 32, values.BYTES_PER_ELEMENT * 8, 32) - 1));
    if (unit === 'microseconds') value = TIME_US + index * 1e6 + row;
    if (refersTo === 'helpers') value = 1 + (row % HELPERS.length);
    if (refersTo === 'addresses') value = intern(batch, row, random);
    values[row * elements + element] = value;
  }
}

function intern(batch: EventBatch, row: number, address: number): number {
  if (batch.family[row] === AF_INET) return batch.addresses4.intern(address);
  return batch.addresses6.intern(0x20010db8, address, row, 1);
}

/** Make one value of a row another one, as valid as it was. */
export function change(batch: EventBatch, name: ColumnName, row: number, element = 0): void {
  const [, column] = columnEntries.find(([other]) => other === name)!;
  const values = batch[name];
  const at = row * (column.elements ?? 1) + element;
  if (column.refersTo === 'addresses') values[at] = intern(batch, row, 0xcb007101);
  else if (column.refersTo === 'helpers') values[at] = 1 + (values[at] % HELPERS.length);
  else if (name === 'family') values[at] = AF_INET + AF_INET6 - values[at];
  else values[at] ^= 1;
  if (column.unit === 'microseconds') values[at] = TIME_US + 7e6;
}

/** What a row holds, by column: names and addresses in place of their indexes. */
export function valuesOf(batch: EventBatch, row: number): Record<ColumnName, unknown> {
  const found: [string, unknown][] = columnEntries.map(([name, { elements = 1, refersTo }]) => {
    const values = [...batch[name].subarray(row * elements, (row + 1) * elements)];
    if (refersTo === 'addresses') return [name, addressOf(batch, row, values[0])];
    return [name, refersTo === 'helpers' ? batch.helpers[values[0]] : values];
  });
  return Object.fromEntries(found) as Record<ColumnName, unknown>;
}

function addressOf({ family, addresses4, addresses6 }: EventBatch, row: number, index: number): number[] {
  if (family[row] === AF_INET) return [addresses4.values[index]];
  return [...addresses6.words.subarray(index * 4, index * 4 + 4)];
}

/** Whether a column may be all zeros. */
export function isOptional(name: ColumnName): name is OptionalColumnName {
  return name in Column;
}
