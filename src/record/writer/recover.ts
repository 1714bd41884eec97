/**
 * What a recorder finds at its start: files that an earlier one left live. Those of the same template and
 * protocols that nobody has locked are verified, cut to their last whole block, closed ("unclean end") and
 * given their final name. What is cut off is kept beside them. Files of other recorders are left alone.
 */

import { basename, dirname } from 'node:path';
import type { LogFile, LogFileSystem } from '../../base/disk/disk.js';
import { realFileSystem, renameNumbered, writeAll } from '../../base/disk/file-system.js';
import { numbered } from '../../base/disk/numbered.js';
import { ByteInput, DiskFeed } from '../../base/disk/input.js';
import { DamageError, errnoCode, PayloadDamage, SystemFailure } from '../../base/errors.js';
import { type Clock, systemClock } from '../../base/time/clock.js';
import { EventBatch } from '../../event/batch.js';
import { GapCause, unknownGap } from '../../event/gap.js';
import { FILTER_MAX_BYTES, writeAddressFilter } from '../../log/format/address-filter.js';
import { gapBlock } from '../../log/format/block.js';
import { decodeRecords } from '../../log/format/decode-rows.js';
import type { EarlierRecording, PreviousFile } from '../../log/format/file-meta.js';
import {
  BlockType,
  FILE_PREAMBLE_BYTES,
  isDataBlock,
  isRecordBlock,
  LIVE_SUFFIX,
} from '../../log/format/format.js';
import { filePreamble, hex, type ScannedBlock } from '../../log/format/frame.js';
import { INDEX_EVERY_BLOCKS, type IndexEntry } from '../../log/format/index-block.js';
import { readMeta, readPreamble } from '../../log/read/beginning.js';
import {
  endOf,
  filesOfTemplate,
  lastClosed,
  namedPredecessors,
  type OwnFile,
  ownFile,
} from '../../log/read/own-files.js';
import { scanBlocks } from '../../log/read/scan.js';
import {
  type Closing,
  emptyState,
  noteDataBlock,
  noteIndexBlock,
  noteOtherBlock,
  Segment,
  type SegmentState,
} from '../../log/write/segment.js';
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

/**
 * Recover what belongs to this template (absolute) and these protocols. Answers what the next file continues,
 * if there is anything. What cannot be recovered is said and left as it is: it must not keep anybody from
 * recording.
 */
export async function recoverFiles(
  template: string,
  protocols: readonly number[] | 'all',
  fs: LogFileSystem = realFileSystem,
  emit: Emit = () => {},
  clock: Clock = systemClock,
): Promise<EarlierRecording | undefined> {
  const recorder = { template, protocols };
  const { live: livePaths, closed } = filesOfTemplate(fs, template);
  const newest = lastClosed(fs, closed, recorder);
  let earlier = newest && endOf(fs, newest.path);
  let earlierUs = newest?.meta.openedUs ?? 0;
  const live: OwnFile[] = [];
  for (const path of livePaths) {
    const own = ownFile(fs, path, recorder);
    if (own !== undefined) live.push(own);
    else removeUnbegun(fs, path, emit);
  }
  if (live.length === 0) return earlier;
  const named = namedPredecessors(fs, live, closed, recorder);
  for (const { path, meta } of live) {
    try {
      const after = named.get(basename(path, LIVE_SUFFIX));
      const recovered = await recoverFile(fs, path, after, emit, clock);
      if (recovered === undefined || after !== undefined || meta.openedUs < earlierUs) continue;
      earlier = recovered;
      earlierUs = meta.openedUs;
    } catch (error) {
      if (!(error instanceof SystemFailure || error instanceof DamageError)) throw error;
      const why = error instanceof DamageError ? error.what : error.message;
      emit({ type: 'log', level: 'error', message: `${path}: left behind and not recovered: ${why}` });
    }
  }
  return earlier;
}

/**
 * A recorder that died before it had written who it is leaves a name and nothing in the file. Without a lock
 * nobody goes on with it.
 */
function removeUnbegun(fs: LogFileSystem, path: string, emit: Emit): void {
  try {
    const file = fs.open(path);
    try {
      const start = new Uint8Array(FILE_PREAMBLE_BYTES + 1);
      const size = fs.read(file, start, 0, start.length, 0);
      const isUnbegun = Buffer.from(filePreamble()).subarray(0, size).equals(start.subarray(0, size));
      if (!isUnbegun || !fs.lock(file)) return;
      fs.remove(path);
      emit({ type: 'log', level: 'warn', message: `${path}: was left behind empty; removed` });
    } finally {
      fs.close(file);
    }
  } catch (error) {
    if (!(error instanceof SystemFailure)) throw error; // somebody else's, or gone: left as it is
  }
}

