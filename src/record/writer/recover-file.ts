/**
 * One file that an earlier recorder left live: verified, cut to its last whole block, closed and given its
 * final name. What is cut off is kept beside it. Nothing is cut or renamed unless what is open is still what
 * stands at the path.
 */
import { basename, dirname } from 'node:path';
import type { LogFile, LogFileSystem } from '../../base/disk/disk.js';
import { renameNumbered, writeAll } from '../../base/disk/file-system.js';
import { ByteInput, DiskFeed } from '../../base/disk/input.js';
import { numbered } from '../../base/disk/numbered.js';
import { standsAt } from '../../base/disk/same-file.js';
import { DamageError, errnoCode, PayloadDamage, SystemFailure } from '../../base/errors.js';
import type { Clock } from '../../base/time/clock.js';
import { EventBatch } from '../../event/batch.js';
import { GapCause, unseenGap } from '../../event/gap.js';
import { FILTER_MAX_BYTES, writeAddressFilter } from '../../log/format/address-filter.js';
import { gapBlock } from '../../log/format/block.js';
import { decodeRecords } from '../../log/format/decode-rows.js';
import type { FileEnd, PreviousFile } from '../../log/format/file-meta.js';
import { BlockType, isDataBlock, isRecordBlock, LIVE_SUFFIX } from '../../log/format/format.js';
import { hex, type ScannedBlock } from '../../log/format/frame.js';
import { INDEX_EVERY_BLOCKS, type IndexEntry } from '../../log/format/index-block.js';
import { readMeta, readPreamble } from '../../log/read/beginning.js';
import { scanBlocks } from '../../log/read/scan.js';
import {
  emptyState,
  noteDataBlock,
  noteIndexBlock,
  noteOtherBlock,
  Segment,
  type SegmentState,
} from '../../log/write/segment.js';
import { attemptAll } from './attempt-all.js';
import type { Emit } from './writer-task.js';

const COPY_BYTES = 1024 * 1024;
const NO_FILTER = new Uint8Array(0);
/** Of a block that cannot be decoded: a search must look into it. */
const MATCHES_ALL = new Uint8Array(8).fill(0xff);
/**
 * A recorder's file has no more blocks in a row that no index block lists, unless as many index blocks in a
 * row are damaged. What has more was made to take memory. So many entries fit into one index block
 * (MAX_PAYLOAD_BYTES).
 */
const UNINDEXED_MAX = 8 * INDEX_EVERY_BLOCKS;

/** What files say about their predecessors, by the hash that they name. */
export type Claims = ReadonlyMap<string, PreviousFile>;

export interface Recovered {
  /** Its final name; its live one while it cannot be closed. */
  readonly path: string;
  readonly end: FileEnd;
}

/**
 * Undefined when somebody else has the file locked, or it is not the same file any more. `hasLater`: the
 * recorder went on in other files after this one, which began with the gap between.
 */
export async function recoverFile(
  fs: LogFileSystem,
  path: string,
  claims: Claims,
  hasLater: boolean,
  emit: Emit,
  clock: Clock,
): Promise<Recovered | undefined> {
  const file = fs.open(path);
  try {
    // Another recorder's recovery may have been faster: then the name leads elsewhere, or nowhere.
    if (!fs.lock(file) || !standsAt(fs, path, file)) return undefined;
    const found = await survey(fs, file, claims);
    return new Recovery(fs, file, found, claims, hasLater, emit, clock).run();
  } finally {
    attemptAll(() => fs.close(file));
  }
}

/** What is known of a file up to its last whole block, or the one that a later file names as its last. */
interface Survey {
  readonly state: SegmentState;
  readonly isClosed: boolean;
  readonly openedUs: number;
  /** A later file says so, and the hash at that place is the one it says. */
  readonly isNamed: boolean;
}

class Recovery {
  readonly #finalPath: string;
  readonly #sizeBytes: number;
  readonly #seenUntilUs: number;
  /** Where it can be continued: length and hash up to which it is durable. */
  #durable: Pick<SegmentState, 'bytes' | 'chain'>;

