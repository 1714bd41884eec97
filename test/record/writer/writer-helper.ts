/**
 * What the tests of the writer share: blocks to write, a file system that fails on demand, and files read
 * back.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogFile, LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import type { ErrnoCode } from '../../../src/base/errno.js';
import { errnoCode, SystemFailure } from '../../../src/base/errors.js';
import { systemClock } from '../../../src/base/libc/clock.js';
import { AF_INET, EventBatch, RecordKind } from '../../../src/event/batch.js';
import type { GapRecord } from '../../../src/event/gap.js';
import { testFiles } from '../../../src/find/upkeep/check.js';
import { writeAddressFilter } from '../../../src/log/format/address-filter.js';
import { UNNUMBERED, writeRecordBlock } from '../../../src/log/format/block.js';
import type { EarlierRecording, FileMeta } from '../../../src/log/format/file-meta.js';
import { BlockType } from '../../../src/log/format/format.js';
import { IDENTITY_FILE } from '../../../src/log/read/holds.js';
import { openLog } from '../../../src/log/read/open.js';
import type { Damage } from '../../../src/log/read/source.js';
import type { RingProducer } from '../../../src/record/ring/producer.js';
import { BlockMessage } from '../../../src/record/stage/blocks.js';
import { identityOptions } from '../../../src/record/writer/identity.js';
import { findEarlier } from '../../../src/record/writer/recover.js';
import type { WriterEvent, WriterOptions } from '../../../src/record/writer/writer-task.js';
import { withFolder } from '../../lab/folder.js';

export const RUN_ID = 0x0123456789abcdefn;
/** 12 March 2026, 21:15:00 UTC */
export const START_US = 1773350100e6;

export const meta: FileMeta = {
  recorder: 'test',
  hostname: 'gateway',
  bootId: '',
  runId: '0123456789abcdef',
  openedUs: START_US,
  timeZone: 'UTC',
  minutesWest: 0,
  dst: 0,
  utcOffsetSeconds: 0,
  protocols: [6],
  template: '',
  squeezed: false,
};

export interface TestBlock {
  readonly bytes: Uint8Array;
  readonly blockBytes: number;
  readonly filter: Uint8Array;
}

/**
 * Fill a batch with rows that say which block they are from: the original source port is the row, the mark
 * the block.
 */
export function fillBatch(batch: EventBatch, block: number, rows: number): EventBatch {
  batch.clear();
  for (let row = 0; row < rows; row++) {
    batch.kind[row] = RecordKind.start;
    batch.flags[row] = 0;
    batch.timeUs[row] = START_US + block * 1e6 + row;
    batch.timeSource[row] = 0;
    batch.family[row] = AF_INET;
    batch.proto[row] = 6;
    batch.origSrc[row] = batch.replyDst[row] = batch.addresses4.intern(0x0a000000 + block);
    batch.origDst[row] = batch.replySrc[row] = batch.addresses4.intern(0xcb007105);
    batch.origSrcPort[row] = batch.replyDstPort[row] = row;
    batch.origDstPort[row] = batch.replySrcPort[row] = 443;
    batch.count = row + 1;
  }
  return batch;
}

const batch = new EventBatch(4096);

/** An unstamped block as the parser makes it: without a number. `block` is what its rows say. */
export function eventBlock(block: number, rows = 3, sequence = UNNUMBERED): TestBlock {
  fillBatch(batch, block, rows);
  const bytes = new Uint8Array(4096 + rows * 256);
  const blockBytes = writeRecordBlock(batch, BlockType.events, { runId: RUN_ID, sequence }, bytes, 0, 'fast');
  const filterBytes = writeAddressFilter(batch, bytes, blockBytes);
  return { bytes, blockBytes, filter: bytes.subarray(blockBytes, blockBytes + filterBytes) };
}

/**
 * What becomes of a call: an errno name fails it, a number writes that many bytes and then fails with ENOSPC,
 * `after` does it and fails all the same, undefined leaves it alone.
 */
export type Fault = (
  operation: keyof LogFileSystem,
  path: string,
) => ErrnoCode | number | { readonly after: ErrnoCode } | undefined;

export function faultyFileSystem(fault: Fault, base: LogFileSystem = realFileSystem): LogFileSystem {
  return new Proxy(base, {
    get(target, name: keyof LogFileSystem) {
      return (...args: unknown[]) => {
        const [first] = args as [string | { path: string }];
        const path = typeof first === 'string' ? first : first.path;
        const answer = fault(name, path);
        const call = () => (target[name] as (...args: unknown[]) => unknown)(...args);
        if (answer === undefined) return call();
        if (typeof answer === 'number' && answer > 0) {
          const [file, bytes, offset, length, position] = args as Parameters<LogFileSystem['write']>;
          target.write(file, bytes, offset, Math.min(answer, length), position);
        }
        if (typeof answer === 'object') call();
        const code =
          typeof answer === 'object' ? answer.after : typeof answer === 'number' ? 'ENOSPC' : answer;
        throw new SystemFailure(name, code, `${name} ${path}: ${code} (injected)`, { path });
      };
    },
  });
}

