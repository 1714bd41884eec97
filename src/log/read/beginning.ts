/**
 * How a format 3 file begins: preamble and header block, strictly, or as far as damage has left something of
 * them.
 */

import type { ByteInput } from '../../base/disk/input.js';
import { DamageError, PayloadDamage } from '../../base/errors.js';
import type { FileMeta } from '../format/file-meta.js';
import {
  BLOCK_HEADER_BYTES,
  BlockType,
  FILE_MAGIC,
  FILE_PREAMBLE_BYTES,
  FORMAT_MAJOR,
} from '../format/format.js';
import {
  filePreamble,
  firstChain,
  follows,
  type ParsedFrame,
  parseFrame,
  payloadIsIntact,
  type ScannedBlock,
} from '../format/frame.js';
import { parseMeta } from '../format/json-blocks.js';
import { findHeader, scanBlocks } from './scan.js';
import type { Damage } from './source.js';

/** How far blocks are looked for in a file that does not begin like a log. */
const SEARCH_BYTES = 1024 * 1024;

export interface Preamble {
  readonly bytes: Uint8Array;
  readonly formatMajor: number;
  readonly formatMinor: number;
}

/**
 * The first 16 bytes; throws DamageError when they are not those of a format 3 file that this version reads.
 */
export async function readPreamble(input: ByteInput, file: string): Promise<Preamble> {
  const available = await input.need(FILE_PREAMBLE_BYTES);
  if (available === 0) throw new DamageError('empty', { file, offsetBytes: 0 }, 'the file is empty');
  const { buffer, start } = input;
  for (let i = 0; i < Math.min(available, FILE_MAGIC.length); i++)
    if (buffer[start + i] !== FILE_MAGIC[i])
      throw new DamageError('not-a-log', { file, offsetBytes: 0 }, 'not a ctrecorder log');
  if (available < FILE_PREAMBLE_BYTES)
    throw new DamageError(
      'truncated',
      { file, offsetBytes: available },
      `cut off after ${available} bytes, within the preamble`,
    );
  const preamble = parsePreamble(buffer.slice(start, start + FILE_PREAMBLE_BYTES));
  const { formatMajor, formatMinor } = preamble;
  if (formatMajor !== FORMAT_MAJOR)
    throw new DamageError(
      'unsupported-version',
      { file, offsetBytes: 8 },
      `file format ${formatMajor}.${formatMinor}; this version reads 2 and ${FORMAT_MAJOR}: use a newer ctrecorder`,
    );
  input.advance(FILE_PREAMBLE_BYTES);
  return preamble;
}

function parsePreamble(bytes: Uint8Array): Preamble {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { bytes, formatMajor: view.getUint16(8, true), formatMinor: view.getUint16(10, true) };
}

/** The header block: its facts, and either the block (its bytes are borrowed) or what is wrong with it. */
export interface HeaderBlock {
  readonly meta: Partial<FileMeta>;
  readonly damage?: Damage;
  readonly block?: ScannedBlock;
}

/**
 * The block behind the preamble. When it is damaged nothing of it is believed, and the input is left at the
 * block after it. DamageError when it is intact and holds something else than its type says.
 */
export async function readMeta(input: ByteInput, file: string): Promise<HeaderBlock> {
  const frame = await peekFrame(input);
  if (frame !== undefined && frame.type !== BlockType.header)
    return { meta: {}, damage: noHeader(input, 'the first block is not a header') };
  for await (const block of scanBlocks(input)) {
    if (block.type === 'damage') return { meta: {}, damage: block.damage };
    try {
      return { meta: parseMeta(block), block };
    } catch (error) {
      if (!(error instanceof PayloadDamage)) throw error;
      const { offsetBytes, bytes } = block;
      const what = `offset ${offsetBytes}: the header ${error.message}`;
      throw new DamageError('bad-header', { file, offsetBytes, lengthBytes: bytes.length }, what);
    }
  }
  return { meta: {}, damage: noHeader(input, 'ends before its header block') };
}

