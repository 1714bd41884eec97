/** `-S`: joins the starts and ends of a log into connections and writes them as a file of format 3. */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { LogFile } from '../../base/disk/disk.js';
import { errnoCode, InvariantError, SystemFailure, UsageError } from '../../base/errors.js';
import type { EventBatch } from '../../event/batch.js';
import { RecordFlag } from '../../event/batch.js';
import { GapCause, unknownGap } from '../../event/gap.js';
import { Pairer } from '../../event/pair.js';
import { BlockType } from '../../log/format/format.js';
import { locate, openBytes, openLog, openSource } from '../../log/read/open.js';
import type { LogItem, LogSource } from '../../log/read/source.js';
import { LogFileWriter } from '../../log/write/whole-file.js';
import { asFailure, checkPlaces, putInPlace, syncPath, temporaryName } from './new-file.js';
import { standInMeta } from './origin.js';
import { RowDigest } from './row-digest.js';

// Windows has no links that a stranger could leave in the way.
const { O_NOFOLLOW = 0 } = constants;

/**
 * Squeeze one log. Without an output the input is replaced, once the new file has been read back and found
 * equal; when the input is damaged it is left alone. Rejects with UsageError, SystemFailure or DamageError,
 * one line each.
 */
export async function squeeze(options: SqueezeOptions): Promise<SqueezeResult> {
  const { file, output } = options;
  const place = locate(file);
  if (place.live)
    throw new SystemFailure(
      'squeeze',
      'EBUSY',
      `${place.path}: is still being written, squeeze it once it is closed`,
    );
  const inPlace = output === undefined;
  const before = checkPlaces('squeeze', place, output);
  if (inPlace && (place.standardInput || before?.isFile() === false)) throw needsOutput(file);
  const opened = await openBytes(file);
  const source = await openSource(opened);
  try {
    const bytesBefore = before?.size ?? 0;
    if (inPlace && source.header.squeezed && source.header.formatMajor === 3)
      return leftAsItIs(file, bytesBefore);
    if (inPlace && opened.place.packed) throw needsOutput(file);
    const target = output ?? realpathSync(place.path);
    return await new Squeeze(source, target, inPlace ? before : undefined).run(bytesBefore);
  } finally {
    await source.close();
  }
}

function needsOutput(file: string): UsageError {
  return new UsageError(`-S of ${file}: a pipe or packed file cannot be replaced; add -o FILE`);
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
  readonly #temporary: string;
  #written: LogFile | undefined;
  readonly #digest = new RowDigest();
  readonly #damage: string[] = [];
  #connections = 0;
  #open = 0;
  #startUnseen = 0;
  #lastUs: number;

  constructor(
    readonly source: LogSource,
    readonly target: string,
    /** The input as it was found, when it is to be replaced. */
    readonly replaces: Stats | undefined,
  ) {
    this.#temporary = temporaryName(target);
    this.#lastUs = source.header.startUs;
  }

  async run(bytesBefore: number): Promise<SqueezeResult> {
    try {
      await this.#write();
      await this.#verify();
      const bytesAfter = statSync(this.#temporary).size;
      const isReplaced = this.replaces === undefined || this.#damage.length === 0;
      if (isReplaced) this.#putInPlace();
      return {
        file: this.target,
        alreadySqueezed: false,
        connections: this.#connections,
        open: this.#open,
        startUnseen: this.#startUnseen,
        bytesBefore,
        bytesAfter: isReplaced ? bytesAfter : bytesBefore,
        damage: this.#damage,
        exitCode: this.#damage.length > 0 ? 1 : 0,
      };
    } catch (error) {
      throw asFailure('squeeze', error, this.target);
    } finally {
      rmSync(this.#temporary, { force: true });
    }
  }

  async #write(): Promise<void> {
    const { header } = this.source;
    const writer = LogFileWriter.create(this.#temporary, await standInMeta(header, true));
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
    writer.close();
    this.#written = writer.file;
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
        this.#damage.push(`${this.source.header.file}: offset ${offsetBytes}, ${lengthBytes} bytes: ${what}`);
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
  async #verify(): Promise<void> {
    const digest = new RowDigest();
    const written = await openLog(this.#temporary);
    try {
      for await (const item of written.items()) {
        if (item.type === 'records') digest.add(item.batch);
        if (item.type === 'damage')
          throw new InvariantError(`${this.target}: the squeezed file is damaged (${item.damage.what})`);
      }
      if (!written.closed || digest.digest() !== this.#digest.digest())
        throw new InvariantError(
          `${this.target}: the squeezed file does not read back as written; nothing was changed`,
        );
    } finally {
      await written.close();
    }
  }

  /** Durable under its final name, or not at all. */
  #putInPlace(): void {
    if (this.replaces === undefined) {
      putInPlace(this.#temporary, this.target);
      return;
    }
    const now = statSync(this.target);
    const { ino, dev, size, mtimeMs } = this.replaces;
    if (now.ino !== ino || now.dev !== dev || now.size !== size || now.mtimeMs !== mtimeMs)
      throw new SystemFailure(
        'squeeze',
        'EBUSY',
        `${this.target}: changed while it was squeezed; it was left as it is`,
      );
    keepOwner(this.#written!, this.replaces);
    syncPath(this.#temporary);
    renameSync(this.#temporary, this.target);
    syncPath(dirname(this.target));
  }
}

/** By a descriptor: who may write in the directory could have put a link to any other file under the name. */
function keepOwner({ path, inode, device }: LogFile, { mode, uid, gid }: Stats): void {
  const fd = openSync(path, constants.O_RDONLY | O_NOFOLLOW);
  try {
    const { ino, dev } = fstatSync(fd);
    if (ino !== inode || dev !== device)
      throw new SystemFailure('squeeze', 'EBUSY', `${path}: another file has its name; nothing was changed`);
    fchmodSync(fd, mode & 0o7777);
    fchownSync(fd, uid, gid);
  } catch (error) {
    // Only root may give files away; the reader of the directory owns the new file then.
    if (errnoCode(error) !== 'EPERM') throw error;
  } finally {
    closeSync(fd);
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
