/**
 * `repair FILE -o OUT`: what is intact of a log as a file that passes `-T`, with a gap record wherever data
 * blocks are lost. Blocks are copied as they are, each once and in the order of their numbers, under a new
 * run id and numbered anew.
 */
import type { LogFile } from '../../base/disk/disk.js';
import { ByteInput, FileFeed } from '../../base/disk/input.js';
import { InvariantError, PayloadDamage, UsageError } from '../../base/errors.js';
import { EventBatch } from '../../event/batch.js';
import { GapCause, type GapRecord, unknownGap } from '../../event/gap.js';
import { FILTER_MAX_BYTES, writeAddressFilter } from '../../log/format/address-filter.js';
import { decodeBlock } from '../../log/format/decode-rows.js';
import { BlockType, isDataBlock, isRecordBlock } from '../../log/format/format.js';
import { follows, type ParsedFrame, type ScannedBlock } from '../../log/format/frame.js';
import { parseClockStep, parseGap, parseJson } from '../../log/format/json-blocks.js';
import { locate } from '../../log/read/open.js';
import { scanBlocks } from '../../log/read/scan.js';
import type { Damage } from '../../log/read/source.js';
import { LogFileWriter } from '../../log/write/whole-file.js';
import { testFiles } from './check.js';
import { asFailure, checkPlaces, NewFile } from './new-file.js';
import { standInMeta } from './origin.js';
import { type Stretch, type Survey, survey } from './survey.js';

/** Damage told one by one; more is only counted. Gaps likewise. */
const MAX_TOLD = 100;

/**
 * Repair one log into a new file, which appears when it is whole, checked and durable. The log is only read.
 * Rejects with UsageError, SystemFailure or DamageError, one line each.
 */
export async function repair({ file, output }: RepairOptions): Promise<RepairResult> {
  const place = locate(file);
  if (place.standardInput)
    throw new UsageError('repair reads its file more than once: name one, not standard input');
  checkPlaces('repair', place, output);
  const damage = new Told<Damage>();
  const found = await survey(place.path, (item) => damage.add(item));
  const copy = new Copy(place.path, found, damage);
  try {
    await make(copy, output);
  } catch (error) {
    throw asFailure('repair', error, output);
  }
  return {
    file: place.path,
    output,
    blocks: copy.blocks,
    records: copy.records,
    lostBlocks: copy.lostBlocks,
    lostUncounted: copy.lostUncounted,
    damage: damage.told,
    damageCount: damage.count,
    gaps: copy.gaps.told,
    gapCount: copy.gaps.count,
  };
}

async function make(copy: Copy, output: string): Promise<void> {
  const made = NewFile.create('repair', output);
  try {
    await copy.write(made.file);
    await assertSound(made.file.path, output);
    made.putInPlace();
  } finally {
    made.close();
  }
}

class Told<T> {
  readonly told: T[] = [];
  count = 0;

  add(item: T): void {
    this.count++;
    if (this.told.length < MAX_TOLD) this.told.push(item);
  }
}

class Copy {
  readonly gaps = new Told<GapRecord>();
  blocks = 0;
  records = 0;
  lostBlocks = 0;
  lostUncounted = false;
  readonly #batch = new EventBatch();
  readonly #filter = new Uint8Array(FILTER_MAX_BYTES);
  /** The block copied last. */
  #last: Pick<ParsedFrame, 'runId' | 'sequence' | 'maxTimeUs'> | undefined;

  constructor(
    readonly path: string,
    readonly found: Survey,
    readonly damage: Told<Damage>,
  ) {}

