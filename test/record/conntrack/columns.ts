/**
 * The optional columns of a batch, by name: whatever `Column` has, and the direction that stands beside a
 * zone.
 */
import { Column, type EventBatch } from '../../../src/event/batch.js';

export type Values = Uint8Array | Uint16Array | Uint32Array | Float64Array;

export function optionalColumns(batch: EventBatch): [name: string, values: Values][] {
  return [...Object.keys(Column), 'zoneDirection'].map((name) => [
    name,
    (batch as unknown as Record<string, Values>)[name],
  ]);
}