/** Undefined when somebody else has the file locked. `named` is what a later file says about this one. */
async function recoverFile(
  fs: LogFileSystem,
  path: string,
  named: PreviousFile | undefined,
  emit: Emit,
  clock: Clock,
): Promise<EarlierRecording | undefined> {
  const file = fs.open(path);
  try {
    // Another recorder's recovery may have been faster: then the name leads nowhere any more.
    if (!fs.lock(file) || !fs.exists(path)) return undefined;
    const { bytes: size } = fs.factsOf(file);
    const { state, closed, openedUs } = await survey(
      fs,
      file,
      Math.min(size, named?.acknowledgedBytes ?? size),
    );
    const seenUntilUs = Math.max(openedUs, state.lastTimeUs);
    const finalPath = path.slice(0, -LIVE_SUFFIX.length);
    const tornBytes = size - state.bytes;
    const aside = tornBytes > 0 ? keepAside(fs, file, state.bytes, `${finalPath}.torn`) : '';
    const end = closed
      ? { fileBytes: state.bytes, chain: state.chain }
      : close(fs, file, state, named, seenUntilUs, clock);
    const name = renameNumbered(fs, path, finalPath);
    fs.syncDirectory(dirname(path));
    const cut = aside === '' ? '' : `, ${tornBytes} torn bytes kept in ${aside}`;
    const message = `${path}: was left behind; recovered as ${name}, ${state.records} records in ${state.blocks} blocks${cut}`;
    emit({ type: 'log', level: 'warn', message });
    const lastFile = { file: basename(name), acknowledgedBytes: end.fileBytes, chain: hex(end.chain) };
    return { lastFile, seenUntilUs };
  } finally {
    fs.close(file);
  }
}

/** Read every block up to `limitBytes`; answers what is known of the file up to its last whole block. */
async function survey(
  fs: LogFileSystem,
  file: LogFile,
  limitBytes: number,
): Promise<{ state: SegmentState; closed: boolean; openedUs: number }> {
  const { path } = file;
  const input = new ByteInput(new DiskFeed(fs, file));
  try {
    const preamble = await readPreamble(input, path);
    const { meta, block } = await readMeta(input, path);
    if (block === undefined || meta.runId === undefined)
      throw new DamageError('bad-header', { file: path, offsetBytes: 0 }, 'its header block cannot be read');
    const state = emptyState(preamble.bytes, { ...meta, runId: meta.runId });
    noteOtherBlock(state, block.frame.chain, block.bytes.length);
    let closed = false;
    for await (const item of scanBlocks(input)) {
      if (item.type === 'damage') continue; // stays where it is, when whole blocks follow
      const { frame, offsetBytes, bytes } = item;
      if (offsetBytes + bytes.length > limitBytes) break;
      state.bytes = offsetBytes;
      closed = frame.type === BlockType.end;
      if (isDataBlock(frame.type)) noteDataBlock(state, frame, NO_FILTER);
      else if (frame.type === BlockType.index) noteIndexBlock(state, frame.chain, bytes.length);
      else noteOtherBlock(state, frame.chain, bytes.length);
      if (state.entries.length > UNINDEXED_MAX)
        throw new DamageError(
          'bad-payload',
          { file: path, offsetBytes },
          `more than ${UNINDEXED_MAX} blocks in a row without an index; "ctrecorder repair" copies what is intact`,
        );
    }
    if (!closed) state.entries = await withFilters(fs, file, state.entries);
    return { state, closed, openedUs: meta.openedUs ?? 0 };
  } finally {
    await input.close();
  }
}

/**
 * Cut off what is torn and write index and end block. A later file may name the end that this one was about
 * to get when its recorder was killed: then it gets exactly that. Otherwise what the recorder had in memory
 * is lost, and a gap says so.
 */
function close(
  fs: LogFileSystem,
  file: LogFile,
  state: SegmentState,
  named: PreviousFile | undefined,
  seenUntilUs: number,
  clock: Clock,
): Closing {
  const segment = Segment.resume(fs, file, state);
  segment.cutBack();
  let closing = segment.planClosing('rotation');
  if (hex(closing.chain) !== named?.chain) {
    if (named === undefined) {
      const nowUs = Math.max(seenUntilUs, clock.wallUs());
      const identity = { runId: state.runId, sequence: state.sequence + 1 };
      segment.appendFrame(gapBlock(unknownGap(GapCause.died, seenUntilUs, nowUs), identity), 0, NO_FILTER);
      segment.commit();
    }
    closing = segment.planClosing('unclean end');
  }
  segment.writeClosing(closing);
  return closing;
}

/** Copy everything from `offset` into a new file, durably; answers its name. */
function keepAside(fs: LogFileSystem, file: LogFile, offset: number, wanted: string): string {
  const aside = createNumbered(fs, wanted);
  try {
    const buffer = new Uint8Array(COPY_BYTES);
    for (let at = 0; ; ) {
      const length = fs.read(file, buffer, 0, buffer.length, offset + at);
      if (length === 0) break;
      writeAll(fs, aside, buffer, 0, length, at);
      at += length;
    }
    fs.sync(aside);
    fs.syncDirectory(dirname(aside.path));
  } finally {
    fs.close(aside);
  }
  return aside.path;
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
  const batch = new EventBatch();
  const [{ offsetBytes }] = entries;
  const input = new ByteInput(new DiskFeed(fs, file, offsetBytes));
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
