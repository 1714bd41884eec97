/** `-T`: everything that can be found wrong with log files, and with the chain between them. */
import { EventBatch, RecordKind } from '../conntrack/batch.js';
import { DamageError, SystemFailure } from '../errors.js';
import { decodeRecords } from '../log/decode.js';
import type { FileMeta } from '../log/file-meta.js';
import { BlockType, isDataBlock, isRecordBlock } from '../log/format.js';
import { firstChain, nextChain } from '../log/frame.js';
import { printable } from '../log/header-lines.js';
import { decodeIndex } from '../log/index-block.js';
import type { ByteInput } from '../log/input.js';
import { checkLegacy } from '../log/legacy-check.js';
import { openBytes } from '../log/open.js';
import { notClosed, parseJson, readPreamble } from '../log/reader.js';
import type { RemovedFile, RetentionNote } from '../log/retention.js';
import { type ScannedBlock, scanBlocks } from '../log/scan.js';
import type { Damage, GapRecord } from '../log/source.js';
import { ChainLinks } from './chain-links.js';

/** Damage printed one by one; more is only counted. */
const MAX_DAMAGE_LINES = 100;

export interface CheckReport {
  readonly file: string;
  /** Lines for standard output: a verdict, then a line per damage and what is still readable. */
  readonly lines: readonly string[];
  readonly sound: boolean;
  /** Why nothing of the file could be checked; then there are no lines. */
  readonly failure?: SystemFailure | DamageError;
}

/** Check each file on its own and, when there are several of format 3, that each names the one before it. */
export async function* testFiles(files: readonly string[]): AsyncGenerator<CheckReport, void, void> {
  const links = new ChainLinks();
  for (const file of files) {
    try {
      const opened = await openBytes(file);
      if (opened.format === 2) {
        yield* links.pass(await reportLegacy(file, opened.source));
        continue;
      }
      const checked = await new FileCheck(opened.input, file, opened.place.live).run();
      yield* links.add(checked, () => report(checked));
    } catch (error) {
      // One that cannot be opened or is no log is said, and the others are checked all the same.
      if (!(error instanceof SystemFailure || error instanceof DamageError)) throw error;
      yield* links.pass({ file, lines: [], sound: false, failure: error });
    }
  }
  yield* links.end();
}

export interface CheckedFile {
  readonly file: string;
  readonly live: boolean;
  readonly damage: Damage[];
  damageCount: number;
  meta: FileMeta | undefined;
  closed: boolean;
  closedAs: string;
  blocks: number;
  records: number;
  starts: number;
  ends: number;
  lost: number;
  gaps: number;
  unknownGaps: number;
  /** Hash after the block that ends at an offset: the next file names one of them, the last unless writing this one failed. */
  readonly chains: Map<number, Uint8Array>;
  /** What it tells of files that retention removed. */
  readonly removed: RemovedFile[];
  /** Lines that are no damage. */
  readonly notes: string[];
}