  constructor(
    readonly fs: LogFileSystem,
    readonly file: LogFile,
    readonly found: Survey,
    readonly claims: Claims,
    readonly hasLater: boolean,
    readonly emit: Emit,
    readonly clock: Clock,
  ) {
    this.#finalPath = file.path.slice(0, -LIVE_SUFFIX.length);
    this.#durable = found.state;
    this.#sizeBytes = fs.factsOf(file).bytes;
    this.#seenUntilUs = Math.max(found.openedUs, found.state.lastTimeUs);
  }

  run(): Recovered {
    const { state, isClosed } = this.found;
    const tornBytes = this.#sizeBytes - state.bytes;
    let aside: LogFile | undefined;
    let name: string;
    try {
      if (tornBytes > 0) aside = this.#keepAside();
      // What can be read may still be in memory only: a sync that failed made its recorder give up.
      if (isClosed) this.fs.sync(this.file);
      else this.#close();
      name = this.#rename();
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      // As long as nothing was cut off, the copy is not needed.
      if (aside !== undefined && this.fs.factsOf(this.file).bytes === this.#sizeBytes) this.#remove(aside);
      return this.#postponed(error);
    }
    const cut = aside === undefined ? '' : `, ${tornBytes} torn bytes kept in ${aside.path}`;
    const what = `recovered as ${name}, ${state.records} records in ${state.blocks} blocks${cut}`;
    this.#say(`${this.file.path}: was left behind; ${what}`);
    return { path: name, end: this.#endAt(name) };
  }

  /** It cannot be closed or renamed now, but what is durable in it can be continued all the same. */
  #postponed(error: SystemFailure): Recovered {
    const { path } = this.file;
    const what =
      'was left behind and cannot be closed now; recording continues after it; a later start closes it';
    this.#say(`${path}: ${what}: ${error.message}`);
    return { path, end: this.#endAt(this.#finalPath) };
  }

  #endAt(path: string): FileEnd {
    const { bytes, chain } = this.#durable;
    const runId = this.found.state.runId.toString(16).padStart(16, '0');
    const lastFile = { file: basename(path), acknowledgedBytes: bytes, chain: hex(chain), runId };
    return { lastFile, seenUntilUs: this.#seenUntilUs };
  }

  /**
   * Cut off what is torn and write index and end block. A later file may name the end that this one was about
   * to get when its recorder was killed: then it gets exactly that. Otherwise what the recorder had in memory
   * is lost, and a gap says so.
   */
  #close(): void {
    const { fs, file } = this;
    const { state, isNamed } = this.found;
    const segment = Segment.resume(fs, file, state);
    segment.cutBack();
    let closing = segment.planClosing('rotation');
    if (!this.claims.has(hex(closing.chain))) {
      if (!isNamed && !this.hasLater) {
        const identity = { runId: state.runId, sequence: state.sequence + 1 };
        const gap = unseenGap(GapCause.died, this.#seenUntilUs, this.clock.wallUs());
        segment.appendFrame(gapBlock(gap, identity), 0, NO_FILTER);
        segment.commit();
        this.#durable = segment.acknowledged;
      }
      closing = segment.planClosing('unclean end');
    }
    segment.writeClosing(closing);
    this.#durable = { bytes: closing.fileBytes, chain: closing.chain };
  }

  #rename(): string {
    const { fs, file } = this;
    if (!standsAt(fs, file.path, file))
      throw new SystemFailure('rename', 'ENOENT', `${file.path}: another file now has its name`, file);
    const name = renameNumbered(fs, file.path, this.#finalPath);
    fs.syncDirectory(dirname(name));
    return name;
  }

  /** Copy everything behind the last whole block into a new file, durably, or leave nothing. */
  #keepAside(): LogFile {
    const { fs, file } = this;
    const { bytes: offset } = this.found.state;
    const aside = createNumbered(fs, `${this.#finalPath}.torn`);
    try {
      const buffer = new Uint8Array(Math.min(COPY_BYTES, this.#sizeBytes - offset));
      for (let at = 0; ; ) {
        const length = fs.read(file, buffer, 0, buffer.length, offset + at);
        if (length === 0) break;
        writeAll(fs, aside, buffer, 0, length, at);
        at += length;
      }
      fs.sync(aside);
      fs.syncDirectory(dirname(aside.path));
      return aside;
    } catch (error) {
      this.#remove(aside);
      throw error;
    } finally {
      attemptAll(() => fs.close(aside));
    }
  }

  /** Only what was made here. */
  #remove(made: LogFile): void {
    attemptAll(() => {
      if (standsAt(this.fs, made.path, made)) this.fs.remove(made.path);
    });
  }

  #say(message: string): void {
    this.emit({ type: 'log', level: 'warn', message });
  }
}

/** Read every block, up to the one whose end a later file names. */
async function survey(fs: LogFileSystem, file: LogFile, claims: Claims): Promise<Survey> {
  const { path } = file;
  const input = inputOf(fs, file, 0);
  try {
    const preamble = await readPreamble(input, path);
    const { meta, block } = await readMeta(input, path);
    if (block === undefined || meta.runId === undefined)
      throw new DamageError('bad-header', { file: path, offsetBytes: 0 }, 'its header block cannot be read');
    const state = emptyState(preamble.bytes, { ...meta, runId: meta.runId });
    noteOtherBlock(state, block.frame.chain, block.bytes.length);
    const isClaimed = () => claims.get(hex(state.chain))?.acknowledgedBytes === state.bytes;
    let isClosed = false;
    let isNamed = isClaimed();
    for await (const item of scanBlocks(input)) {
      if (isNamed) break;
      if (item.type === 'damage') continue; // stays where it is, when whole blocks follow
      const { frame, offsetBytes, bytes } = item;
      state.bytes = offsetBytes;
      isClosed = frame.type === BlockType.end;
      if (isDataBlock(frame.type)) noteDataBlock(state, frame, NO_FILTER);
      else if (frame.type === BlockType.index) noteIndexBlock(state, frame.chain, bytes.length);
      else noteOtherBlock(state, frame.chain, bytes.length);
      isNamed = isClaimed();
      if (state.entries.length > UNINDEXED_MAX)
        throw new DamageError(
          'bad-payload',
          { file: path, offsetBytes },
          `more than ${UNINDEXED_MAX} blocks in a row without an index; "ctrecorder repair" copies what is intact`,
        );
    }
    if (!isClosed) state.entries = await withFilters(fs, file, state.entries);
    return { state, isClosed, openedUs: meta.openedUs ?? 0, isNamed };
  } finally {
    await input.close();
  }
}

/** With a buffer that is no larger than the file, as nearly all that are recovered are small. */
function inputOf(fs: LogFileSystem, file: LogFile, offsetBytes: number): ByteInput {
  return new ByteInput(new DiskFeed(fs, file, offsetBytes), fs.factsOf(file).bytes);
}

function createNumbered(fs: LogFileSystem, wanted: string): LogFile {
  for (let number = 0; ; number++) {
    try {
      return fs.create(numbered(wanted, number));
    } catch (error) {
      if (errnoCode(error) !== 'EEXIST') throw error;
    }
  }
}

/** The address filters of the blocks that no index block has yet; the writer had them from the parser. */
async function withFilters(
  fs: LogFileSystem,
  file: LogFile,
  entries: readonly IndexEntry[],
): Promise<IndexEntry[]> {
  if (entries.length === 0) return [];
  const found: IndexEntry[] = [];
  const batch = new EventBatch(entries.reduce((most, { count }) => Math.max(most, count), 1));
  const [{ offsetBytes }] = entries;
  const input = inputOf(fs, file, offsetBytes);
  input.offset = offsetBytes;
  try {
    for await (const item of scanBlocks(input)) {
      const entry = entries[found.length];
      if (item.type !== 'block' || item.offsetBytes !== entry.offsetBytes) continue;
      found.push({ ...entry, filter: filterOf(item, batch) });
      if (found.length === entries.length) break;
    }
  } finally {
    await input.close();
  }
  return found;
}

/** Empty for blocks without records. */
function filterOf({ frame, payload }: ScannedBlock, batch: EventBatch): Uint8Array {
  if (!isRecordBlock(frame.type)) return NO_FILTER;
  try {
    decodeRecords(payload, frame.count, frame.minTimeUs, batch);
  } catch (error) {
    if (!(error instanceof PayloadDamage)) throw error;
    return MATCHES_ALL;
  }
  const filter = new Uint8Array(FILTER_MAX_BYTES);
  return filter.slice(0, writeAddressFilter(batch, filter, 0));
}
