/**
 * One log file being written: blocks in, chain and index kept. It knows what is durable (acknowledged) and
 * can cut the file back to that. Writer thread, once per block; at most INDEX_EVERY_BLOCKS index entries are
 * in memory.
 */

import type { LogFile, LogFileSystem } from '../../base/disk/disk.js';
import { writeAll } from '../../base/disk/file-system.js';
import type { ErrnoCode } from '../../base/errno.js';
import { errnoCode, invariant, SystemFailure } from '../../base/errors.js';
import { type EndReason, endOffsetText } from '../format/end-block.js';
import type { FileMeta } from '../format/file-meta.js';
import {
  BLOCK_HEADER_BYTES,
  BlockCodec,
  BlockField,
  BlockType,
  CHAIN_BYTES,
  FILE_PREAMBLE_BYTES,
  isRecordBlock,
} from '../format/format.js';
import {
  filePreamble,
  firstChain,
  type ParsedFrame,
  parseFrame,
  stampFrame,
  writeFields,
} from '../format/frame.js';
import { encodeIndex, INDEX_EVERY_BLOCKS, type IndexEntry } from '../format/index-block.js';

/**
 * The end block lists no more index blocks than this; a longer file (some 150 days without rotation) lists
 * none.
 */
const INDEX_OFFSETS_MAX = 50_000;

/** As large as a file can get here; a descriptor that somebody else closed. */
const ONLY_ANOTHER_FILE_HELPS: ReadonlySet<ErrnoCode | undefined> = new Set(['EFBIG', 'EBADF']);

/** Everything about a file's contents that the next block depends on. */
export interface SegmentState {
  /** Length of the file. */
  bytes: number;
  /** Last hash. */
  chain: Uint8Array;
  runId: bigint;
  /** Of the last data block. */
  sequence: number;
  /** Data blocks. */
  blocks: number;
  /** Rows of record blocks; of those, rows of events blocks. */
  records: number;
  events: number;
  firstTimeUs: number;
  lastTimeUs: number;
  /** Data blocks that no index block has yet. */
  entries: IndexEntry[];
  indexOffsets: number[];
}

/** The last bytes of a file, worked out before they are written. */
export interface Closing {
  readonly bytes: Uint8Array;
  /** Length and last hash of the file with them. */
  readonly fileBytes: number;
  readonly chain: Uint8Array;
}

export class Segment {
  #state: SegmentState;
  #acknowledged: SegmentState;
  #trusted = true;
  #removed = false;

  private constructor(
    readonly fs: LogFileSystem,
    public file: LogFile,
    state: SegmentState,
  ) {
    this.#state = state;
    this.#acknowledged = copyState(state);
  }

  /** Begin a new, empty file: preamble and header, not yet durable. */
  static begin(fs: LogFileSystem, file: LogFile, meta: FileMeta): Segment {
    const preamble = filePreamble();
    const state = emptyState(preamble, meta);
    const json = Buffer.from(JSON.stringify(meta));
    const { openedUs } = meta;
    const header = structuralBlock(state, BlockType.header, json, 1, openedUs, openedUs);
    writeAll(fs, file, preamble, 0, preamble.length, 0);
    writeAll(fs, file, header, 0, header.length, preamble.length);
    noteOtherBlock(state, chainOf(header), header.length);
    return new Segment(fs, file, state);
  }

  /** Go on at the end of an existing file whose contents are known. */
  static resume(fs: LogFileSystem, file: LogFile, state: SegmentState): Segment {
    return new Segment(fs, file, state);
  }

  /** What is durable: the file's length, last hash, last sequence and rows so far. */
  get acknowledged(): Readonly<SegmentState> {
    return this.#acknowledged;
  }

  /**
   * False once a sync has failed: the kernel may have thrown pages away, and says so only once. `reopen`
   * starts again.
   */
  get trusted(): boolean {
    return this.#trusted;
  }

