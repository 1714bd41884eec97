/** `-T`: everything that can be found wrong with log files, and with the chain between them. */

import { counted } from '../../base/counted.js';
import type { ByteInput } from '../../base/disk/input.js';
import { DamageError, PayloadDamage, SystemFailure } from '../../base/errors.js';
import { printable } from '../../base/printable.js';
import { EventBatch, RecordFlag, RecordKind } from '../../event/batch.js';
import { decodeBlock } from '../../log/format/decode-rows.js';
import { BlockType, isRecordBlock } from '../../log/format/format.js';
import { blockName, follows, type ScannedBlock } from '../../log/format/frame.js';
import { decodeIndex } from '../../log/format/index-block.js';
import { parseClockStep, parseEnd, parseGap, parseJson } from '../../log/format/json-blocks.js';
import type { RemovedFile, RetentionNote } from '../../log/format/retention-note.js';
import { chainBefore, readBeginning } from '../../log/read/beginning.js';
import { BlockOrder } from '../../log/read/block-order.js';
import { checkLegacy } from '../../log/read/legacy-check.js';
import { openBytes } from '../../log/read/open.js';
import { notClosed } from '../../log/read/reader.js';
import { scanBlocks } from '../../log/read/scan.js';
import { type Damage, damageText } from '../../log/read/source.js';
import { GapSum } from '../output/gap-text.js';
import { ChainLinks } from './chain-links.js';
import { inChainOrder } from './chain-order.js';
import type { CheckedFile, CheckReport } from './check-report.js';

/** Damage printed one by one; more is only counted. */
const MAX_DAMAGE_LINES = 100;
/**
 * Hashes kept for the next file, which names the last one, or, after a write error, the one before a group
 * that was given up: a few blocks back (BLOCK_SLOTS). A file has a block for each second, and may be written
 * for months.
 */
const CHAINS_KEPT = 1024;
/**
 * Blocks since the last index block, by which that is checked; a recorder's file has INDEX_EVERY_BLOCKS at
 * the most.
 */
const OFFSETS_KEPT = 65_536;

/**
 * Check each file on its own and, when there are several of one recorder, that each names the one before it,
 * in the order of the chain whatever order they are given in.
 * `say` gets a line where another file than the named one is read (a live one).
 */
export async function* testFiles(
  files: readonly string[],
  say?: (line: string) => void,
): AsyncGenerator<CheckReport, void, void> {
  const links = new ChainLinks();
  for (const file of inChainOrder(files)) {
    try {
      const opened = await openBytes(file, say);
      if (opened.format === 2) {
        yield* links.pass(await reportLegacy(file, opened.source));
        continue;
      }
      const checked = await new FileCheck(opened.input, file, opened.place.live).run();
      yield* links.add(checked, () => report(checked));
    } catch (error) {
      // One that cannot be opened or is not a log is reported, and the others are checked all the same.
      if (!(error instanceof SystemFailure || error instanceof DamageError)) throw error;
      yield* links.pass({ file, lines: [], sound: false, failure: error });
    }
  }
  yield* links.end();
}

class FileCheck {
  readonly #result: CheckedFile;
  readonly #batch = new EventBatch();
  /** Where blocks start since the last index block; undefined when there are too many. */
  #offsets: Set<number> | undefined = new Set();
  #chain: Uint8Array = new Uint8Array(0);
  #chainBroken = false;
  readonly #order = new BlockOrder();

