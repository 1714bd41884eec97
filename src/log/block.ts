/** A whole block, unstamped: what the parser hands to the writer, and what file-writer.ts appends. */
import type { EventBatch } from '../conntrack/batch.js';
import { ALL_COLUMNS } from './columns.js';
import { encodeRecords, timeRange } from './encode.js';
import { BLOCK_HEADER_BYTES, BlockCodec, BlockType } from './format.js';
import { writeFields } from './frame.js';
import type { GapRecord } from './gap.js';
import type { Effort } from './sections.js';

export interface BlockIdentity {
  readonly runId: bigint;
  readonly sequence: number;
}

const GAP_BYTES_MAX = 1024;

/** Sequence of a block that the writer numbers when it first appends it: blocks come to it from several threads. */
export const UNNUMBERED = 0;

/** Write header fields and payload of a record block to `out` at `offset`; answers the bytes of both. */
export function writeRecordBlock(
  batch: EventBatch,
  type: BlockType,
  identity: BlockIdentity,
  out: Uint8Array,
  offset: number,
  effort: Effort,
  columns = ALL_COLUMNS,
): number {
  const { minTimeUs, maxTimeUs } = timeRange(batch);
  const { storedBytes, rawBytes } = encodeRecords(
    batch,
    minTimeUs,
    out,
    offset + BLOCK_HEADER_BYTES,
    effort,
    columns,
  );
  writeFields(out, offset, {
    type,
    codec: BlockCodec.sections,
    storedBytes,
    rawBytes,
    count: batch.count,
    minTimeUs,
    maxTimeUs,
    ...identity,
  });
  return BLOCK_HEADER_BYTES + storedBytes;
}

/** Write header fields and a JSON payload (gap, clock step, checkpoint, header, end); answers the bytes of both. */
export function writeJsonBlock(
  value: unknown,
  type: BlockType,
  identity: BlockIdentity,
  minTimeUs: number,
  maxTimeUs: number,
  out: Uint8Array,
  offset: number,
): number {
  const json = Buffer.from(JSON.stringify(value));
  out.set(json, offset + BLOCK_HEADER_BYTES);
  writeFields(out, offset, {
    type,
    codec: BlockCodec.stored,
    storedBytes: json.length,
    rawBytes: json.length,
    count: 1,
    minTimeUs,
    maxTimeUs,
    ...identity,
  });
  return BLOCK_HEADER_BYTES + json.length;
}

/** A gap as a block of its own. */
export function gapBlock(gap: GapRecord, identity: BlockIdentity): Uint8Array {
  const bytes = new Uint8Array(BLOCK_HEADER_BYTES + GAP_BYTES_MAX);
  const length = writeJsonBlock(gap, BlockType.gap, identity, gap.fromUs, gap.toUs, bytes, 0);
  return bytes.subarray(0, length);
}
