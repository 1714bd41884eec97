/** Format 3 as a LogSource. */
import { EventBatch } from '../conntrack/batch.js';
import { DamageError } from '../errors.js';
import { decodeRecords } from './decode.js';
import type { FileMeta } from './file-meta.js';
import {
  BLOCK_HEADER_BYTES,
  BlockCodec,
  BlockType,
  FILE_MAGIC,
  FILE_PREAMBLE_BYTES,
  FORMAT_MAJOR,
  isDataBlock,
  isRecordBlock,
  MAX_JSON_BYTES,
} from './format.js';
import { type ParsedFrame, parseFrame } from './frame.js';
import { headerLines } from './header-lines.js';
import type { ByteInput } from './input.js';
import { type ScannedBlock, scanBlocks } from './scan.js';
import type { Damage, GapRecord, LogHeader, LogItem, LogSource, Selection } from './source.js';

export interface Preamble {
  readonly bytes: Uint8Array;
  readonly formatMajor: number;
  readonly formatMinor: number;
}

/** The first 16 bytes; throws DamageError when they are not those of a format 3 file that this version reads. */
export async function readPreamble(input: ByteInput, file: string): Promise<Preamble> {
  const available = await input.need(FILE_PREAMBLE_BYTES);
  if (available === 0) throw new DamageError('empty', file, 0, `${file}: the file is empty`);
  const { buffer, start } = input;
  for (let i = 0; i < Math.min(available, FILE_MAGIC.length); i++)
    if (buffer[start + i] !== FILE_MAGIC[i])
      throw new DamageError('not-a-log', file, 0, `${file}: not a ctrecorder log`);
  if (available < FILE_PREAMBLE_BYTES)
    throw new DamageError(
      'truncated',
      file,
      available,
      `${file}: cut off after ${available} bytes, within the preamble`,
    );
  const bytes = buffer.slice(start, start + FILE_PREAMBLE_BYTES);
  const view = new DataView(bytes.buffer);
  const formatMajor = view.getUint16(8, true);
  const formatMinor = view.getUint16(10, true);
  if (formatMajor !== FORMAT_MAJOR)
    throw new DamageError(
      'unsupported-version',
      file,
      8,
      `${file}: file format ${formatMajor}.${formatMinor}; this version reads 2 and ${FORMAT_MAJOR}: use a newer ctrecorder`,
    );
  input.advance(FILE_PREAMBLE_BYTES);
  return { bytes, formatMajor, formatMinor };
}

/** The JSON of a header, gap, clock step, checkpoint or end block; throws DamageError when it is none. */
export function parseJson<T>(block: ScannedBlock, file: string): T {
  try {
    if (block.payload.length > MAX_JSON_BYTES || block.frame.codec !== BlockCodec.stored) throw new Error();
    const value: unknown = JSON.parse(Buffer.from(block.payload).toString('utf8'));
    if (typeof value !== 'object' || value === null) throw new Error();
    return value as T;
  } catch {
    throw new DamageError(
      'bad-payload',
      file,
      block.offsetBytes,
      `${file}: offset ${block.offsetBytes}: block ${block.frame.sequence} does not hold what its type says`,
      block.bytes.length,
    );
  }
}

class LogReader implements LogSource {
  closed = false;
  readonly #batch = new EventBatch();

  constructor(
    readonly header: LogHeader,
    readonly input: ByteInput,
    readonly live: boolean,
    /** Found where the header block should be. */
    readonly headerDamage: Damage | undefined,
  ) {}

  async *items(selection: Selection = {}): AsyncGenerator<LogItem, void, void> {
    if (this.headerDamage !== undefined) yield { type: 'damage', damage: this.headerDamage };
    const { fromUs = 0, toUs = Number.POSITIVE_INFINITY } = selection;
    const first = selection.openFirst ? this.input.again() : undefined;
    if (first !== undefined) yield* this.#openFirst(first);
    const wants = (frame: ParsedFrame) =>
      !isRecordBlock(frame.type) || (frame.maxTimeUs >= fromUs && frame.minTimeUs <= toUs);
    let sequence = 0;
    for await (const block of scanBlocks(this.input, { wants, live: this.live })) {
      if (block.type === 'damage') {
        yield block;
        continue;
      }
      const { frame } = block;
      if (frame.type === BlockType.end) this.closed = true;
      if (isDataBlock(frame.type)) {
        // A block written again after an error is known by its number: it appears once.
        if (frame.sequence <= sequence) continue;
        if (sequence !== 0 && frame.sequence !== sequence + 1) yield missingBlocks(block, sequence);
        sequence = frame.sequence;
      }
      if (!wants(frame)) continue;
      const item = this.#decode(block);
      if (item === undefined) continue;
      const isGiven = first !== undefined && item.type === 'records' && this.#isOpenAtStart(frame);
      if (!isGiven) yield item;
    }
    if (!this.closed && !this.live) yield { type: 'damage', damage: notClosed(this.input.offset) };
  }

