/** What a file of a world holds, read by the plainest code: no reader of the program's own but the codecs. */
import { createHash } from 'node:crypto';
import { EventBatch } from '../../src/event/batch.js';
import type { GapRecord } from '../../src/event/gap.js';
import { decodeBlock } from '../../src/log/format/decode-rows.js';
import type { FileMeta } from '../../src/log/format/file-meta.js';
import { BlockType, FILE_PREAMBLE_BYTES, isRecordBlock } from '../../src/log/format/format.js';
import { type ParsedFrame, parseFrame, payloadIsIntact } from '../../src/log/format/frame.js';
import type { RemovedFile, RetentionNote } from '../../src/log/format/retention-note.js';
import type { Inode } from './inode.js';
import { numberOf } from './traffic.js';

export interface Contents {
  readonly meta: FileMeta;
  /** In file order. */
  readonly numbers: readonly number[];
  readonly gaps: readonly GapRecord[];
  readonly removed: readonly RemovedFile[];
  /** Hashes after each block, hex, by the offset behind it. */
  readonly chains: ReadonlyMap<number, string>;
  readonly lastChain: string;
  readonly isClosed: boolean;
  /** The chain from block to block is whole, and whole blocks reach to the end of the file. */
  readonly isSound: boolean;
  /** Wall times of rows, smallest and largest; 0 without any. */
  readonly firstUs: number;
  readonly lastUs: number;
}

const batch = new EventBatch();

/** Undefined when the file has no header that can be read. */
export function contentsOf(inode: Inode): Contents | undefined {
  const bytes = inode.data.subarray(0, inode.bytes);
  let meta: FileMeta | undefined;
  const numbers: number[] = [];
  const gaps: GapRecord[] = [];
  const removed: RemovedFile[] = [];
  const chains = new Map<number, string>();
  let lastChain = '';
  let isClosed = false;
  let firstUs = 0;
  let lastUs = 0;
  let at = FILE_PREAMBLE_BYTES;
  for (let frame = frameAt(bytes, at); frame !== undefined; frame = frameAt(bytes, at)) {
    const payload = bytes.subarray(at + frame.headerBytes, at + frame.headerBytes + frame.storedBytes);
    if (frame.type === BlockType.header) meta = json(payload) as FileMeta;
    else if (frame.type === BlockType.gap) gaps.push(json(payload) as GapRecord);
    else if (frame.type === BlockType.end) isClosed = true;
    else if (frame.type === BlockType.checkpoint)
      removed.push(...((json(payload) as Partial<RetentionNote>).retention?.removed ?? []));
    else if (isRecordBlock(frame.type)) {
      decodeBlock({ frame, payload } as Parameters<typeof decodeBlock>[0], batch);
      for (let row = 0; row < batch.count; row++) numbers.push(numberOf(batch, row));
      firstUs = firstUs === 0 ? frame.minTimeUs : Math.min(firstUs, frame.minTimeUs);
      lastUs = Math.max(lastUs, frame.maxTimeUs);
    }
    at += frame.headerBytes + frame.storedBytes;
    lastChain = Buffer.from(frame.chain).toString('hex');
    chains.set(at, lastChain);
  }
  if (meta === undefined) return undefined;
  const isSound = at === bytes.length;
  return { meta, numbers, gaps, removed, chains, lastChain, isClosed, isSound, firstUs, lastUs };
}

export function digestOf(inode: Inode): string {
  return createHash('sha256').update(inode.data.subarray(0, inode.bytes)).digest('hex');
}

function frameAt(bytes: Uint8Array, at: number): ParsedFrame | undefined {
  if (at + 96 > bytes.length) return undefined;
  const frame = parseFrame(bytes, at);
  if (typeof frame !== 'object' || at + frame.headerBytes + frame.storedBytes > bytes.length)
    return undefined;
  const payload = bytes.subarray(at + frame.headerBytes, at + frame.headerBytes + frame.storedBytes);
  return payloadIsIntact(payload, frame) ? frame : undefined;
}

function json(payload: Uint8Array): unknown {
  return JSON.parse(Buffer.from(payload).toString('utf8'));
}
