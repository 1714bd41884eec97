/** A small log file in pieces, ways to damage it, and what must be left of it. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { DamageError } from '../../../src/base/errors.js';
import { EventBatch, RecordKind } from '../../../src/event/batch.js';
import type { GapRecord } from '../../../src/event/gap.js';
import type { FileMeta } from '../../../src/log/format/file-meta.js';
import { BLOCK_HEADER_BYTES, BlockField, FILE_PREAMBLE_BYTES } from '../../../src/log/format/format.js';
import { stampFrame } from '../../../src/log/format/frame.js';
import { openLog } from '../../../src/log/read/open.js';
import type { Damage } from '../../../src/log/read/source.js';
import { LogFileWriter } from '../../../src/log/write/whole-file.js';
import { fillBatch, meta, START_US } from '../../record/writer/writer-helper.js';

const ROWS = 4;
/** Data blocks of the file: this one is a gap, the others are records. */
export const GAP_BLOCK = 3;
export const DATA_BLOCKS = [1, 2, 3, 4, 5];

export interface Piece {
  /** A data block's number; 0 for preamble, header, index and end. */
  readonly block: number;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A file and the data blocks that are whole in it, in file order. */
export interface Variant {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly intact: readonly number[];
}

/** Write the file that the tests damage: snapshot, events, a gap, events, events. */
export function writeSound(path: string, fileMeta: FileMeta = meta): Uint8Array {
  const writer = LogFileWriter.create(path, fileMeta);
  const batch = new EventBatch(ROWS);
  for (const block of DATA_BLOCKS) {
    if (block === GAP_BLOCK) {
      const fromUs = START_US + block * 1e6;
      writer.appendGap({
        fromUs,
        toUs: fromUs + 5,
        lost: 7,
        certainty: 'exact',
        cause: 'socket buffer full',
      });
      continue;
    }
    fillBatch(batch, block, ROWS);
    if (block === 1) batch.kind.fill(RecordKind.snapshot);
    writer.append(batch);
  }
  writer.close();
  return new Uint8Array(readFileSync(path));
}

export function piecesOf(file: Uint8Array): Piece[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const pieces: Piece[] = [{ block: 0, name: 'preamble', bytes: file.subarray(0, FILE_PREAMBLE_BYTES) }];
  for (let at = FILE_PREAMBLE_BYTES; at < file.length; ) {
    const to = at + BLOCK_HEADER_BYTES + view.getUint32(at + 12, true);
    const type = view.getUint8(at + 10);
    const name = { 1: 'header', 7: 'index', 8: 'end' }[type];
    const block = name === undefined ? Number(view.getBigUint64(at + 32, true)) : 0;
    pieces.push({ block, name: name ?? `block ${block}`, bytes: file.subarray(at, to) });
    at = to;
  }
  return pieces;
}

/** A block with this payload, and with all checksums right but the chain. */
export function forged({ bytes, ...piece }: Piece, payload: Uint8Array): Piece {
  const block = new Uint8Array(BLOCK_HEADER_BYTES + payload.length);
  block.set(bytes.subarray(0, BLOCK_HEADER_BYTES));
  block.set(payload, BLOCK_HEADER_BYTES);
  new DataView(block.buffer).setUint32(BlockField.storedBytes, payload.length, true);
  stampFrame(block, 0, new Uint8Array(32));
  return { ...piece, bytes: block };
}

/** The file as pieces put together, each of them whole. */
export function assembled(what: string, pieces: readonly Piece[]): Variant {
  const numbers = pieces.map(({ block }) => block).filter((block) => block > 0);
  return { what, bytes: Buffer.concat(pieces.map(({ bytes }) => bytes)), intact: [...new Set(numbers)] };
}

/** The file with `[from, to)` changed by `change`: blocks that it touches are not whole any more. */
export function overwritten(
  what: string,
  pieces: readonly Piece[],
  from: number,
  to: number,
  change: (bytes: Uint8Array) => void,
): Variant {
  const bytes = Buffer.concat(pieces.map((piece) => piece.bytes));
  change(bytes.subarray(from, to));
  return { what, bytes, intact: untouched(pieces, from, to) };
}

/** The file without the bytes [from, to). */
export function without(what: string, pieces: readonly Piece[], from: number, to: number): Variant {
  const bytes = Buffer.concat(pieces.map((piece) => piece.bytes));
  return {
    what,
    bytes: Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]),
    intact: untouched(pieces, from, to),
  };
}

function untouched(pieces: readonly Piece[], from: number, to: number): number[] {
  let at = 0;
  const intact: number[] = [];
  for (const { block, bytes } of pieces) {
    if (block > 0 && (at + bytes.length <= from || at >= to)) intact.push(block);
    at += bytes.length;
  }
  return intact;
}

/** Any heap of these pieces, whole, broken or cut, and of garbage. */
export function heapOf(pieces: readonly Piece[]): fc.Arbitrary<Piece[]> {
  const whole = fc.constantFrom(...pieces);
  const broken = fc
    .tuple(whole, fc.nat(), fc.integer({ min: 1, max: 255 }))
    .map(([{ bytes }, at, bits]): Piece => {
      const changed = bytes.slice();
      changed[at % bytes.length] ^= bits;
      return { block: 0, name: 'broken', bytes: changed };
    });
  const cut = fc.tuple(whole, fc.nat()).map(([{ bytes }, length]): Piece => {
    return { block: 0, name: 'cut', bytes: bytes.subarray(0, length % bytes.length) };
  });
  const garbage = fc
    .uint8Array({ maxLength: 300 })
    .map((bytes): Piece => ({ block: 0, name: 'garbage', bytes }));
  return fc.array(fc.oneof({ weight: 3, arbitrary: whole }, broken, cut, garbage), { maxLength: 20 });
}

export interface Reading {
  /** `block.row` of every row, `gap` for the gap that was recorded. */
  readonly rows: string[];
  readonly gaps: GapRecord[];
  readonly damage: Damage[];
  /** Why nothing could be read. */
  readonly failure?: DamageError;
}

/** What the reader gives of a file. */
export async function readLog(path: string): Promise<Reading> {
  const rows: string[] = [];
  const gaps: GapRecord[] = [];
  const damage: Damage[] = [];
  try {
    const source = await openLog(path);
    try {
      for await (const item of source.items()) {
        if (item.type === 'damage') damage.push(item.damage);
        else if (item.type === 'gap') {
          if (item.gap.certainty === 'exact') rows.push('gap');
          gaps.push(item.gap);
        } else if (item.type === 'records') {
          const { batch } = item;
          for (let row = 0; row < batch.count; row++)
            rows.push(
              `${batch.addresses4.values[batch.origSrc[row]] - 0x0a000000}.${batch.origSrcPort[row]}`,
            );
        }
      }
    } finally {
      await source.close();
    }
  } catch (failure) {
    if (!(failure instanceof DamageError)) throw failure;
    return { rows, gaps, damage, failure };
  }
  return { rows, gaps, damage };
}

/** What readLog must answer when these blocks are whole. */
export function rowsOfBlocks(blocks: readonly number[]): string[] {
  return blocks.flatMap((block) =>
    block === GAP_BLOCK ? ['gap'] : Array.from({ length: ROWS }, (_, row) => `${block}.${row}`),
  );
}
