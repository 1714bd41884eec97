/**
 * Block by block through a format 3 file: what is whole is given, what is not is named and skipped. After damage the scan goes on
 * at the next marker whose header CRC fits.
 */
import type { DamageCode } from '../errors.js';
import { BLOCK_HEADER_BYTES } from './format.js';
import { hasMarker, type ParsedFrame, parseFrame, payloadIsIntact } from './frame.js';
import type { ByteInput } from './input.js';
import type { Damage } from './source.js';

export interface ScannedBlock {
  readonly type: 'block';
  readonly frame: ParsedFrame;
  readonly offsetBytes: number;
  /** Header and payload; borrowed until the next block is asked for. Empty payload when it was not wanted. */
  readonly bytes: Uint8Array;
  readonly payload: Uint8Array;
}

export interface ScanOptions {
  /** Blocks whose payload the caller does not want are passed over unread and unchecked. */
  readonly wants?: (frame: ParsedFrame) => boolean;
  /** The file is still being written: a tail that is not whole yet is not damage. */
  readonly live?: boolean;
}

/** Everything from the input's position to its end. */
export async function* scanBlocks(
  input: ByteInput,
  options: ScanOptions = {},
): AsyncGenerator<ScannedBlock | { readonly type: 'damage'; readonly damage: Damage }, void, void> {
  for (;;) {
    const offsetBytes = input.offset;
    // Awaiting what is at hand would cost small blocks more than reading them.
    let available = input.end - input.start;
    if (available < BLOCK_HEADER_BYTES) available = await input.need(BLOCK_HEADER_BYTES);
    if (available === 0) return;
    if (available < BLOCK_HEADER_BYTES) {
      if (!options.live) yield damage('truncated', offsetBytes, available, `ends within a block header`);
      return;
    }
    const frame = parseFrame(input.buffer, input.start);
    if (typeof frame === 'string') {
      const skipped = await skipToMarker(input);
      if (options.live && (await input.need(1)) === 0) return;
      const [code, what] = frameFault(frame);
      yield damage(code, offsetBytes, skipped, what);
      continue;
    }
    const length = frame.headerBytes + frame.storedBytes;
    if (input.end - input.start < length && (await input.need(length)) < length) {
      const left = input.end - input.start;
      if (!options.live)
        yield damage('truncated', offsetBytes, left, `ends within a block of ${length} bytes`);
      return;
    }
    const bytes = input.buffer.subarray(input.start, input.start + length);
    input.advance(length);
    if (options.wants !== undefined && !options.wants(frame)) {
      yield { type: 'block', frame, offsetBytes, bytes, payload: bytes.subarray(length) };
      continue;
    }
    const payload = bytes.subarray(frame.headerBytes);
    if (payloadIsIntact(payload, frame)) yield { type: 'block', frame, offsetBytes, bytes, payload };
    else
      yield damage(
        'bad-payload-crc',
        offsetBytes,
        length,
        `block ${frame.sequence} has a wrong payload checksum`,
      );
  }
}

/** Move to the next place where a whole header stands, or to the end; answers the bytes passed over. */
async function skipToMarker(input: ByteInput): Promise<number> {
  const from = input.offset;
  for (;;) {
    input.advance(1);
    if (
      input.end - input.start < BLOCK_HEADER_BYTES &&
      (await input.need(BLOCK_HEADER_BYTES)) < BLOCK_HEADER_BYTES
    ) {
      input.advance(input.end - input.start);
      return input.offset - from;
    }
    if (hasMarker(input.buffer, input.start) && typeof parseFrame(input.buffer, input.start) !== 'string')
      return input.offset - from;
  }
}

function frameFault(fault: 'no-marker' | 'bad-crc' | 'bad-length'): [DamageCode, string] {
  switch (fault) {
    case 'no-marker':
      return ['garbage', 'no block starts here'];
    case 'bad-crc':
      return ['bad-header-crc', 'a block header has a wrong checksum'];
    case 'bad-length':
      return ['bad-header', 'a block header says an impossible length'];
  }
}

function damage(code: DamageCode, offsetBytes: number, lengthBytes: number, what: string) {
  return { type: 'damage', damage: { code, offsetBytes, lengthBytes, what } } as const;
}
