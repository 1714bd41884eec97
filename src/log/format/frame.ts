/**
 * The frame around every block: header, CRCs and the hash chain. `stampFrame` runs on the writer thread once
 * per block; `parseFrame` trusts nothing it reads.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MARKER,
  BlockField,
  BlockType,
  CHAIN_BYTES,
  FILE_MAGIC,
  FILE_PREAMBLE_BYTES,
  FORMAT_MAJOR,
  FORMAT_MINOR,
  MAX_PAYLOAD_BYTES,
} from './format.js';

/**
 * A block header without the parts that depend on the file it stands in (chain, CRCs). Times in microseconds.
 */
export interface BlockFields {
  type: BlockType;
  codec: number;
  storedBytes: number;
  rawBytes: number;
  count: number;
  runId: bigint;
  sequence: number;
  minTimeUs: number;
  maxTimeUs: number;
}

export interface ParsedFrame extends Omit<BlockFields, 'type'> {
  /** May be a type that this version does not know. */
  type: number;
  headerBytes: number;
  payloadCrc: number;
  chain: Uint8Array;
}

/** The 16 bytes before the first block. */
export function filePreamble(): Uint8Array {
  const bytes = new Uint8Array(FILE_PREAMBLE_BYTES);
  bytes.set(FILE_MAGIC);
  const view = new DataView(bytes.buffer);
  view.setUint16(8, FORMAT_MAJOR, true);
  view.setUint16(10, FORMAT_MINOR, true);
  return bytes;
}

/**
 * Chain value before a file's first block: the preamble and the predecessor's last hash (32 zero bytes when
 * there is none).
 */
export function firstChain(preamble: Uint8Array, previousChain?: Uint8Array): Uint8Array {
  return createHash('sha256')
    .update(preamble)
    .update(previousChain ?? new Uint8Array(CHAIN_BYTES))
    .digest();
}

/**
 * Chain value of a block: everything in its header before the chain field, and its payload, on top of the
 * chain so far.
 */
function nextChain(
  previous: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  headerBytes: number,
  storedBytes: number,
): Uint8Array {
  return createHash('sha256')
    .update(previous)
    .update(bytes.subarray(offset, offset + BlockField.chain))
    .update(bytes.subarray(offset + headerBytes, offset + headerBytes + storedBytes))
    .digest();
}

/** What messages call a block; header, index and end block have no number of their own. */
export function blockName({ type, sequence }: ParsedFrame): string {
  if (type === BlockType.header) return 'the header block';
  if (type === BlockType.index) return `the index block after block ${sequence}`;
  return type === BlockType.end ? 'the end block' : `block ${sequence}`;
}

/** Does the block that begins with `bytes` say with its hash that `previous` was the chain before it? */
export function follows(previous: Uint8Array, bytes: Uint8Array, frame: ParsedFrame): boolean {
  const expected = nextChain(previous, bytes, 0, frame.headerBytes, frame.storedBytes);
  return Buffer.compare(expected, frame.chain) === 0;
}

/**
 * Write the fields of a header whose payload follows at `offset + BLOCK_HEADER_BYTES`; chain and CRCs come
 * with `stampFrame`.
 */
export function writeFields(bytes: Uint8Array, offset: number, fields: BlockFields): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_HEADER_BYTES);
  bytes.set(BLOCK_MARKER, offset);
  view.setUint16(BlockField.headerBytes, BLOCK_HEADER_BYTES, true);
  view.setUint8(BlockField.type, fields.type);
  view.setUint8(BlockField.codec, fields.codec);
  view.setUint32(BlockField.storedBytes, fields.storedBytes, true);
  view.setUint32(BlockField.rawBytes, fields.rawBytes, true);
  view.setUint32(BlockField.count, fields.count, true);
  view.setBigUint64(BlockField.runId, fields.runId, true);
  view.setBigUint64(BlockField.sequence, BigInt(fields.sequence), true);
  view.setBigUint64(BlockField.minTimeUs, BigInt(fields.minTimeUs), true);
  view.setBigUint64(BlockField.maxTimeUs, BigInt(fields.maxTimeUs), true);
}

