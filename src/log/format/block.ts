/** A whole block, unstamped: what the parser hands to the writer, and what whole-file.ts appends. */
import type { EventBatch } from '../../event/batch.js';
import type { GapRecord } from '../../event/gap.js';
import { timeRange } from './encode-loops.js';
import { encodeRecords } from './encode-rows.js';
import { BLOCK_HEADER_BYTES, BlockCodec, BlockType } from './format.js';
import { writeFields } from './frame.js';
import type { Effort } from './section-codec.js';
import { ALL_COLUMNS } from './section-ids.js';

export interface BlockIdentity {
  readonly runId: bigint;
  readonly sequence: number;
}

/**
 * Sequence of a block that the writer numbers when it first appends it: blocks come to it from several
 * threads.
 */
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

/**
 * Write header fields and a JSON payload (gap, clock step, checkpoint, header, end); answers the bytes of
 * both.
 */
export function writeJsonBlock(
  value: unknown,
  type: BlockType,
  identity: BlockIdentity,
  minTimeUs: number,
  maxTimeUs: number,
  out: Uint8Array,
  offset: number,
): number {
  const block = jsonBlock(value, type, identity, minTimeUs, maxTimeUs);
  out.set(block, offset);
  return block.length;
}

/** The same as bytes of its own. */
export function jsonBlock(
  value: unknown,
  type: BlockType,
  identity: BlockIdentity,
  minTimeUs: number,
  maxTimeUs: number,
): Uint8Array {
  const json = Buffer.from(JSON.stringify(value));
  const block = new Uint8Array(BLOCK_HEADER_BYTES + json.length);
  block.set(json, BLOCK_HEADER_BYTES);
  writeFields(block, 0, {
    type,
    codec: BlockCodec.stored,
    storedBytes: json.length,
    rawBytes: json.length,
    count: 1,
    minTimeUs,
    maxTimeUs,
    ...identity,
  });
  return block;
}

export function gapBlock(gap: GapRecord, identity: BlockIdentity): Uint8Array {
  return jsonBlock(gap, BlockType.gap, identity, gap.fromUs, gap.toUs);
}