class FileCheck {
  readonly #result: CheckedFile;
  readonly #batch = new EventBatch();
  readonly #offsets = new Set<number>();
  #chain: Uint8Array = new Uint8Array(0);
  #chainBroken = false;
  #sequence = 0;

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
      meta: undefined,
      closed: false,
      closedAs: '',
      blocks: 0,
      records: 0,
      starts: 0,
      ends: 0,
      lost: 0,
      gaps: 0,
      unknownGaps: 0,
      chains: new Map(),
      removed: [],
      notes: [],
    };
  }

  async run(): Promise<CheckedFile> {
    const result = this.#result;
    try {
      const preamble = await readPreamble(this.input, result.file);
      for await (const block of scanBlocks(this.input, { live: result.live })) {
        if (block.type === 'damage') {
          this.#damage(block.damage);
          // What was skipped belonged to the chain; a second report for the same damage helps nobody.
          this.#chainBroken = true;
          continue;
        }
        if (result.closed) this.#damageAt(block, 'bad-sequence', 'a block stands after the end block');
        if (result.meta === undefined && result.blocks === 0) this.#first(block, preamble.bytes);
        this.#checkChain(block);
        this.#checkContent(block);
        result.chains.set(block.offsetBytes + block.bytes.length, block.frame.chain);
        result.blocks++;
        this.#offsets.add(block.offsetBytes);
      }
      if (!result.closed && !result.live) this.#damage(notClosed(this.input.offset));
    } finally {
      await this.input.close();
    }
    return result;
  }

  #first(block: ScannedBlock, preamble: Uint8Array): void {
    if (block.frame.type !== BlockType.header) {
      this.#damageAt(block, 'bad-header', 'the first block is no header');
      this.#chainBroken = true;
      return;
    }
    const meta = this.#json<FileMeta>(block);
    if (meta === undefined) return;
    this.#result.meta = meta;
    const before = meta.previous === undefined ? undefined : Buffer.from(String(meta.previous.chain), 'hex');
    this.#chain = firstChain(preamble, before);
  }

  #checkChain(block: ScannedBlock): void {
    const { frame, bytes } = block;
    if (!this.#chainBroken) {
      const expected = nextChain(this.#chain, bytes, 0, frame.headerBytes, frame.storedBytes);
      if (Buffer.compare(expected, frame.chain) !== 0)
        this.#damageAt(
          block,
          'bad-chain',
          `block ${frame.sequence} does not follow from what stands before it`,
        );
    }
    this.#chain = frame.chain;
    this.#chainBroken = false;
  }

  #checkContent(block: ScannedBlock): void {
    const { frame } = block;
    const result = this.#result;
    if (isDataBlock(frame.type)) {
      if (frame.sequence <= this.#sequence)
        this.#damageAt(
          block,
          'bad-sequence',
          `block ${frame.sequence} stands again, after block ${this.#sequence}`,
        );
      else if (this.#sequence !== 0 && frame.sequence !== this.#sequence + 1)
        this.#damageAt(
          block,
          'bad-sequence',
          `blocks ${this.#sequence + 1} to ${frame.sequence - 1} are missing`,
        );
      this.#sequence = Math.max(this.#sequence, frame.sequence);
    } else if (frame.type !== BlockType.header && frame.sequence !== this.#sequence) {
      this.#damageAt(block, 'bad-sequence', `data blocks are missing before it`);
    }
    if (isRecordBlock(frame.type)) this.#checkRecords(block);
    else if (frame.type === BlockType.gap) {
      const gap = this.#json<GapRecord>(block);
      result.gaps++;
      if (gap?.certainty === 'unknown') result.unknownGaps++;
      else result.lost += Number(gap?.lost ?? 0);
    } else if (frame.type === BlockType.checkpoint) this.#checkCheckpoint(block);
    else if (frame.type === BlockType.index) this.#checkIndex(block);
    else if (frame.type === BlockType.end) {
      const end = this.#json<{ reason?: unknown; records?: unknown }>(block);
      result.closed = true;
      result.closedAs = String(end?.reason ?? '');
      if (end !== undefined && result.damageCount === 0 && Number(end.records) !== result.records)
        this.#damageAt(
          block,
          'bad-payload',
          `the end block counts ${Number(end.records)} records, the file has ${result.records}`,
        );
    }
  }

  #checkRecords(block: ScannedBlock): void {
    const { frame } = block;
    const batch = this.#batch;
    try {
      decodeRecords(block.payload, frame.count, frame.minTimeUs, batch);
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      this.#damageAt(block, 'bad-payload', `block ${frame.sequence}: ${error.message}`);
      return;
    }
    const result = this.#result;
    let outside = 0;
    for (let i = 0; i < batch.count; i++) {
      if (batch.kind[i] === RecordKind.start) result.starts++;
      else if (batch.kind[i] === RecordKind.end) result.ends++;
      if (batch.timeUs[i] < frame.minTimeUs || batch.timeUs[i] > frame.maxTimeUs) outside++;
    }
    result.records += batch.count;
    if (outside > 0)
      this.#damageAt(block, 'bad-payload', `block ${frame.sequence}: ${outside} times outside its range`);
  }

  #checkCheckpoint(block: ScannedBlock): void {
    const removed: unknown = this.#json<Partial<RetentionNote>>(block)?.retention?.removed;
    if (!Array.isArray(removed) || removed.length === 0) return;
    const files = removed.filter((file): file is RemovedFile => typeof file?.chain === 'string');
    this.#result.removed.push(...files);
    const last = files.at(-1);
    const what = `retention removed ${removed.length} file${removed.length === 1 ? '' : 's'}`;
    this.#result.notes.push(`${what}, the last ${printable(last?.file)}, chain ${printable(last?.chain)}`);
  }

  #checkIndex(block: ScannedBlock): void {
    const entries = decodeIndex(block.payload);
    if (entries === undefined) this.#damageAt(block, 'bad-payload', 'an index block does not parse');
    else if (this.#result.damageCount === 0 && entries.some((entry) => !this.#offsets.has(entry.offsetBytes)))
      this.#damageAt(block, 'bad-payload', 'the index names a place where no block starts');
  }

  #json<T>(block: ScannedBlock): T | undefined {
    try {
      return parseJson<T>(block, this.#result.file);
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      this.#damageAt(block, 'bad-payload', `block ${block.frame.sequence} does not hold what its type says`);
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
    `${checked.blocks} blocks, ${checked.records} records (${checked.starts} starts, ${checked.ends} ends), ` +
    `${checked.gaps} gaps (${checked.lost} events lost${checked.unknownGaps > 0 ? `, ${checked.unknownGaps} of unknown size` : ''})`;
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
    `${file}: damaged, first at offset ${first.offsetBytes}, ${first.lengthBytes} bytes: ${first.what}`,
    ...damage.slice(1).map((d) => `${file}: offset ${d.offsetBytes}, ${d.lengthBytes} bytes: ${d.what}`),
  ];
  if (damageCount > damage.length) lines.push(`${file}: ${damageCount - damage.length} more places`);
  lines.push(`${file}: still readable: ${contents}, ${state}`, ...notes);
  return { file, lines, sound: false };
}

async function reportLegacy(file: string, source: Parameters<typeof checkLegacy>[0]): Promise<CheckReport> {
  try {
    const { entries, problemCount, problems, note } = await checkLegacy(source);
    const sound = problemCount === 0;
    const lines = [
      `${file}: ${sound ? 'plausible' : `${problemCount} implausible places`}, format 2, ${entries} records (${note})`,
      ...problems.map((d) => `${file}: offset ${d.offsetBytes}, ${d.lengthBytes} bytes: ${d.what}`),
    ];
    return { file, lines, sound };
  } finally {
    await source.close();
  }
}
