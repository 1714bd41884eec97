/**
 * Rows that come from the table on their way to the writer, which takes their blocks beside the parser's.
 * Table worker's thread.
 */
import { BATCH_CAPACITY, Column, EventBatch, RecordFlag, RecordKind } from '../../event/batch.js';
import { appendKeyRow } from '../../event/connection-rows.js';
import { writeAddressFilter } from '../../log/format/address-filter.js';
import { UNNUMBERED, writeJsonBlock, writeRecordBlock } from '../../log/format/block.js';
import { BlockType } from '../../log/format/format.js';
import { HEAD_WORD, RingState, STATE_WORD } from '../ring/layout.js';
import type { RingProducer } from '../ring/producer.js';
import { BlockMessage } from '../stage/blocks.js';
import type { OpenTable } from './open-table.js';

const WAIT_MS_MAX = 1000;

/** The recording is being stopped: nobody takes blocks any more. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';
}

export class TableRows {
  readonly #batch = new EventBatch(BATCH_CAPACITY);
  readonly #identity;

  constructor(
    readonly blocks: RingProducer,
    /** Control words of the ring that the writer waits on. */
    readonly bell: Int32Array,
    runId: bigint,
  ) {
    this.#identity = { runId, sequence: UNNUMBERED };
  }

  /** The entry was open at `atUs`. */
  addSnapshot(open: OpenTable, entry: number, atUs: number): void {
    const row = this.#add(open, entry, RecordKind.snapshot, atUs);
    this.#batch.flags[row] &= RecordFlag.replied;
  }

  /** The entry was gone at `goneUs`, and no event said so. */
  addEnd(open: OpenTable, entry: number, goneUs: number): void {
    const row = this.#add(open, entry, RecordKind.end, goneUs);
    const batch = this.#batch;
    batch.flags[row] |= RecordFlag.endUnseen | RecordFlag.derived;
    batch.endUs[row] = open.lastSeenUs(entry);
    batch.present |= Column.endUs;
  }

  /** The table showed the entry at `seenUs` and had not at `afterUs`, and no event said so. */
  addStart(open: OpenTable, entry: number, afterUs: number, seenUs: number): void {
    const row = this.#add(open, entry, RecordKind.start, seenUs);
    const batch = this.#batch;
    batch.flags[row] |= RecordFlag.derived;
    if (batch.startUs[row] !== 0) return;
    batch.endUs[row] = afterUs;
    batch.present |= Column.endUs;
  }

  /** Hand over what has been added. */
  flush(): void {
    const batch = this.#batch;
    if (batch.count === 0) return;
    const { bytes, offset } = this.#awaitSlot();
    const blockBytes = writeRecordBlock(batch, BlockType.snapshot, this.#identity, bytes, offset, 'strong');
    const filterBytes = writeAddressFilter(batch, bytes, offset + blockBytes);
    batch.clear();
    this.#publish(blockBytes + filterBytes);
  }

  /** A checkpoint block. Times in microseconds since the epoch. */
  note(value: unknown, fromUs: number, toUs: number): void {
    this.flush();
    const { bytes, offset } = this.#awaitSlot();
    this.#publish(writeJsonBlock(value, BlockType.checkpoint, this.#identity, fromUs, toUs, bytes, offset));
  }

  #add(open: OpenTable, entry: number, kind: RecordKind, timeUs: number): number {
    const batch = this.#batch;
    if (batch.count === batch.capacity) this.flush();
    open.loadKey(entry);
    const row = appendKeyRow(batch, open);
    const flags = open.flags(entry);
    batch.kind[row] = kind;
    batch.timeUs[row] = timeUs;
    batch.timeSource[row] = open.timeSource(entry);
    batch.flags[row] = flags;
    batch.status[row] = open.status(entry);
    batch.mark[row] = open.mark(entry);
    batch.startUs[row] = (flags & RecordFlag.startUnseen) === 0 ? open.timeUs(entry) : 0;
    batch.present |= Column.status | Column.mark | Column.startUs;
    return row;
  }

  #awaitSlot(): { bytes: Uint8Array; offset: number } {
    const { ring } = this.blocks;
    while (!this.blocks.waitWritable(WAIT_MS_MAX))
      if (Atomics.load(ring.control, STATE_WORD) !== RingState.open) throw new StoppedError();
    return { bytes: ring.bytes, offset: ring.offsetOf(this.blocks.index) };
  }

  #publish(lengthBytes: number): void {
    const { ring, index } = this.blocks;
    ring.describe(index, lengthBytes, BlockMessage.block);
    this.blocks.publish(1);
    Atomics.notify(this.bell, HEAD_WORD);
  }
}