  /**
   * Append the data block at `offset`, which gets its place in the chain. Throws SystemFailure: then
   * `cutBack`.
   */
  appendFrame(bytes: Uint8Array, offset: number, filter: Uint8Array): void {
    const state = this.#state;
    stampFrame(bytes, offset, state.chain);
    const frame = parseFrame(bytes, offset);
    invariant(typeof frame === 'object', 'segment: a block that does not parse');
    this.#write(bytes, offset, frame.headerBytes + frame.storedBytes);
    noteDataBlock(state, frame, filter.slice());
    if (state.entries.length < INDEX_EVERY_BLOCKS) return;
    const index = indexBlock(state);
    this.#write(index, 0, index.length);
    noteIndexBlock(state, chainOf(index), index.length);
  }

  /** Everything appended is durable when this returns. Throws SystemFailure: then nothing of it is. */
  commit(): void {
    const { file } = this;
    try {
      if (!this.fs.isLinked(file))
        throw new SystemFailure('stat', 'ENOENT', `${file.path}: was removed while it was written`, file);
      this.fs.sync(file);
    } catch (error) {
      this.#trusted = false;
      throw error;
    }
    this.#acknowledged = copyState(this.#state);
  }

  /**
   * Cut the file back to what is acknowledged. Throws SystemFailure: then this descriptor is of no use any
   * more.
   */
  cutBack(): void {
    try {
      this.fs.truncate(this.file, this.#acknowledged.bytes);
    } catch (error) {
      this.#trusted = false;
      throw error;
    }
    this.#state = copyState(this.#acknowledged);
  }

  /** Close a descriptor that is not trusted: all it could do is keep a broken disk from being unmounted. */
  letGo(): void {
    const { file } = this;
    if (file.fd < 0) return;
    try {
      // A removed file's inode is another's once it is closed: by that it could not be told from it.
      this.#removed = !this.fs.isLinked(file);
      this.close();
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      this.file = { ...file, fd: -1 }; // it is not ours, or of no use
    }
  }

  /**
   * A new descriptor for the same file, locked, when the old one is not trusted any more. Throws
   * SystemFailure.
   */
  reopen(): void {
    this.letGo();
    const { path, inode, device } = this.file;
    if (this.#removed) throw new SystemFailure('open', 'ENOENT', `${path}: was removed`, { path });
    const again = this.fs.open(path);
    if (again.inode !== inode || again.device !== device) {
      this.fs.close(again);
      throw new SystemFailure('open', 'ENOENT', `${path}: was removed; another file now has its name`, {
        path,
      });
    }
    this.file = again;
    if (!this.fs.lock(this.file)) {
      this.close();
      throw new SystemFailure('lock', 'EAGAIN', `${path}: is locked by another program`, { path });
    }
    this.#trusted = true;
  }

  /**
   * Index and end block as they will stand behind what is acknowledged now. Of a stop, its time is part of
   * it.
   */
  planClosing(reason: EndReason, closedUs?: number): Closing {
    const state = copyState(this.#acknowledged);
    const parts: Uint8Array[] = [];
    if (state.entries.length > 0) {
      const index = indexBlock(state);
      noteIndexBlock(state, chainOf(index), index.length);
      parts.push(index);
    }
    const end = endBlock(state, reason, closedUs);
    parts.push(end);
    return { bytes: Buffer.concat(parts), fileBytes: state.bytes + end.length, chain: chainOf(end) };
  }

  /** Make the planned end durable. Can be repeated after a SystemFailure. */
  writeClosing({ bytes, fileBytes }: Closing): void {
    writeAll(this.fs, this.file, bytes, 0, bytes.length, fileBytes - bytes.length);
    try {
      this.fs.sync(this.file);
    } catch (error) {
      this.#trusted = false;
      throw error;
    }
  }

  #write(bytes: Uint8Array, offset: number, length: number): void {
    try {
      writeAll(this.fs, this.file, bytes, offset, length, this.#state.bytes);
    } catch (error) {
      if (ONLY_ANOTHER_FILE_HELPS.has(errnoCode(error))) this.#trusted = false;
      throw error;
    }
  }

  /** Close the descriptor, which also gives up the lock. Safe to repeat. */
  close(): void {
    const { file } = this;
    if (file.fd < 0) return;
    this.file = { ...file, fd: -1 };
    this.fs.close(file);
  }
}

/** State before the first block: only the preamble. */
export function emptyState(preamble: Uint8Array, meta: Pick<FileMeta, 'previous' | 'runId'>): SegmentState {
  const { previous, runId } = meta;
  return {
    bytes: FILE_PREAMBLE_BYTES,
    chain: firstChain(preamble, previous === undefined ? undefined : Buffer.from(previous.chain, 'hex')),
    runId: BigInt(`0x${runId}`),
    sequence: 0,
    blocks: 0,
    records: 0,
    events: 0,
    firstTimeUs: Number.POSITIVE_INFINITY,
    lastTimeUs: 0,
    entries: [],
    indexOffsets: [],
  };
}

/** Note that the file goes on with a block that is neither data nor index. */
export function noteOtherBlock(state: SegmentState, chain: Uint8Array, lengthBytes: number): void {
  state.chain = chain;
  state.bytes += lengthBytes;
}

/** Note that the file goes on with a data block. */
export function noteDataBlock(state: SegmentState, frame: ParsedFrame, filter: Uint8Array): void {
  const { type, storedBytes, count, minTimeUs, maxTimeUs, sequence } = frame;
  const offsetBytes = state.bytes;
  state.entries.push({ offsetBytes, type, storedBytes, count, minTimeUs, maxTimeUs, sequence, filter });
  state.blocks++;
  if (isRecordBlock(type)) state.records += count;
  if (type === BlockType.events) state.events += count;
  state.sequence = sequence;
  state.firstTimeUs = Math.min(state.firstTimeUs, minTimeUs);
  state.lastTimeUs = Math.max(state.lastTimeUs, maxTimeUs);
  state.chain = frame.chain;
  state.bytes += frame.headerBytes + storedBytes;
}

/** Note that the file goes on with an index block of all entries so far. */
export function noteIndexBlock(state: SegmentState, chain: Uint8Array, lengthBytes: number): void {
  state.entries = [];
  // One more than the end block lists says that there are too many.
  if (state.indexOffsets.length <= INDEX_OFFSETS_MAX) state.indexOffsets.push(state.bytes);
  state.chain = chain;
  state.bytes += lengthBytes;
}

function copyState(state: SegmentState): SegmentState {
  return { ...state, entries: [...state.entries], indexOffsets: [...state.indexOffsets] };
}

/**
 * A header, index or end block, stamped for the end of the file; it carries the number of the data block
 * before it.
 */
function structuralBlock(
  state: SegmentState,
  type: BlockType,
  payload: Uint8Array,
  count: number,
  minTimeUs: number,
  maxTimeUs: number,
): Uint8Array {
  const block = new Uint8Array(BLOCK_HEADER_BYTES + payload.length);
  block.set(payload, BLOCK_HEADER_BYTES);
  const { runId, sequence } = state;
  const storedBytes = payload.length;
  const sizes = { codec: BlockCodec.stored, storedBytes, rawBytes: storedBytes, count };
  writeFields(block, 0, { type, ...sizes, runId, sequence, minTimeUs, maxTimeUs });
  stampFrame(block, 0, state.chain);
  return block;
}

function chainOf(block: Uint8Array): Uint8Array {
  return block.slice(BlockField.chain, BlockField.chain + CHAIN_BYTES);
}

function indexBlock(state: SegmentState): Uint8Array {
  const { entries } = state;
  const minTimeUs = Math.min(...entries.map((entry) => entry.minTimeUs));
  const maxTimeUs = Math.max(...entries.map((entry) => entry.maxTimeUs));
  return structuralBlock(state, BlockType.index, encodeIndex(entries), entries.length, minTimeUs, maxTimeUs);
}

function endBlock(state: SegmentState, reason: EndReason, closedUs: number | undefined): Uint8Array {
  const { bytes, blocks, records, lastTimeUs } = state;
  const firstTimeUs = blocks === 0 ? 0 : state.firstTimeUs;
  const indexOffsets = state.indexOffsets.length > INDEX_OFFSETS_MAX ? undefined : state.indexOffsets;
  const end = {
    reason,
    blocks,
    records,
    firstTimeUs,
    lastTimeUs,
    closedUs,
    indexOffsets,
    endOffset: endOffsetText(bytes),
  };
  return structuralBlock(state, BlockType.end, Buffer.from(JSON.stringify(end)), 1, firstTimeUs, lastTimeUs);
}