/** A file system whose `kill` closes what is open, as the end of a process does. */
export function killable(base: LogFileSystem = realFileSystem): { fs: LogFileSystem; kill: () => void } {
  const open = new Map<number, LogFile>();
  const note = (file: LogFile) => {
    open.set(file.fd, file);
    return file;
  };
  const own: Partial<LogFileSystem> = {
    create: (path) => note(base.create(path)),
    open: (path) => note(base.open(path)),
    close(file) {
      open.delete(file.fd);
      base.close(file);
    },
  };
  const fs = new Proxy(base, {
    get: (target, name: keyof LogFileSystem) => own[name] ?? target[name].bind(target),
  });
  const kill = () => {
    for (const file of open.values()) {
      try {
        realFileSystem.close(file);
      } catch (error) {
        if (errnoCode(error) !== 'EBADF') throw error; // a test closed it
      }
    }
    open.clear();
  };
  return { fs, kill };
}

export function options(template: string, more: Partial<WriterOptions> = {}): WriterOptions {
  return {
    template,
    protocols: [6],
    runId: RUN_ID,
    host: { hostname: 'gateway', bootId: '' },
    identity: 'test',
    recorder: 'test',
    live: true,
    ...more,
  };
}

/** What a start with these finds to continue, after recovery. */
export async function recoverFiles(
  template: string,
  protocols: readonly number[] | 'all' = [6],
  fs: LogFileSystem = realFileSystem,
  emit: (event: WriterEvent) => void = () => {},
): Promise<EarlierRecording | undefined> {
  const identity = identityOptions(template, options(template, { protocols, live: false }));
  return (await findEarlier(identity, fs, emit, systemClock)).earlier;
}

/** Events that a writer emits, and the text of those that are for the log. */
export class Events {
  readonly all: WriterEvent[] = [];
  readonly emit = (event: WriterEvent): void => {
    this.all.push(event);
  };
  logged(pattern: RegExp): string[] {
    return this.all.flatMap((event) =>
      event.type === 'log' && pattern.test(event.message) ? [event.message] : [],
    );
  }
  files(type: 'opened' | 'closed'): string[] {
    return this.all.flatMap((event) => (event.type === type ? [(event as { file: string }).file] : []));
  }
}

/** Memory, where the machine has it as a file system: for what runs thousands of times. */
export const fastFolder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Run with a directory that is gone afterwards. */
export async function inDirectory(run: (directory: string) => unknown, parent?: string): Promise<void> {
  await withFolder('writer', run, parent);
}

/** All names below a directory, sorted; not that of the recorder's small file about itself. */
export function namesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== IDENTITY_FILE)
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

/**
 * Every row of the files as block.row; block is the last byte of the client's address here. Damage is an
 * error.
 */
export async function rowsOf(...files: string[]): Promise<string[]> {
  return intactRowsOf(files, (file, damage) => {
    throw new Error(`${file}: ${damage.what}`);
  });
}

/** The same; damage is told and passed over. */
export async function intactRowsOf(
  files: readonly string[],
  tell: (file: string, damage: Damage) => void = () => {},
): Promise<string[]> {
  const rows: string[] = [];
  for (const file of files) {
    const source = await openLog(file);
    for await (const item of source.items()) {
      if (item.type === 'damage') tell(file, item.damage);
      if (item.type !== 'records') continue;
      const { batch } = item;
      for (let row = 0; row < batch.count; row++)
        rows.push(`${batch.addresses4.values[batch.origSrc[row]] - 0x0a000000}.${batch.origSrcPort[row]}`);
    }
    await source.close();
  }
  return rows;
}

/** The gap records of a file. */
export async function gapsOf(file: string): Promise<GapRecord[]> {
  const gaps: GapRecord[] = [];
  const source = await openLog(file);
  for await (const item of source.items()) if (item.type === 'gap') gaps.push(item.gap);
  await source.close();
  return gaps;
}

/** The rows of blocks `from` to `to`, as rowsOf says them. */
export function expectedRows(from: number, to: number, rows = 3): string[] {
  const all: string[] = [];
  for (let block = from; block <= to; block++)
    for (let row = 0; row < rows; row++) all.push(`${block}.${row}`);
  return all;
}

/** What -T says of the files when it finds something. */
export async function complaints(...files: string[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const report of testFiles(files)) if (!report.sound) lines.push(...report.lines);
  return lines;
}

/** The header block's JSON, read without the reader. */
export function metaOf(file: string): FileMeta {
  const text = readFileSync(file, 'latin1');
  const from = text.indexOf('{"recorder"');
  const bytes = readFileSync(file);
  const length = bytes.readUInt32LE(16 + 12);
  return JSON.parse(text.slice(from, from + length)) as FileMeta;
}

/** Tell the loop something other than a block. */
export function put(producer: RingProducer, message: number, timeUs = START_US): void {
  const { ring, index } = producer;
  ring.timesUs[index] = timeUs;
  ring.describe(index, 0, message);
  producer.publish(1);
}

/** Hand the loop a block as the parser does. */
export function putBlock(producer: RingProducer, sequence: number, rows = 3): void {
  const { bytes, blockBytes, filter } = eventBlock(sequence, rows);
  const { ring, index } = producer;
  ring.bytes.set(bytes.subarray(0, blockBytes + filter.length), ring.offsetOf(index));
  ring.describe(index, blockBytes + filter.length, BlockMessage.block);
  producer.publish(1);
}
