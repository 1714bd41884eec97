/** `-S`: joins the starts and ends of a log into connections and writes them as a file of format 3. */
import type { LogFile } from '../../base/disk/disk.js';
import { realReadDisk } from '../../base/disk/read-disk.js';
import { InvariantError, SystemFailure, UsageError } from '../../base/errors.js';
import type { EventBatch } from '../../event/batch.js';
import { RecordFlag } from '../../event/batch.js';
import { GapCause, unknownGap } from '../../event/gap.js';
import { Pairer } from '../../event/pair.js';
import { BlockType, LIVE_SUFFIX } from '../../log/format/format.js';
import { locate, openBytes, openLog, openSource } from '../../log/read/open.js';
import type { LogItem, LogSource } from '../../log/read/source.js';
import { LogFileWriter } from '../../log/write/whole-file.js';
import { assertNotHeld } from './held.js';
import { asFailure, checkPlaces, NewFile } from './new-file.js';
import { standInMeta } from './origin.js';
import { Original } from './original.js';
import { RowDigest } from './row-digest.js';

/**
 * Squeeze one log. Without an output the input is replaced, once the new file has been read back and found
 * equal; when the input is damaged it is left alone. Rejects with UsageError, SystemFailure or DamageError,
 * one line each.
 */
export async function squeeze(options: SqueezeOptions): Promise<SqueezeResult> {
  const { file, output } = options;
  const place = locate(file);
  if (place.live) throw stillWritten(place.path);
  const before = checkPlaces('squeeze', place, output);
  if (output !== undefined) return squeezeFrom(file, before?.size ?? 0, output);
  if (place.standardInput || before?.isFile() === false) throw needsOutput(file);
  // What is replaced is what is read, wherever the links of its path lead meanwhile.
  const path = realReadDisk.realPath(place.path) ?? place.path;
  if (path.endsWith(LIVE_SUFFIX)) throw stillWritten(path);
  assertNotHeld('squeeze', place.path);
  const original = Original.open('squeeze', path);
  try {
    return await squeezeFrom(file, Number(original.stats.size), original);
  } finally {
    original.close();
  }
}

function stillWritten(path: string): SystemFailure {
  return new SystemFailure(
    'squeeze',
    'EBUSY',
    `${path}: is still being written; squeeze it once it is closed`,
  );
}

/** Into a new file, or over the original that `file` leads to. */
async function squeezeFrom(
  file: string,
  bytesBefore: number,
  into: string | Original,
): Promise<SqueezeResult> {
  const opened = await openBytes(into instanceof Original ? into.file.path : file);
  const source = await openSource(opened);
  try {
    if (into instanceof Original) {
      if (source.header.squeezed && source.header.formatMajor === 3) return leftAsItIs(file, bytesBefore);
      if (opened.place.packed) throw needsOutput(file);
    }
    return await new Squeeze(file, source, into).run(bytesBefore);
  } finally {
    await source.close();
  }
}

function needsOutput(file: string): UsageError {
  return new UsageError(`-S of ${file}: a pipe or compressed file cannot be replaced; add -o FILE`);
}

function leftAsItIs(file: string, bytes: number): SqueezeResult {
  return {
    file,
    alreadySqueezed: true,
    connections: 0,
    open: 0,
    startUnseen: 0,
    bytesBefore: bytes,
    bytesAfter: bytes,
    damage: [],
    exitCode: 0,
  };
}

class Squeeze {
  readonly #target: string;
  readonly #digest = new RowDigest();
  readonly #damage: string[] = [];
  #connections = 0;
  #open = 0;
  #startUnseen = 0;
  #lastUs: number;

  constructor(
    readonly file: string,
    readonly source: LogSource,
    readonly into: string | Original,
  ) {
    this.#target = into instanceof Original ? into.file.path : into;
    this.#lastUs = source.header.startUs;
  }