  /** The snapshot of the beginning, which a checkpoint ends. Damage is reported when the file is read on. */
  async *#openFirst(input: ByteInput): AsyncGenerator<LogItem, void, void> {
    const wants = (frame: ParsedFrame) => this.#isOpenAtStart(frame);
    let sequence = 0;
    try {
      for await (const block of scanBlocks(input, { wants, live: this.live })) {
        if (block.type === 'damage' || !wants(block.frame) || block.frame.sequence <= sequence) continue;
        if (block.frame.type === BlockType.checkpoint) {
          if (isSnapshotEnd(block)) return;
          continue;
        }
        sequence = block.frame.sequence;
        const item = this.#decode(block);
        if (item?.type === 'records') yield item;
      }
    } finally {
      await input.close();
    }
  }

  /** Rows of that snapshot, or the checkpoint behind it: no other rows are of that very microsecond. */
  #isOpenAtStart({ type, minTimeUs, maxTimeUs }: ParsedFrame): boolean {
    const { startUs } = this.header;
    const isOfTable = type === BlockType.snapshot || type === BlockType.checkpoint;
    return isOfTable && minTimeUs === startUs && maxTimeUs === startUs;
  }

  #decode(block: ScannedBlock): LogItem | undefined {
    const { frame } = block;
    try {
      if (isRecordBlock(frame.type)) {
        if (frame.codec !== BlockCodec.sections) return unreadable(block, `uses codec ${frame.codec}`);
        decodeRecords(block.payload, frame.count, frame.minTimeUs, this.#batch);
        return { type: 'records', batch: this.#batch };
      }
      if (frame.type === BlockType.gap)
        return { type: 'gap', gap: parseJson<GapRecord>(block, this.header.file) };
      if (frame.type === BlockType.clockStep)
        return {
          type: 'clock-step',
          ...parseJson<{ atUs: number; stepUs: number }>(block, this.header.file),
        };
      return undefined;
    } catch (error) {
      if (error instanceof DamageError) return unreadable(block, error.message);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.input.close();
  }
}

/** The checkpoint that says that all has been written. */
function isSnapshotEnd({ payload }: ScannedBlock): boolean {
  return Buffer.from(payload).includes('"snapshot":');
}

/** Every file that got its final name has an end block. */
export function notClosed(offsetBytes: number): Damage {
  const what = 'ends without an end block: cut off, or never closed';
  return { code: 'truncated', offsetBytes, lengthBytes: 0, what };
}

function unreadable(block: ScannedBlock, what: string): LogItem {
  const { offsetBytes, bytes } = block;
  return { type: 'damage', damage: { code: 'bad-payload', offsetBytes, lengthBytes: bytes.length, what } };
}

function missingBlocks(block: ScannedBlock, sequence: number): LogItem {
  const missing = block.frame.sequence - sequence - 1;
  const what = `${missing} block${missing === 1 ? '' : 's'} missing before block ${block.frame.sequence}`;
  return {
    type: 'damage',
    damage: { code: 'bad-sequence', offsetBytes: block.offsetBytes, lengthBytes: 0, what },
  };
}

/** Read preamble and header block. The source closes the input. A damaged header block costs the header's facts, not the records. */
export async function openFormat3(input: ByteInput, file: string, live: boolean): Promise<LogSource> {
  const preamble = await readPreamble(input, file);
  const { meta, damage } = await readMeta(input, file);
  const header: LogHeader = {
    file,
    formatMajor: preamble.formatMajor,
    formatMinor: preamble.formatMinor,
    squeezed: meta.squeezed === true,
    protocols: meta.protocols ?? 'all',
    hostname: meta.hostname ?? '',
    startUs: meta.openedUs ?? 0,
    minutesWest: meta.minutesWest ?? 0,
    dst: meta.dst ?? 0,
    utcOffsetSeconds: meta.utcOffsetSeconds ?? 0,
    lines: headerLines(preamble, meta),
  };
  return new LogReader(header, input, live, damage);
}

/**
 * The header block's JSON. When it is damaged nothing of it is believed, and the damage is answered to be reported; the block
 * after it is left for `items`.
 */
export async function readMeta(
  input: ByteInput,
  file: string,
): Promise<{ meta: Partial<FileMeta>; damage?: Damage; block?: ScannedBlock }> {
  const available = await input.need(BLOCK_HEADER_BYTES);
  const frame = available < BLOCK_HEADER_BYTES ? undefined : parseFrame(input.buffer, input.start);
  if (typeof frame === 'object' && frame.type !== BlockType.header)
    return { meta: {}, damage: noHeader(input, 'the first block is no header') };
  for await (const block of scanBlocks(input)) {
    if (block.type === 'damage') return { meta: {}, damage: block.damage };
    return { meta: parseJson<FileMeta>(block, file), block };
  }
  return { meta: {}, damage: noHeader(input, 'ends before its header block') };
}

function noHeader(input: ByteInput, what: string): Damage {
  return { code: 'bad-header', offsetBytes: input.offset, lengthBytes: 0, what };
}
