/** `stats`: what log files hold, summed up, without decoding more of them than that takes. */

import { DamageError, PayloadDamage, SystemFailure } from '../../base/errors.js';
import { type EventBatch, RecordFlag, RecordKind } from '../../event/batch.js';
import { type ClassCount, countClasses } from '../../log/format/decode-classes.js';
import { BlockType, isDataBlock, isRecordBlock } from '../../log/format/format.js';
import type { ScannedBlock } from '../../log/format/frame.js';
import { parseGap } from '../../log/format/json-blocks.js';
import {
  LEGACY_CONNECTION_BYTES,
  LEGACY_EVENT_BYTES,
  LEGACY_HEADER_BYTES,
} from '../../log/read/legacy-header.js';
import { openBytes } from '../../log/read/open.js';
import { type LogReader, openFormat3 } from '../../log/read/reader.js';
import type { LogHeader, LogSource } from '../../log/read/source.js';
import { GapSum } from '../output/gap-text.js';

const PROTOCOLS = 256;
const TIME_SOURCES = 8;

/** What one file holds, or several. */
export class LogStats {
  /** Files summed up. */
  files = 0;
  bytes = 0;
  /** Data blocks; 0 for format 2, which has none. */
  blocks = 0;
  /** Rows of every kind. */
  records = 0;
  /** As the kernel told them. */
  starts = 0;
  ends = 0;
  /** Without an event: found by comparing table dumps. */
  derivedStarts = 0;
  derivedEnds = 0;
  snapshots = 0;
  connections = 0;
  /** Smallest and largest time of the records, microseconds; Infinity and 0 when there are none. */
  firstUs = Number.POSITIVE_INFINITY;
  lastUs = 0;
  /** Places where something is damaged, missing or doubled. */
  damaged = 0;
  /** Files without an end block: still being written, left behind or cut off. */
  unclosed = 0;
  readonly gaps = new GapSum();
  /** Records by protocol number and by TimeSource. */
  readonly byProtocol = new Float64Array(PROTOCOLS);
  readonly byTimeSource = new Float64Array(TIME_SOURCES);

  /** Starts and ends as received. */
  get events(): number {
    return this.starts + this.ends;
  }

  addRows({ kind, flags, timeSource, proto, rows }: ClassCount): void {
    this.records += rows;
    this.byProtocol[proto] += rows;
    this.byTimeSource[timeSource] += rows;
    if (kind === RecordKind.start) {
      if (flags & RecordFlag.derived) this.derivedStarts += rows;
      else this.starts += rows;
    } else if (kind === RecordKind.end) {
      if (flags & RecordFlag.derived) this.derivedEnds += rows;
      else this.ends += rows;
    } else if (kind === RecordKind.snapshot) this.snapshots += rows;
    else if (kind === RecordKind.connection) this.connections += rows;
  }

  addTimes(firstUs: number, lastUs: number): void {
    this.firstUs = Math.min(this.firstUs, firstUs);
    this.lastUs = Math.max(this.lastUs, lastUs);
  }

  addFile(file: LogStats): void {
    for (const name of SUMMED) this[name] += file[name];
    this.gaps.addSum(file.gaps);
    this.addTimes(file.firstUs, file.lastUs);
    for (let i = 0; i < PROTOCOLS; i++) this.byProtocol[i] += file.byProtocol[i];
    for (let i = 0; i < TIME_SOURCES; i++) this.byTimeSource[i] += file.byTimeSource[i];
  }
}

const SUMMED = [
  'files',
  'bytes',
  'blocks',
  'records',
  'starts',
  'ends',
  'derivedStarts',
  'derivedEnds',
  'snapshots',
  'connections',
  'damaged',
  'unclosed',
] as const;

export type FileStats =
  | { readonly file: string; readonly header: LogHeader; readonly stats: LogStats }
  /** Nothing of the file could be read. */
  | { readonly file: string; readonly failure: SystemFailure | DamageError };

/**
 * Each file's statistics, in the order given. `say` gets one line where something is worth knowing (a live
 * file).
 */
export async function* fileStats(
  files: readonly string[],
  say: (line: string) => void,
): AsyncGenerator<FileStats, void, void> {
  for (const file of files) {
    try {
      yield await statsOf(file, say);
    } catch (failure) {
      if (!(failure instanceof SystemFailure || failure instanceof DamageError)) throw failure;
      yield { file, failure };
    }
  }
}

async function statsOf(file: string, say: (line: string) => void): Promise<FileStats> {
  const opened = await openBytes(file);
  const { place } = opened;
  if (place.live && place.path !== file) say(`${file}: is still being written; reading ${place.path}`);
  const stats = new LogStats();
  stats.files = 1;
  if (opened.format === 2) {
    const { source } = opened;
    try {
      await addLegacy(stats, source);
    } finally {
      await source.close();
    }
    return { file: place.path, header: source.header, stats };
  }
  try {
    const reader = await openFormat3(opened.input, place.path, place.live);
    await addBlocks(stats, reader);
    stats.bytes = opened.input.offset;
    return { file: place.path, header: reader.header, stats };
  } finally {
    await opened.input.close();
  }
}

async function addBlocks(stats: LogStats, reader: LogReader): Promise<void> {
  await countingDamage(stats, async () => {
    for await (const item of reader.blocks()) {
      if (item.type === 'damage') stats.damaged++;
      else if (isDataBlock(item.frame.type)) addBlock(stats, item);
    }
  });
  if (!reader.closed) stats.unclosed++;
}

function addBlock(stats: LogStats, block: ScannedBlock): void {
  const { type, minTimeUs, maxTimeUs } = block.frame;
  stats.blocks++;
  try {
    if (type === BlockType.gap) stats.gaps.add(parseGap(block));
    if (!isRecordBlock(type)) return;
    for (const counted of countClasses(block)) stats.addRows(counted);
    stats.addTimes(minTimeUs, maxTimeUs);
  } catch (error) {
    if (!(error instanceof PayloadDamage)) throw error;
    stats.damaged++;
  }
}

async function addLegacy(stats: LogStats, source: LogSource): Promise<void> {
  const entryBytes = source.header.squeezed ? LEGACY_CONNECTION_BYTES : LEGACY_EVENT_BYTES;
  stats.bytes = LEGACY_HEADER_BYTES;
  await countingDamage(stats, async () => {
    for await (const item of source.items()) {
      if (item.type === 'damage') {
        stats.damaged++;
        stats.bytes += item.damage.lengthBytes;
      } else if (item.type === 'records') {
        stats.bytes += item.batch.count * entryBytes;
        addRows(stats, item.batch);
      }
    }
  });
}

function addRows(
  stats: LogStats,
  { count, kind, flags, timeSource, proto, timeUs, endUs }: EventBatch,
): void {
  for (let i = 0; i < count; i++) {
    stats.addRows({ kind: kind[i], flags: flags[i], timeSource: timeSource[i], proto: proto[i], rows: 1 });
    stats.addTimes(timeUs[i], Math.max(timeUs[i], endUs[i]));
  }
}

/** Bytes that end in damage (a cut gzip stream) hide what follows, not what was read before. */
async function countingDamage(stats: LogStats, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    stats.damaged++;
  }
}
