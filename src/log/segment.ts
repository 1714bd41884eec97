/**
 * One log file being written: stamps blocks into the chain, appends them, makes them durable, writes index and end blocks. What
 * went wrong in between is taken back with `rollback`; after a failed sync the segment is not to be used again.
 */
import { basename } from 'node:path';
import { SystemFailure } from '../errors.js';
import { writeJsonBlock } from './block.js';
import type { FileMeta, PreviousFile } from './file-meta.js';
import type { LogFileSystem } from './file-system.js';
import {
  BLOCK_HEADER_BYTES,
  BlockCodec,
  BlockField,
  BlockType,
  FILE_PREAMBLE_BYTES,
  isDataBlock,
  isRecordBlock,
} from './format.js';
import { filePreamble, firstChain, stampFrame, writeFields } from './frame.js';
import { encodeIndex, INDEX_EVERY_BLOCKS, type IndexEntry } from './index-block.js';

/** The JSON of an end block. */
export interface EndRecord {
  /** "rotated", "stopped", "complete", "unclean end". */
  readonly reason: string;
  /** Where the index blocks are, bytes. */
  readonly indexOffsets: readonly number[];
  readonly blocks: number;
  readonly records: number;
  /** Smallest and largest time in the file; 0 when it has no records. */
  readonly firstTimeUs: number;
  readonly lastTimeUs: number;
}

/** Everything about a segment that changes as it grows; what is durable is kept as a copy. */
export interface SegmentState {
  bytes: number;
  chain: Uint8Array;
  sequence: number;
  blocks: number;
  records: number;
  firstTimeUs: number;
  lastTimeUs: number;
  /** Of data blocks since the last index block. */
  entries: IndexEntry[];
  indexOffsets: number[];
}

export class Segment {
  #state: SegmentState;
  #durable: SegmentState;

  private constructor(
    readonly fs: LogFileSystem,
    readonly fd: number,
    /** Path on disk, of the live file. */
    readonly path: string,
    readonly runId: bigint,
    state: SegmentState,
  ) {
    this.#state = state;
    this.#durable = copied(state);
  }

  /** A new file; the caller has created and locked `fd`. Preamble and header block are written and durable. */
  static begin(fs: LogFileSystem, fd: number, path: string, meta: FileMeta): Segment {
    const preamble = filePreamble();
    const before = meta.previous === undefined ? undefined : Buffer.from(meta.previous.chain, 'hex');
    const runId = BigInt(`0x${meta.runId}`);
    const segment = new Segment(fs, fd, path, runId, {
      bytes: FILE_PREAMBLE_BYTES,
      chain: firstChain(preamble, before),
      sequence: 0,
      blocks: 0,
      records: 0,
      firstTimeUs: 0,
      lastTimeUs: 0,
      entries: [],
      indexOffsets: [],
    });
    fs.write(fd, preamble, 0, preamble.length, 0);
    segment.#appendJson(meta, BlockType.header, meta.openedUs);
    segment.commit();
    return segment;
  }

  /** Go on with a file that was left behind. */
  static resume(fs: LogFileSystem, fd: number, path: string, runId: bigint, state: SegmentState): Segment {
    return new Segment(fs, fd, path, runId, state);
  }

  /** Bytes that are known to be on disk. */
  get durableBytes(): number {
    return this.#durable.bytes;
  }

  get durableRecords(): number {
    return this.#durable.records;
  }

