/** The optional columns of a batch, by name. */
import { Column, type EventBatch } from '../../../src/event/batch.js';
import type { ColumnArrays, OptionalColumnName } from '../../../src/event/columns.js';

export type Values = ColumnArrays[OptionalColumnName];

export function optionalColumns(batch: EventBatch): [name: string, values: Values][] {
  return (Object.keys(Column) as OptionalColumnName[]).map((name) => [name, batch[name]]);
}