  async write(file: LogFile): Promise<void> {
    const { header, stretches } = this.found;
    const writer = LogFileWriter.into(file, await standInMeta(header, header.squeezed));
    for (const stretch of stretches)
      for await (const block of blocksOf(this.path, stretch)) {
        if (!this.#isNext(block.frame, stretch)) continue;
        const filterBytes = this.#filterBytes(block);
        if (filterBytes === undefined) continue;
        this.#fillBefore(block, writer);
        const { runId, sequence, maxTimeUs, type, count } = block.frame;
        this.#last = { runId, sequence, maxTimeUs };
        this.blocks++;
        if (isRecordBlock(type)) this.records += count;
        writer.copy(block, this.#filter.subarray(0, filterBytes));
      }
    this.#fillEnd(writer);
    writer.finish();
  }

  /**
   * Between the blocks of a stretch others may stand again, and it may hold again what stands in one before
   * it.
   */
  #isNext({ type, runId, sequence }: ParsedFrame, stretch: Stretch): boolean {
    if (!isDataBlock(type) || runId !== stretch.runId || sequence > stretch.last) return false;
    return this.#last?.runId !== runId || sequence > this.#last.sequence;
  }

  /**
   * Length of the block's address filter; undefined, and said, when the block does not hold what its
   * checksums promise.
   */
  #filterBytes(block: ScannedBlock): number | undefined {
    const { type, sequence } = block.frame;
    try {
      if (isRecordBlock(type)) return writeAddressFilter(decodeBlock(block, this.#batch), this.#filter, 0);
      if (type === BlockType.gap) parseGap(block);
      else if (type === BlockType.clockStep) parseClockStep(block);
      else parseJson(block);
      return 0;
    } catch (error) {
      if (!(error instanceof PayloadDamage)) throw error;
      const { offsetBytes, bytes } = block;
      const what = `block ${sequence}: ${error.message}`;
      this.damage.add({ code: 'bad-payload', offsetBytes, lengthBytes: bytes.length, what });
      return undefined;
    }
  }

  /** A gap where blocks before this one are lost. */
  #fillBefore(block: ScannedBlock, writer: LogFileWriter): void {
    const { runId, sequence, minTimeUs } = block.frame;
    const last = this.#last;
    if (last === undefined) this.#fillHead(block, writer);
    else if (last.runId !== runId) this.#fill(writer, undefined, last.maxTimeUs, minTimeUs);
    else if (sequence > last.sequence + 1)
      this.#fill(writer, sequence - last.sequence - 1, last.maxTimeUs, minTimeUs);
  }

  /**
   * Numbers do not tell what the first block of a file is: the hash of the header block does, or else the end
   * block.
   */
  #fillHead({ frame, bytes }: ScannedBlock, writer: LogFileWriter): void {
    const { end, headerChain, earliestUs } = this.found;
    const lost = end?.runId === frame.runId ? frame.sequence - end.first : undefined;
    const isFirst = headerChain === undefined ? lost === 0 : follows(headerChain, bytes, frame);
    if (frame.sequence > 1 && !isFirst) this.#fill(writer, lost || undefined, earliestUs, frame.minTimeUs);
  }

  /** A gap where the last blocks are lost, or nobody knows whether there were more. */
  #fillEnd(writer: LogFileWriter): void {
    const { end, earliestUs, latestUs } = this.found;
    const fromUs = this.#last?.maxTimeUs ?? earliestUs;
    const toUs = Math.max(fromUs, latestUs);
    if (end === undefined || (this.#last !== undefined && this.#last.runId !== end.runId))
      this.#fill(writer, undefined, fromUs, toUs);
    else {
      const lost = end.last - (this.#last?.sequence ?? end.first - 1);
      if (lost > 0) this.#fill(writer, lost, fromUs, toUs);
    }
  }

  /** Times next to each other need not be in order: then the gap takes in both. */
  #fill(writer: LogFileWriter, lostBlocks: number | undefined, beforeUs: number, afterUs: number): void {
    const fromUs = Math.min(beforeUs, afterUs);
    const toUs = Math.max(beforeUs, afterUs);
    const gap = unknownGap(GapCause.damagedFile, fromUs, toUs);
    this.gaps.add(gap);
    if (lostBlocks === undefined) this.lostUncounted = true;
    else this.lostBlocks += lostBlocks;
    writer.appendGap(gap);
  }
}

async function* blocksOf(
  path: string,
  { fromBytes, toBytes }: Stretch,
): AsyncGenerator<ScannedBlock, void, void> {
  const input = new ByteInput(new FileFeed(path, fromBytes, toBytes));
  input.offset = fromBytes;
  try {
    for await (const item of scanBlocks(input)) if (item.type === 'block') yield item;
  } finally {
    await input.close();
  }
}

/** Nothing is called repaired that `-T` would find fault with. */
async function assertSound(temporary: string, output: string): Promise<void> {
  for await (const { sound, lines, failure } of testFiles([temporary]))
    if (!sound)
      throw new InvariantError(
        `${output}: would not be sound (${failure?.message ?? lines[0]}); nothing was written`,
      );
}

/** `repair` */
export interface RepairOptions {
  /** Path of a log of format 3, not packed. */
  readonly file: string;
  /** `-o`: file to write, which must not exist. */
  readonly output: string;
}

export interface RepairResult {
  /** Path that was read. */
  readonly file: string;
  readonly output: string;
  /** Data blocks kept, and rows in them. */
  readonly blocks: number;
  readonly records: number;
  /** Data blocks that are missing by their numbers, and whether there may be others that nobody can count. */
  readonly lostBlocks: number;
  readonly lostUncounted: boolean;
  /** The first damaged places, and how many there are. */
  readonly damage: readonly Damage[];
  readonly damageCount: number;
  /** The first gaps that were put in, and how many there are. */
  readonly gaps: readonly GapRecord[];
  readonly gapCount: number;
}
