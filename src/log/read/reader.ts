/** Format 3 as a LogSource. */

import type { ByteInput } from '../../base/disk/input.js';
import { PayloadDamage } from '../../base/errors.js';
import { EventBatch } from '../../event/batch.js';
import { decodeBlock } from '../format/decode-rows.js';
import { BlockType, isRecordBlock } from '../format/format.js';
import { follows, type ParsedFrame, type ScannedBlock } from '../format/frame.js';
import { parseClockStep, parseGap, parseJson } from '../format/json-blocks.js';
import { type Beginning, readBeginning } from './beginning.js';
import { BlockOrder } from './block-order.js';
import { headerLines } from './header-lines.js';
import { type ScannedDamage, scanBlocks } from './scan.js';
import type { Damage, LogHeader, LogItem, LogSource, Selection } from './source.js';

export class LogReader implements LogSource {
  closed = false;
  readonly #batch = new EventBatch();

  constructor(
    readonly header: LogHeader,
    readonly input: ByteInput,
    readonly live: boolean,
    readonly beginning: Beginning,
  ) {}

  async *items(selection: Selection = {}): AsyncGenerator<LogItem, void, void> {
    const first = selection.openFirst ? this.input.again() : undefined;
    if (first !== undefined) yield* this.#openFirst(first);
    for await (const block of this.blocks()) {
      if (block.type === 'damage') yield block;
      else {
        const item = this.#decode(block);
        if (item === undefined) continue;
        const isGiven = first !== undefined && item.type === 'records' && this.#isOpenAtStart(block.frame);
        if (!isGiven) yield item;
      }
    }
  }

  /**
   * Every intact block once, in file order, and where something is damaged, missing, doubled or misplaced.
   */
  async *blocks(): AsyncGenerator<ScannedBlock | ScannedDamage, void, void> {
    const { header, damage } = this.beginning;
    for (const found of damage) yield { type: 'damage', damage: found };
    const order = new BlockOrder();
    if (header !== undefined) order.place(header.frame);
    let isFirst = header !== undefined;
    for await (const block of scanBlocks(this.input, { live: this.live })) {
      if (block.type === 'damage') {
        const fault = block.frame && order.pass(block.frame);
        if (fault !== undefined) yield misplaced(block.damage.offsetBytes, 0, fault);
        isFirst = false;
        yield block;
        continue;
      }
      const { frame, bytes } = block;
      if (frame.type === BlockType.end) this.closed = true;
      const { isNew, fault } = order.place(frame);
      if (fault !== undefined) yield misplaced(block.offsetBytes, isNew ? 0 : bytes.length, fault);
      // Numbers do not tell what the first one of a file is, its hash does.
      else if (isFirst && !follows(header!.frame.chain, bytes, frame))
        yield misplaced(block.offsetBytes, 0, `blocks are missing before block ${frame.sequence}`);
      isFirst = false;
      if (isNew) yield block;
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
      if (isRecordBlock(frame.type)) return { type: 'records', batch: decodeBlock(block, this.#batch) };
      if (frame.type === BlockType.gap) return { type: 'gap', gap: parseGap(block) };
      if (frame.type === BlockType.clockStep) return { type: 'clock-step', ...parseClockStep(block) };
      if (frame.type === BlockType.checkpoint)
        return {
          type: 'checkpoint',
          value: parseJson(block),
          fromUs: frame.minTimeUs,
          toUs: frame.maxTimeUs,
        };
      return undefined;
    } catch (error) {
      if (error instanceof PayloadDamage) return unreadable(block, error.message);
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

function unreadable({ offsetBytes, bytes }: ScannedBlock, what: string): ScannedDamage {
  const damage = { code: 'bad-payload', offsetBytes, lengthBytes: bytes.length, what } as const;
  return { type: 'damage', damage };
}

function misplaced(offsetBytes: number, lengthBytes: number, what: string): ScannedDamage {
  return { type: 'damage', damage: { code: 'bad-sequence', offsetBytes, lengthBytes, what } };
}

/**
 * Read preamble and header block. The source closes the input. Damage of those costs the file's facts, not
 * its records.
 */
export async function openFormat3(input: ByteInput, file: string, live: boolean): Promise<LogReader> {
  const beginning = await readBeginning(input, file);
  const { preamble, meta } = beginning;
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
  return new LogReader(header, input, live, beginning);
}
