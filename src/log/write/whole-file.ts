/**
 * A whole log file written in one go, by one caller: what squeeze and repair use. Nothing is durable until
 * it is finished.
 */

import type { LogFile, LogFileSystem } from '../../base/disk/disk.js';
import { realFileSystem } from '../../base/disk/file-system.js';
import { standsAt } from '../../base/disk/same-file.js';
import { BATCH_CAPACITY, type EventBatch, RecordKind } from '../../event/batch.js';
import type { GapRecord } from '../../event/gap.js';
import { FILTER_MAX_BYTES, writeAddressFilter } from '../format/address-filter.js';
import { jsonBlock, writeRecordBlock } from '../format/block.js';
import type { FileMeta } from '../format/file-meta.js';
import { BLOCK_HEADER_BYTES, BlockType } from '../format/format.js';
import { hex, type ScannedBlock, writeFields } from '../format/frame.js';
import { WORST_BYTES_PER_ROW } from '../format/section-ids.js';
import { Segment } from './segment.js';

const BUFFER_BYTES = BLOCK_HEADER_BYTES + BATCH_CAPACITY * WORST_BYTES_PER_ROW + FILTER_MAX_BYTES;
const NO_FILTER = new Uint8Array(0);

export class LogFileWriter {
  readonly #segment: Segment;
  readonly #meta: FileMeta;
  readonly #runId: bigint;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #sequence = 0;

  private constructor(segment: Segment, meta: FileMeta) {
    this.#segment = segment;
    this.#meta = meta;
    this.#runId = BigInt(`0x${meta.runId}`);
  }

  /**
   * A new file under its final name. Throws SystemFailure, EEXIST when there is one already, and then leaves
   * nothing behind.
   */
  static create(path: string, meta: FileMeta, fs: LogFileSystem = realFileSystem): LogFileWriter {
    const file = fs.create(path);
    try {
      return LogFileWriter.into(file, meta, fs);
    } catch (error) {
      if (standsAt(fs, path, file)) fs.remove(path);
      fs.close(file);
      throw error;
    }
  }

  /** Into a new, empty file, which `finish` leaves open: whoever made it knows it by its descriptor. */
  static into(file: LogFile, meta: FileMeta, fs: LogFileSystem = realFileSystem): LogFileWriter {
    return new LogFileWriter(Segment.begin(fs, file, meta), meta);
  }

  /**
   * A data block of another file under this file's run id and its next number; its bytes are changed.
   * `filter` is for the index.
   */
  copy({ frame, bytes }: ScannedBlock, filter: Uint8Array): void {
    // What a later minor version put into a longer header is left behind.
    const offset = frame.headerBytes - BLOCK_HEADER_BYTES;
    writeFields(bytes, offset, { ...frame, type: frame.type as BlockType, ...this.#identity() });
    this.#segment.appendFrame(bytes, offset, filter);
  }

  /** Rows as one block, strongly compressed. */
  append(batch: EventBatch): void {
    const blockBytes = writeRecordBlock(
      batch,
      this.#typeOf(batch),
      this.#identity(),
      this.#buffer,
      0,
      'strong',
    );
    const filterBytes = writeAddressFilter(batch, this.#buffer, blockBytes);
    this.#segment.appendFrame(this.#buffer, 0, this.#buffer.subarray(blockBytes, blockBytes + filterBytes));
  }

  appendGap(gap: GapRecord): void {
    this.appendJson(gap, BlockType.gap, gap.fromUs, gap.toUs);
  }

  /** A data block that holds JSON. */
  appendJson(value: unknown, type: BlockType, minTimeUs: number, maxTimeUs: number): void {
    const block = jsonBlock(value, type, this.#identity(), minTimeUs, maxTimeUs);
    this.#segment.appendFrame(block, 0, NO_FILTER);
  }

  /** Index, end block, durable. Answers the last hash and the length of the file. */
  finish(): { chain: string; bytes: number } {
    this.#segment.commit();
    const closing = this.#segment.planClosing('complete');
    this.#segment.writeClosing(closing);
    return { chain: hex(closing.chain), bytes: closing.fileBytes };
  }

  /** The same, and the file is closed. */
  close(): { chain: string; bytes: number } {
    const end = this.finish();
    this.#segment.close();
    return end;
  }

  #identity(): { runId: bigint; sequence: number } {
    return { runId: this.#runId, sequence: ++this.#sequence };
  }

  #typeOf(batch: EventBatch): BlockType {
    if (this.#meta.squeezed) return BlockType.connections;
    return batch.kind[0] === RecordKind.snapshot ? BlockType.snapshot : BlockType.events;
  }
}