  async run(bytesBefore: number): Promise<SqueezeResult> {
    try {
      const bytesAfter = await this.#make();
      return {
        file: this.#target,
        alreadySqueezed: false,
        connections: this.#connections,
        open: this.#open,
        startUnseen: this.#startUnseen,
        bytesBefore,
        bytesAfter: bytesAfter ?? bytesBefore,
        damage: this.#damage,
        exitCode: this.#damage.length > 0 ? 1 : 0,
      };
    } catch (error) {
      throw asFailure('squeeze', error, this.#target);
    }
  }

  /** Answers the length of the new file; undefined when a damaged original was left in its place. */
  async #make(): Promise<number | undefined> {
    const made = NewFile.create('squeeze', this.#target);
    try {
      await this.#write(made.file);
      await this.#verify(made.file.path);
      if (!(this.into instanceof Original)) made.putInPlace();
      else if (this.#damage.length === 0) made.replace(this.into);
      else return undefined;
      return made.bytes;
    } finally {
      made.close();
    }
  }

  async #write(file: LogFile): Promise<void> {
    const { header } = this.source;
    const writer = LogFileWriter.into(file, await standInMeta(header, true));
    const pairer = header.squeezed ? undefined : new Pairer(header.startUs);
    let allRows = new Uint32Array(0);
    for await (const item of this.source.items({ openFirst: pairer !== undefined })) {
      if (item.type !== 'records') {
        // What stands between the events stands between their connections.
        if (pairer !== undefined && item.type !== 'checkpoint') this.#append(writer, pairer.flush());
        if (item.type === 'gap' || item.type === 'damage') pairer?.noteGap();
        this.#keep(item, writer);
        continue;
      }
      const { batch } = item;
      if (batch.count > 0) this.#lastUs = batch.timeUs[batch.count - 1];
      if (allRows.length < batch.capacity)
        allRows = Uint32Array.from({ length: batch.capacity }, (_, i) => i);
      if (pairer === undefined) this.#append(writer, [batch]);
      else this.#append(writer, pairer.add(batch, allRows, batch.count));
    }
    if (pairer !== undefined) this.#append(writer, pairer.finish());
    writer.finish();
  }

  /** All that is no row; a gap where something is damaged. */
  #keep(item: Exclude<LogItem, { type: 'records' }>, writer: LogFileWriter): void {
    switch (item.type) {
      case 'gap':
        writer.appendGap(item.gap);
        break;
      case 'clock-step': {
        const { atUs, stepUs } = item;
        writer.appendJson({ atUs, stepUs }, BlockType.clockStep, Math.min(atUs, atUs - stepUs), atUs);
        break;
      }
      case 'checkpoint':
        // The rows that it counts are connections now, like all others.
        if (!('snapshot' in item.value))
          writer.appendJson(item.value, BlockType.checkpoint, item.fromUs, item.toUs);
        break;
      case 'damage': {
        const { offsetBytes, lengthBytes, what } = item.damage;
        this.#damage.push(`${this.file}: offset ${offsetBytes}, ${lengthBytes} bytes: ${what}`);
        const at = this.#lastUs;
        writer.appendGap(unknownGap(GapCause.damagedFile, at, at));
      }
    }
  }

  #append(writer: LogFileWriter, batches: Iterable<EventBatch>): void {
    for (const batch of batches) {
      if (batch.count === 0) continue;
      this.#digest.add(batch);
      this.#connections += batch.count;
      for (let row = 0; row < batch.count; row++) {
        if (batch.flags[row] & RecordFlag.endUnseen) this.#open++;
        if (batch.flags[row] & RecordFlag.startUnseen) this.#startUnseen++;
      }
      writer.append(batch);
    }
  }

  /** Read the new file back: every row must be there as it was given. */
  async #verify(path: string): Promise<void> {
    const digest = new RowDigest();
    const written = await openLog(path);
    try {
      for await (const item of written.items()) {
        if (item.type === 'records') digest.add(item.batch);
        if (item.type === 'damage')
          throw new InvariantError(`${this.#target}: the squeezed file is damaged (${item.damage.what})`);
      }
      if (!written.closed || digest.digest() !== this.#digest.digest())
        throw new InvariantError(
          `${this.#target}: the squeezed file does not read back as written; nothing was changed`,
        );
    } finally {
      await written.close();
    }
  }
}

/** `-S` */
export interface SqueezeOptions {
  /** `-f`: path of a log, "-" for standard input (then `output` is needed). */
  readonly file: string;
  /** `-o`: file to write, which must not exist; without it the input is replaced after verification. */
  readonly output?: string;
}

export interface SqueezeResult {
  /** The file that holds the connections now. */
  readonly file: string;
  /** True when the file was squeezed already and has been left as it is. */
  readonly alreadySqueezed: boolean;
  readonly connections: number;
  /** Of those: without a seen end, without a seen start. */
  readonly open: number;
  readonly startUnseen: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Damaged places of the input, one line each; not empty: the exit code is 1 and nothing was replaced. */
  readonly damage: readonly string[];
  readonly exitCode: 0 | 1;
}
