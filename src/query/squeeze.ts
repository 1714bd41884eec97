/** `-S`: joins the starts and ends of a log into connections and writes them as a file of format 3. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { EventBatch } from '../conntrack/batch.js';
import { RecordFlag } from '../conntrack/batch.js';
import { errnoCode, InvariantError, SystemFailure, UsageError } from '../errors.js';
import type { FileMeta } from '../log/file-meta.js';
import { LogFileWriter } from '../log/file-writer.js';
import { locate, openLog } from '../log/open.js';
import type { LogHeader, LogSource } from '../log/source.js';
import { isLocked } from './locked.js';
import type { SqueezeOptions, SqueezeResult } from './options.js';
import { readOrigin } from './origin.js';
import { Pairer } from './pair.js';
import { RowDigest } from './row-digest.js';

/**
 * Squeeze one log. Without an output the input is replaced, once the new file has been read back and found equal; when the input
 * is damaged it is left alone. Rejects with UsageError, SystemFailure or DamageError, one line each.
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
  const before = place.standardInput ? undefined : statSync(place.path, { throwIfNoEntry: false });
  if (before !== undefined && isLocked(before))
    throw new SystemFailure(
      'squeeze',
      'EBUSY',
      `${file}: is locked by a recorder, squeeze it once it is closed`,
    );
  if (output !== undefined && existsSync(output))
    throw new SystemFailure('squeeze', 'EEXIST', `${output}: exists already, name another output`);
  if (output === undefined && place.standardInput)
    throw new UsageError('-S of standard input needs an output: add -o FILE');
  const source = await openLog(file);
  try {
    const bytesBefore = before?.size ?? 0;
    if (source.header.squeezed && source.header.formatMajor === 3) return leftAsItIs(file, bytesBefore);
    const target = output ?? realpathSync(place.path);
    return await new Squeeze(source, target, output === undefined ? before : undefined).run(bytesBefore);
  } finally {
    await source.close();
  }
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
    this.#temporary = `${target}.${process.pid}.tmp`;
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
      throw asFailure(error, this.target);
    } finally {
      rmSync(this.#temporary, { force: true });
    }
  }

  async #write(): Promise<void> {
    const { header } = this.source;
    const origin = await readOrigin(header.file);
    const writer = LogFileWriter.create(this.#temporary, squeezedMeta(header, origin));
    const pairer = header.squeezed ? undefined : new Pairer(header.startUs);
    let allRows = new Uint32Array(0);
    for await (const item of this.source.items({ openFirst: pairer !== undefined })) {
      if (item.type === 'records') {
        const { batch } = item;
        this.#lastUs = batch.timeUs[batch.count - 1];
        if (allRows.length < batch.capacity)
          allRows = Uint32Array.from({ length: batch.capacity }, (_, i) => i);
        if (pairer === undefined) this.#append(writer, [batch]);
        else this.#append(writer, pairer.add(batch, allRows, batch.count));
      } else if (item.type === 'gap' || item.type === 'damage') {
        if (pairer !== undefined) this.#append(writer, pairer.flush());
        pairer?.noteGap();
        if (item.type === 'gap') writer.appendGap(item.gap);
        else {
          const { offsetBytes, lengthBytes, what } = item.damage;
          this.#damage.push(`${header.file}: offset ${offsetBytes}, ${lengthBytes} bytes: ${what}`);
          const at = this.#lastUs;
          writer.appendGap({ fromUs: at, toUs: at, lost: 0, certainty: 'unknown', cause: 'damaged file' });
        }
      }
    }
    if (pairer !== undefined) this.#append(writer, pairer.finish());
    writer.close();
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
      syncPath(this.#temporary);
      // A link fails where a rename would replace a file that came up meanwhile.
      linkSync(this.#temporary, this.target);
      unlinkSync(this.#temporary);
    } else {
      const now = statSync(this.target);
      const { ino, dev, size, mtimeMs } = this.replaces;
      if (now.ino !== ino || now.dev !== dev || now.size !== size || now.mtimeMs !== mtimeMs)
        throw new SystemFailure(
          'squeeze',
          'EBUSY',
          `${this.target}: changed while it was squeezed; it was left as it is`,
        );
      keepOwner(this.#temporary, this.replaces);
      syncPath(this.#temporary);
      renameSync(this.#temporary, this.target);
    }
    syncPath(dirname(this.target));
  }
}

/** The squeezed file says who recorded the original, under a run id of its own: its blocks are numbered anew. */
function squeezedMeta(header: LogHeader, origin: Awaited<ReturnType<typeof readOrigin>>): FileMeta {
  const meta: FileMeta = {
    recorder: 'ctrecorder 0.1.6',
    hostname: header.hostname,
    bootId: '',
    openedUs: header.startUs,
    timeZone: '',
    minutesWest: header.minutesWest,
    dst: header.dst,
    utcOffsetSeconds: header.utcOffsetSeconds,
    protocols: header.protocols,
    template: '',
    ...origin,
    runId: randomBytes(8).toString('hex'),
    squeezed: true,
  };
  return meta;
}

function keepOwner(path: string, stats: Stats): void {
  chmodSync(path, stats.mode & 0o7777);
  try {
    chownSync(path, stats.uid, stats.gid);
  } catch (error) {
    // Only root may give files away; the reader of the directory owns the new file then.
    if (errnoCode(error) !== 'EPERM') throw error;
  }
}

/** fsync of a file or directory. */
function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Node's system errors as one line; ours as they are. */
function asFailure(error: unknown, path: string): unknown {
  const code = errnoCode(error);
  if (!(error instanceof Error) || error instanceof SystemFailure || !('syscall' in error)) return error;
  const what = code === 'ENOSPC' ? 'no space left' : code === 'EEXIST' ? 'exists already' : code;
  return new SystemFailure('squeeze', code, `${path}: cannot be written: ${what}; nothing was changed`, {
    path,
    cause: error,
  });
}