export interface Beginning {
  readonly preamble: Preamble;
  /** Facts of the header block; none when it is damaged. */
  readonly meta: Partial<FileMeta>;
  /** The header block, when it is whole; its bytes are borrowed. */
  readonly header: ScannedBlock | undefined;
  readonly damage: readonly Damage[];
}

/**
 * Preamble and header block. What is damaged of them costs no more than itself, and the input is left at the
 * block after them. Throws DamageError when this is not a file of format 3.
 */
export async function readBeginning(input: ByteInput, file: string): Promise<Beginning> {
  const damage: Damage[] = [];
  const preamble = await believedPreamble(input, file, damage);
  for (;;) {
    const { meta, block: header, damage: found } = await believedMeta(input, file);
    if (found !== undefined) damage.push(found);
    // What was skipped may have stood before the header block.
    const isNext = damage.length === 1 && (await peekFrame(input))?.type === BlockType.header;
    if (header !== undefined || !isNext) return { preamble, meta, header, damage };
  }
}

/** The preamble; or what it must have been, when it is damaged and blocks follow. */
async function believedPreamble(input: ByteInput, file: string, damage: Damage[]): Promise<Preamble> {
  try {
    return await readPreamble(input, file);
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    const preamble = parsePreamble(filePreamble());
    const available = await input.need(SEARCH_BYTES);
    const found = findHeader(input.buffer, input.start, input.start + available) - input.start;
    // Blocks of a later format may look the same: the hash of an intact header block speaks for the bytes
    // before it.
    const follows = found === FILE_PREAMBLE_BYTES ? await followsFrom(input, preamble) : undefined;
    if (found < 0 || !(follows ?? error.code === 'not-a-log')) throw error;
    if (found === FILE_PREAMBLE_BYTES) {
      const what = 'the first bytes of the file are damaged';
      damage.push({ code: 'bad-header', offsetBytes: 0, lengthBytes: found, what });
      input.advance(found);
    }
    return preamble;
  }
}

/**
 * Was this preamble before the header block that stands behind the first bytes? Undefined when that is not
 * whole or does not hold what it should.
 */
async function followsFrom(input: ByteInput, preamble: Preamble): Promise<boolean | undefined> {
  const frame = parseFrame(input.buffer, input.start + FILE_PREAMBLE_BYTES) as ParsedFrame;
  const length = frame.headerBytes + frame.storedBytes;
  if ((await input.need(FILE_PREAMBLE_BYTES + length)) < FILE_PREAMBLE_BYTES + length) return undefined;
  const offsetBytes = FILE_PREAMBLE_BYTES;
  const bytes = input.buffer.subarray(input.start + offsetBytes, input.start + offsetBytes + length);
  const payload = bytes.subarray(frame.headerBytes);
  if (frame.type !== BlockType.header || !payloadIsIntact(payload, frame)) return undefined;
  try {
    return follows(chainBefore(preamble, parseMeta({ frame, payload })), bytes, frame);
  } catch (error) {
    if (error instanceof PayloadDamage) return undefined;
    throw error;
  }
}

/** Chain value before the header block that holds `meta`. */
export function chainBefore(preamble: Preamble, { previous }: Partial<FileMeta>): Uint8Array {
  return firstChain(preamble.bytes, previous && Buffer.from(previous.chain, 'hex'));
}

/** As readMeta, but a header block that holds something else is damage like any other. */
async function believedMeta(input: ByteInput, file: string): Promise<HeaderBlock> {
  try {
    return await readMeta(input, file);
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    const { code, offsetBytes, lengthBytes } = error;
    return {
      meta: {},
      damage: { code, offsetBytes, lengthBytes, what: 'the header block is not valid' },
    };
  }
}

async function peekFrame(input: ByteInput): Promise<ParsedFrame | undefined> {
  if ((await input.need(BLOCK_HEADER_BYTES)) < BLOCK_HEADER_BYTES) return undefined;
  const frame = parseFrame(input.buffer, input.start);
  return typeof frame === 'string' ? undefined : frame;
}

function noHeader(input: ByteInput, what: string): Damage {
  return { code: 'bad-header', offsetBytes: input.offset, lengthBytes: 0, what };
}
