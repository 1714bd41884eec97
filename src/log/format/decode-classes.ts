/**
 * How many rows of a record block are of which class. Statistics need no more, and it costs a tenth of
 * decoding the rows.
 */
import { readClassWords, readPlanes } from './decode-tables.js';
import { BlockCodec } from './format.js';
import type { ScannedBlock } from './frame.js';
import { SectionReader } from './section-codec.js';
import { CLASS_FIELDS, ClassShift, Section } from './section-ids.js';
import { badPayload } from './varint.js';

/** What the rows of one class have in common; see EventBatch. */
export interface ClassCount {
  readonly kind: number;
  readonly flags: number;
  readonly timeSource: number;
  readonly proto: number;
  readonly rows: number;
}

/** Every class that has rows. Throws PayloadDamage. */
export function countClasses({ frame, payload }: ScannedBlock): ClassCount[] {
  if (frame.codec !== BlockCodec.sections) throw badPayload(`uses codec ${frame.codec}`);
  const sections = new SectionReader(payload);
  const words = readClassWords(sections);
  const rowClass = readPlanes(sections, Section.rowClassLow, frame.count, true);
  const rows = new Uint32Array(words.length / CLASS_FIELDS);
  for (const index of rowClass) {
    if (index >= rows.length) throw badPayload('refers outside its tables');
    rows[index]++;
  }
  const counts: ClassCount[] = [];
  for (const [index, count] of rows.entries()) {
    if (count === 0) continue;
    const word = words[index * CLASS_FIELDS];
    counts.push({
      kind: word & 7,
      flags: (word >>> ClassShift.flags) & 0xff,
      timeSource: (word >>> ClassShift.timeSource) & 7,
      proto: (word >>> ClassShift.proto) & 0xff,
      rows: count,
    });
  }
  return counts;
}
