/**
 * Block by block through a format 3 file: what is whole is given, what is not is named and skipped. After
 * damage the scan goes on at the next place where a block header with a correct CRC stands, even inside what
 * a damaged block claimed for itself: bytes may be missing from that one.
 */

import type { ByteInput } from '../../base/disk/input.js';
import type { DamageCode } from '../../base/errors.js';
import { BLOCK_HEADER_BYTES, BLOCK_MARKER } from '../format/format.js';
import {
  blockName,
  type ParsedFrame,
  parseFrame,
  payloadIsIntact,
  type ScannedBlock,
} from '../format/frame.js';
import type { Damage } from './source.js';

export interface ScannedDamage {
  readonly type: 'damage';
  readonly damage: Damage;
  /** What the damaged block says of itself, when its header is whole. */
  readonly frame?: ParsedFrame;
}

export interface ScanOptions {
  /** Blocks whose payload the caller does not want are passed over unread and unchecked. */
  readonly wants?: (frame: ParsedFrame) => boolean;
  /** The file is still being written: a tail that is not whole yet is not damage. */
  readonly live?: boolean;
}

type Fault = 'no-marker' | 'bad-crc' | 'bad-value' | 'bad-payload' | 'cut-header' | 'cut';

/** Everything from the input's position to its end. */
export async function* scanBlocks(
  input: ByteInput,
  options: ScanOptions = {},
): AsyncGenerator<ScannedBlock | ScannedDamage, void, void> {
  for (;;) {
    const offsetBytes = input.offset;
    // Awaiting what is at hand would cost small blocks more than reading them.
    let available = input.end - input.start;
    if (available < BLOCK_HEADER_BYTES) available = await input.need(BLOCK_HEADER_BYTES);
    if (available === 0) return;
    const header = available < BLOCK_HEADER_BYTES ? 'cut-header' : parseFrame(input.buffer, input.start);
    const frame = typeof header === 'string' ? undefined : header;
    let fault: Fault | undefined;
    if (typeof header === 'string') fault = header;
    else {
      const isWanted = options.wants?.(header) ?? true;
      fault = await payloadFault(input, header, isWanted);
      if (fault === undefined) {
        yield take(input, header, isWanted);
        continue;
      }
    }
    const lengthBytes = await skipToHeader(input);
    const isAtEnd = (await input.need(1)) === 0;
    if (isAtEnd && options.live) return;
    const [code, what] = describe(fault, frame, isAtEnd);
    const damage = { code, offsetBytes, lengthBytes, what };
    yield { type: 'damage', damage, ...(frame !== undefined && { frame }) };
  }
}

/** The block at the input's position, which is at hand; moves on behind it. */
function take(input: ByteInput, frame: ParsedFrame, isWanted: boolean): ScannedBlock {
  const { buffer, start, offset: offsetBytes } = input;
  const length = frame.headerBytes + frame.storedBytes;
  const bytes = buffer.subarray(start, start + length);
  input.advance(length);
  return {
    type: 'block',
    frame,
    offsetBytes,
    bytes,
    payload: bytes.subarray(isWanted ? frame.headerBytes : length),
  };
}

/** Have the block at the input's position at hand; answers what is wrong behind its header. */
async function payloadFault(
  input: ByteInput,
  frame: ParsedFrame,
  isWanted: boolean,
): Promise<Fault | undefined> {
  const length = frame.headerBytes + frame.storedBytes;
  const available = await input.need(length + (isWanted ? 0 : BLOCK_HEADER_BYTES));
  if (available < length) return 'cut';
  // An unread block must lead to the next header, or to the end: else bytes are missing from it, and others
  // begin inside it.
  const next = input.start + length;
  if (!isWanted && (available < length + BLOCK_HEADER_BYTES || isHeader(input.buffer, next)))
    return undefined;
  const payload = input.buffer.subarray(input.start + frame.headerBytes, next);
  return payloadIsIntact(payload, frame) ? undefined : 'bad-payload';
}

function isHeader(bytes: Uint8Array, offset: number): boolean {
  return typeof parseFrame(bytes, offset) !== 'string';
}

/** Move on to the next place where a whole header stands, or to the end; answers the bytes passed over. */
async function skipToHeader(input: ByteInput): Promise<number> {
  const from = input.offset;
  input.advance(1);
  for (;;) {
    const available = await input.need(BLOCK_HEADER_BYTES);
    const found = findHeader(input.buffer, input.start, input.start + available);
    const isLast = available < BLOCK_HEADER_BYTES;
    // The last bytes may be the beginning of a header.
    input.advance(found >= 0 ? found - input.start : isLast ? available : available - BLOCK_HEADER_BYTES + 1);
    if (found >= 0 || isLast) return input.offset - from;
  }
}

/** Where the first whole header in the bytes [from, to) stands, -1 when none does. */
export function findHeader(bytes: Uint8Array, from: number, to: number): number {
  const searched = Buffer.from(bytes.buffer, bytes.byteOffset, to);
  for (let at = from; ; at++) {
    at = searched.indexOf(BLOCK_MARKER, at);
    if (at < 0 || at + BLOCK_HEADER_BYTES > to) return -1;
    if (isHeader(bytes, at)) return at;
  }
}

function describe(fault: Fault, frame: ParsedFrame | undefined, isAtEnd: boolean): [DamageCode, string] {
  const name = frame === undefined ? '' : blockName(frame);
  switch (fault) {
    case 'no-marker':
      return ['garbage', 'no block starts here'];
    case 'bad-crc':
      return ['bad-header-crc', "a block header's checksum is wrong"];
    case 'bad-value':
      return ['bad-header', 'a block header holds an impossible number'];
    case 'bad-payload':
      return ['bad-payload-crc', `${name}: the payload's checksum is wrong`];
    case 'cut-header':
      return ['truncated', 'ends within a block header'];
    case 'cut':
      return isAtEnd
        ? ['truncated', `ends within a block of ${frame!.headerBytes + frame!.storedBytes} bytes`]
        : ['bad-payload-crc', `bytes are missing from ${name}: another block begins within it`];
  }
}