  constructor(
    readonly input: ByteInput,
    file: string,
    live: boolean,
  ) {
    this.#result = {
      file,
      live,
      damage: [],
      damageCount: 0,
      meta: {},
      closed: false,
      closedAs: '',
      blocks: 0,
      records: 0,
      starts: 0,
      ends: 0,
      derived: 0,
      gaps: new GapSum(),
      chains: new Map(),
      removed: [],
      announced: [],
      notes: [],
    };
  }

  async run(): Promise<CheckedFile> {
    const result = this.#result;
    try {
      const { preamble, meta, header, damage } = await readBeginning(this.input, result.file);
      for (const found of damage) this.#damage(found);
      result.meta = meta;
      this.#chain = chainBefore(preamble, meta);
      this.#chainBroken = header === undefined;
      if (header !== undefined) this.#take(header);
      for await (const block of scanBlocks(this.input, { live: result.live })) {
        if (block.type === 'damage') {
          const fault = block.frame && this.#order.pass(block.frame);
          this.#damage(block.damage);
          if (fault !== undefined)
            this.#damage({ ...block.damage, code: 'bad-sequence', lengthBytes: 0, what: fault });
          // What was skipped belonged to the chain; a second report for the same damage helps nobody.
          this.#chainBroken = true;
          continue;
        }
        this.#take(block);
      }
      if (!result.closed && !result.live) this.#damage(notClosed(this.input.offset));
    } finally {
      await this.input.close();
    }
    return result;
  }

  #take(block: ScannedBlock): void {
    const result = this.#result;
    if (result.closed) this.#damageAt(block, 'bad-sequence', 'a block follows the end block');
    this.#checkChain(block);
    this.#checkContent(block);
    this.#keepPlace(block);
  }

  #keepPlace({ offsetBytes, bytes, frame }: ScannedBlock): void {
    const { chains } = this.#result;
    chains.set(offsetBytes + bytes.length, frame.chain);
    if (chains.size > CHAINS_KEPT) chains.delete(chains.keys().next().value!);
    if (frame.type === BlockType.index) this.#offsets = new Set();
    else if (this.#offsets?.size === OFFSETS_KEPT) this.#offsets = undefined;
    this.#offsets?.add(offsetBytes);
  }

  #checkChain(block: ScannedBlock): void {
    const { frame, bytes } = block;
    if (!this.#chainBroken && !follows(this.#chain, bytes, frame))
      this.#damageAt(block, 'bad-chain', `${blockName(frame)} does not continue the chain before it`);
    this.#chain = frame.chain;
    this.#chainBroken = false;
  }

  #checkContent(block: ScannedBlock): void {
    const { frame } = block;
    const result = this.#result;
    const { isNew, fault } = this.#order.place(frame);
    if (fault !== undefined) this.#damageAt(block, 'bad-sequence', fault);
    if (!isNew) return;
    result.blocks++;
    if (isRecordBlock(frame.type)) this.#checkRecords(block);
    else if (frame.type === BlockType.gap) this.#believe(block, (gap) => result.gaps.add(parseGap(gap)));
    else if (frame.type === BlockType.clockStep) this.#believe(block, parseClockStep);
    else if (frame.type === BlockType.checkpoint) this.#checkCheckpoint(block);
    else if (frame.type === BlockType.index) this.#checkIndex(block);
    else if (frame.type === BlockType.end) {
      result.closed = true;
      const end = this.#believe(block, parseEnd);
      if (end === undefined) return;
      result.closedAs = end.reason;
      const lost = this.#order.finish(frame, end.blocks);
      if (lost !== undefined) this.#damageAt(block, 'bad-sequence', lost);
      if (result.damageCount === 0 && end.records !== result.records)
        this.#damageAt(
          block,
          'bad-payload',
          `the end block says ${counted(end.records, 'record')}; the file has ${result.records}`,
        );
    }
  }

  #checkRecords(block: ScannedBlock): void {
    const batch = this.#believe(block, (records) => decodeBlock(records, this.#batch));
    if (batch === undefined) return;
    const result = this.#result;
    result.records += batch.count;
    const { kind, flags, count } = batch;
    for (let i = 0; i < count; i++) {
      if (flags[i] & RecordFlag.derived) result.derived++;
      else if (kind[i] === RecordKind.start) result.starts++;
      else if (kind[i] === RecordKind.end) result.ends++;
    }
  }

  #checkCheckpoint(block: ScannedBlock): void {
    const note = this.#believe(block, parseJson) as Partial<RetentionNote> | undefined;
    this.#result.announced.push(...filesIn(note?.retention?.removing));
    const removed = filesIn(note?.retention?.removed);
    if (removed.length === 0) return;
    this.#result.removed.push(...removed);
    const last = removed.at(-1);
    const what = `retention removed ${counted(removed.length, 'file')}`;
    this.#result.notes.push(`${what}, the last ${printable(last?.file)}, chain ${printable(last?.chain)}`);
  }

  #checkIndex(block: ScannedBlock): void {
    const entries = decodeIndex(block.payload);
    if (entries === undefined) this.#damageAt(block, 'bad-payload', 'an index block is malformed');
    else if (this.#result.damageCount === 0 && entries.some(({ offsetBytes }) => !this.#isPlace(offsetBytes)))
      this.#damageAt(block, 'bad-payload', 'the index points to a place where no block starts');
  }

  #isPlace(offsetBytes: number): boolean {
    return this.#offsets === undefined || this.#offsets.has(offsetBytes);
  }

  /**
   * What `read` finds in the block; undefined, and the damage noted, when it cannot be what the block says.
   */
  #believe<T>(block: ScannedBlock, read: (block: ScannedBlock) => T): T | undefined {
    try {
      return read(block);
    } catch (error) {
      if (!(error instanceof PayloadDamage)) throw error;
      this.#damageAt(block, 'bad-payload', `${blockName(block.frame)}: ${error.message}`);
      return undefined;
    }
  }

  #damageAt(block: ScannedBlock, code: Damage['code'], what: string): void {
    this.#damage({ code, offsetBytes: block.offsetBytes, lengthBytes: block.bytes.length, what });
  }

  #damage(damage: Damage): void {
    this.#result.damageCount++;
    if (this.#result.damage.length < MAX_DAMAGE_LINES) this.#result.damage.push(damage);
  }
}

