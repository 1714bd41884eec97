/**
 * The second ring: finished blocks on their way from the parser to the writer. Same memory layout as the
 * first (src/record/ring), a few large slots. A slot belongs to the writer until it is released, and it is
 * released only when what it held is durable: that is the acknowledgement.
 *
 * A block slot holds an unstamped frame (BlockField layout, src/log/format/frame.ts `writeFields`), its
 * payload, then the address filter for the index (src/log/format/index-block.ts), which is not written with
 * the block:
 *
 *   | header 96 | payload storedBytes | filter |      descriptor length = all three together
 */
import { BATCH_CAPACITY } from '../../event/batch.js';
import { WORST_BYTES_PER_ROW } from '../../log/format/section-ids.js';
import { createRing, type RingMemory } from '../ring/layout.js';

/** Descriptor flags of a slot. */
export const BlockMessage = {
  /** A data block. */
  block: 1,
  /** Open the first file; the slot's time (ring.timesUs) is the opening time, which names the file. */
  open: 2,
  /** Rotate: open the next file under the slot's time, then close this one. */
  rotate: 3,
  /** Make everything durable now and report statistics. */
  flush: 4,
  /** Close the file properly and end. */
  stop: 5,
} as const;

/** Room for the worst batch. */
export const BLOCK_SLOT_BYTES = BATCH_CAPACITY * WORST_BYTES_PER_ROW;
/** Blocks that can wait for the disk. Memory that no block ever touched costs nothing. */
export const BLOCK_SLOTS = 4;

export function createBlockRing(): RingMemory {
  return createRing({ slots: BLOCK_SLOTS, slotBytes: BLOCK_SLOT_BYTES, extraBytes: 0 });
}