export function sequenceOf(bytes: Uint8Array, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_HEADER_BYTES);
  return Number(view.getBigUint64(BlockField.sequence, true));
}

/** Number the unstamped block at `offset`. */
export function numberFrame(bytes: Uint8Array, offset: number, sequence: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_HEADER_BYTES);
  view.setBigUint64(BlockField.sequence, BigInt(sequence), true);
}

/**
 * Complete the header at `offset` for the place in the chain it is written to; answers the chain after it.
 */
export function stampFrame(bytes: Uint8Array, offset: number, previousChain: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_HEADER_BYTES);
  const storedBytes = view.getUint32(BlockField.storedBytes, true);
  const payloadAt = offset + BLOCK_HEADER_BYTES;
  view.setUint32(BlockField.payloadCrc, crc32(bytes.subarray(payloadAt, payloadAt + storedBytes)), true);
  const chain = nextChain(previousChain, bytes, offset, BLOCK_HEADER_BYTES, storedBytes);
  bytes.set(chain, offset + BlockField.chain);
  view.setUint32(BlockField.headerCrc, crc32(bytes.subarray(offset, offset + BlockField.headerCrc)), true);
  return chain;
}

/** True when a marker stands at `offset`. */
function hasMarker(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < BLOCK_MARKER.length; i++) if (bytes[offset + i] !== BLOCK_MARKER[i]) return false;
  return true;
}

/**
 * The header at `offset`, or why it cannot be one. Needs BLOCK_HEADER_BYTES readable bytes. A header whose
 * CRC fits has sane numbers unless its writer was hostile; both are checked.
 */
export function parseFrame(
  bytes: Uint8Array,
  offset: number,
): ParsedFrame | 'no-marker' | 'bad-crc' | 'bad-value' {
  if (!hasMarker(bytes, offset)) return 'no-marker';
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_HEADER_BYTES);
  if (
    crc32(bytes.subarray(offset, offset + BlockField.headerCrc)) !==
    view.getUint32(BlockField.headerCrc, true)
  )
    return 'bad-crc';
  const frame: ParsedFrame = {
    type: view.getUint8(BlockField.type),
    codec: view.getUint8(BlockField.codec),
    headerBytes: view.getUint16(BlockField.headerBytes, true),
    storedBytes: view.getUint32(BlockField.storedBytes, true),
    rawBytes: view.getUint32(BlockField.rawBytes, true),
    count: view.getUint32(BlockField.count, true),
    runId: view.getBigUint64(BlockField.runId, true),
    sequence: Number(view.getBigUint64(BlockField.sequence, true)),
    minTimeUs: Number(view.getBigUint64(BlockField.minTimeUs, true)),
    maxTimeUs: Number(view.getBigUint64(BlockField.maxTimeUs, true)),
    payloadCrc: view.getUint32(BlockField.payloadCrc, true),
    chain: bytes.slice(offset + BlockField.chain, offset + BlockField.chain + CHAIN_BYTES),
  };
  if (
    frame.headerBytes < BLOCK_HEADER_BYTES ||
    frame.storedBytes > MAX_PAYLOAD_BYTES ||
    frame.rawBytes > MAX_PAYLOAD_BYTES ||
    // Beyond this a double is not exact, and no time is one that can be printed.
    Math.max(frame.sequence, frame.minTimeUs, frame.maxTimeUs) > Number.MAX_SAFE_INTEGER
  )
    return 'bad-value';
  return frame;
}

export function payloadIsIntact(payload: Uint8Array, frame: ParsedFrame): boolean {
  return crc32(payload) === frame.payloadCrc;
}

export interface ScannedBlock {
  readonly type: 'block';
  readonly frame: ParsedFrame;
  readonly offsetBytes: number;
  /** Header and payload; borrowed until the next block is asked for. Empty payload when it was not wanted. */
  readonly bytes: Uint8Array;
  readonly payload: Uint8Array;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