function report(checked: CheckedFile): CheckReport {
  const { file, damageCount, damage } = checked;
  const contents =
    `${counted(checked.blocks, 'block')}, ${counted(checked.records, 'record')} ` +
    `(${counted(checked.starts, 'start')}, ${counted(checked.ends, 'end')}` +
    `${checked.derived > 0 ? `, ${checked.derived} from the table` : ''}), ${gapText(checked.gaps)}`;
  const state = checked.closed
    ? `closed (${printable(checked.closedAs)})`
    : checked.live
      ? 'still being written or left behind'
      : 'not closed';
  const notes = checked.notes.map((note) => `${file}: ${note}`);
  if (damageCount === 0)
    return { file, lines: [`${file}: sound, ${contents}, ${state}`, ...notes], sound: true };
  const first = damage[0];
  const lines = [
    `${file}: damaged, first at ${damageText(first)}`,
    ...damage.slice(1).map((other) => `${file}: ${damageText(other)}`),
  ];
  if (damageCount > damage.length)
    lines.push(`${file}: ${counted(damageCount - damage.length, 'more place')}`);
  lines.push(`${file}: still readable: ${contents}, ${state}`, ...notes);
  return { file, lines, sound: false };
}

function gapText({ count, lost, lostAtMost, unknown }: GapSum): string {
  if (count === 0) return 'no gaps';
  const atMost = lostAtMost > 0 ? `, at most ${lostAtMost} more` : '';
  const uncounted = unknown > 0 ? `, ${unknown} of unknown size` : '';
  return `${counted(count, 'gap')} (${counted(lost, 'event')} lost${atMost}${uncounted})`;
}

async function reportLegacy(file: string, source: Parameters<typeof checkLegacy>[0]): Promise<CheckReport> {
  try {
    const { entries, problemCount, problems, note } = await checkLegacy(source);
    const sound = problemCount === 0;
    const lines = [
      `${file}: ${sound ? 'plausible' : counted(problemCount, 'implausible place')}, format 2, ${counted(entries, 'record')} (${note})`,
      ...problems.map((problem) => `${file}: ${damageText(problem)}`),
    ];
    return { file, lines, sound };
  } finally {
    await source.close();
  }
}

/** Whatever a note holds; it may be a lie. */
function filesIn(list: unknown): RemovedFile[] {
  if (!Array.isArray(list)) return [];
  return list.filter((file): file is RemovedFile => typeof file?.chain === 'string');
}
