/**
 * What is done to a block: columns, codec, CRC, hash, address filter, and back. The block is one of the
 * synthetic trace.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { EventBatch } from '../../src/event/batch.js';
import { writeAddressFilter } from '../../src/log/format/address-filter.js';
import { decodeRecords } from '../../src/log/format/decode-rows.js';
import { timeRange } from '../../src/log/format/encode-loops.js';
import { encodeRecords } from '../../src/log/format/encode-rows.js';
import { type Effort, SectionReader, SectionWriter } from '../../src/log/format/section-codec.js';
import { ALL_COLUMNS, Section } from '../../src/log/format/section-ids.js';
import { BLOCK_SLOT_BYTES } from '../../src/record/stage/blocks.js';
import type { MicroCase } from './case.js';
import { BLOCK_EVENTS, traceBatch } from './workload.js';

export function blockCases(): MicroCase[] {
  const batch = traceBatch();
  const { minTimeUs } = timeRange(batch);
  const out = new Uint8Array(BLOCK_SLOT_BYTES);
  const encode = (effort: Effort) => encodeRecords(batch, minTimeUs, out, 0, effort, ALL_COLUMNS);
  const payload = out.slice(0, encode('fast').storedBytes);
  const sections = new SectionReader(payload);
  const columns = Object.values(Section)
    .filter((id) => sections.has(id))
    .map((id) => ({ id, raw: sections.bytes(id).slice() }));
  const writer = new SectionWriter();
  const pack = (effort: Effort) => () => {
    for (const { id, raw } of columns) writer.add(id, raw, 0, raw.length, effort);
    writer.write(out, 0);
  };
  const readBack = new EventBatch();
  const perEvent = (name: string, run: () => void): MicroCase => ({
    name,
    unit: 'event',
    unitsPerRun: BLOCK_EVENTS,
    run,
  });
  const perKiB = (name: string, run: () => void): MicroCase => ({
    name,
    unit: 'KiB',
    unitsPerRun: payload.length / 1024,
    run,
  });
  return [
    perEvent('block: columns and codec, fast', () => encode('fast')),
    perEvent('block: columns and codec, strong', () => encode('strong')),
    perEvent('block: codec alone, fast', pack('fast')),
    perEvent('block: codec alone, strong', pack('strong')),
    perEvent('block: read back', () => decodeRecords(payload, BLOCK_EVENTS, minTimeUs, readBack)),
    perEvent('block: address filter', () => writeAddressFilter(batch, out, 0)),
    perKiB('block: CRC-32', () => crc32(payload)),
    perKiB('block: SHA-256', () => createHash('sha256').update(payload).digest()),
  ];
}