  /** What the next file says about this one. */
  previousFile(finalPath: string): PreviousFile {
    const chain = Buffer.from(this.#durable.chain).toString('hex');
    return { file: basename(finalPath), acknowledgedBytes: this.#durable.bytes, chain };
  }

  /**
   * Append the unstamped data block at `offset` and remember its address filter, which stands right behind it. Throws
   * SystemFailure; then call `rollback`.
   */
  append(bytes: Uint8Array, offset: number, filterBytes: number): void {
    const state = this.#state;
    if (state.entries.length === INDEX_EVERY_BLOCKS) this.#appendIndex();
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_HEADER_BYTES);
    const storedBytes = view.getUint32(BlockField.storedBytes, true);
    const end = offset + BLOCK_HEADER_BYTES + storedBytes;
    const entry: IndexEntry = {
      offsetBytes: state.bytes,
      type: view.getUint8(BlockField.type),
      storedBytes,
      count: view.getUint32(BlockField.count, true),
      minTimeUs: Number(view.getBigUint64(BlockField.minTimeUs, true)),
      maxTimeUs: Number(view.getBigUint64(BlockField.maxTimeUs, true)),
      sequence: Number(view.getBigUint64(BlockField.sequence, true)),
      filter: bytes.slice(end, end + filterBytes),
    };
    this.#write(bytes, offset, end);
    count(state, entry);
  }

  /** One fdatasync for everything appended since the last. After a SystemFailure here the file is not to be trusted again. */
  commit(): void {
    this.fs.sync(this.fd);
    if (!this.fs.hasName(this.fd))
      throw new SystemFailure('fdatasync', 'ENOENT', `${this.path}: was deleted while it was written`, { path: this.path });
    this.#durable = copied(this.#state);
  }

  /** Take back everything since the last commit: the file is cut to what is durable. */
  rollback(): void {
    this.fs.truncate(this.fd, this.#durable.bytes);
    this.#state = copied(this.#durable);
  }

  /** Index and end block, durable. The descriptor stays open. */
  finish(reason: string): void {
    if (this.#state.entries.length > 0) this.#appendIndex();
    const { indexOffsets, blocks, records, firstTimeUs, lastTimeUs } = this.#state;
    const end: EndRecord = { reason, indexOffsets, blocks, records, firstTimeUs, lastTimeUs };
    this.#appendJson(end, BlockType.end, lastTimeUs);
    this.commit();
  }

  close(): void {
    this.fs.close(this.fd);
  }

  #appendIndex(): void {
    const state = this.#state;
    const payload = encodeIndex(state.entries);
    const bytes = new Uint8Array(BLOCK_HEADER_BYTES + payload.length);
    bytes.set(payload, BLOCK_HEADER_BYTES);
    writeFields(bytes, 0, {
      type: BlockType.index,
      codec: BlockCodec.stored,
      storedBytes: payload.length,
      rawBytes: payload.length,
      count: state.entries.length,
      runId: this.runId,
      sequence: state.sequence,
      minTimeUs: state.entries[0].minTimeUs,
      maxTimeUs: state.lastTimeUs,
    });
    const offset = state.bytes;
    this.#write(bytes, 0, bytes.length);
    state.indexOffsets.push(offset);
    state.entries = [];
  }

  #appendJson(value: unknown, type: BlockType, timeUs: number): void {
    const bytes = new Uint8Array(BLOCK_HEADER_BYTES + Buffer.byteLength(JSON.stringify(value)));
    const identity = { runId: this.runId, sequence: this.#state.sequence };
    writeJsonBlock(value, type, identity, timeUs, timeUs, bytes, 0);
    this.#write(bytes, 0, bytes.length);
  }

  /** Stamp and write one frame; the state moves only when all of it was taken. */
  #write(bytes: Uint8Array, from: number, to: number): void {
    const chain = stampFrame(bytes, from, this.#state.chain);
    this.fs.write(this.fd, bytes, from, to, this.#state.bytes);
    this.#state.chain = chain;
    this.#state.bytes += to - from;
  }
}

/** Take a data block into the sums of its file. */
export function count(state: SegmentState, entry: IndexEntry): void {
  if (isDataBlock(entry.type)) {
    state.sequence = entry.sequence;
    state.blocks++;
    state.entries.push(entry);
  }
  if (!isRecordBlock(entry.type)) return;
  state.firstTimeUs = state.records === 0 ? entry.minTimeUs : Math.min(state.firstTimeUs, entry.minTimeUs);
  state.lastTimeUs = Math.max(state.lastTimeUs, entry.maxTimeUs);
  state.records += entry.count;
}

function copied(state: SegmentState): SegmentState {
  return { ...state, entries: [...state.entries], indexOffsets: [...state.indexOffsets] };
}
