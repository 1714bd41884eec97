/** The sections of optional columns. Parser thread, once per block; decode-rows.ts reads them. */
import type { EventBatch } from '../../event/batch.js';
import { writeAges } from './encode-loops.js';
import type { SectionColumn } from './section-ids.js';
import type { ByteSink } from './varint.js';

/** Section `id` of a column to `sink`. `words` are the classes' first words, `rowClass` each row's class. */
export function writeSection(
  batch: EventBatch,
  { name, elements, section }: SectionColumn,
  id: number,
  words: Uint32Array,
  rowClass: Uint16Array,
  sink: ByteSink,
): void {
  const { count, timeUs } = batch;
  const values = batch[name];
  switch (section.form) {
    case 'age':
      writeAges(timeUs, values as Float64Array, count, sink);
      break;
    case 'duration':
      for (let i = 0; i < count; i++) if (values[i] !== 0) sink.zigzag(values[i] - timeUs[i]);
      break;
    case 'counters': {
      const pair = (id - section.id) * 2;
      for (let i = 0; i < count; i++) {
        const at = i * elements + pair;
        if ((words[rowClass[i]] >>> section.rowBit) & 1) sink.varint64(values[at], values[at + 1]);
      }
      break;
    }
    case 'varints':
      for (let i = 0; i < count; i++) sink.varint(values[i]);
      break;
    case 'bytes':
      sink.bytes.set((values as Uint8Array).subarray(0, count * elements), sink.length);
      sink.length += count * elements;
  }
}
