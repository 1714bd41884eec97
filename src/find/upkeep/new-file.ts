/**
 * Files made from logs: never over another file, and under their name only when they are whole and durable.
 */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { LogFile } from '../../base/disk/disk.js';
import { realFileSystem } from '../../base/disk/file-system.js';
import { isLocked } from '../../base/disk/locked.js';
import { realReadDisk } from '../../base/disk/read-disk.js';
import { standsAt } from '../../base/disk/same-file.js';
import { errnoCode, isNodeSystemError, SystemFailure } from '../../base/errors.js';
import type { LogPlace } from '../../log/read/open.js';
import { locked, type Original } from './original.js';

/**
 * What follows the target's name in a temporary one. Random: in containers every process has the same number.
 * Earlier versions had a number there.
 */
const TEMPORARY = /^\.(?:[0-9a-f]{12}|\d+)\.tmp$/;

/** A file that has a temporary name beside its own until it is whole; the descriptor says which one it is. */
export class NewFile {
  private constructor(
    readonly operation: string,
    readonly target: string,
    /** Empty and open; `close` closes it. */
    readonly file: LogFile,
  ) {}

  /** Throws SystemFailure. `operation` is for what is said of failures, as in "squeeze". */
  static create(operation: string, target: string): NewFile {
    const path = `${target}.${randomBytes(6).toString('hex')}.tmp`;
    return new NewFile(operation, target, realFileSystem.create(path));
  }

  get bytes(): number {
    return realReadDisk.factsOf(this.file).bytes;
  }

  /** Give it its name, durably. EEXIST when something has come up under that name. */
  putInPlace(): void {
    fsyncSync(this.file.fd);
    this.#assertNamed();
    // A link fails where a rename would replace a file that came up meanwhile.
    linkSync(this.file.path, this.target);
    unlinkSync(this.file.path);
    realFileSystem.syncDirectory(dirname(this.target));
  }

  /** Put it in the place of the file that it was made of, with the same mode and owner, durably. */
  replace(original: Original): void {
    this.#takeOwner(original.stats);
    fsyncSync(this.file.fd);
    this.#assertNamed();
    original.assertUnchanged();
    renameSync(this.file.path, this.target);
    realFileSystem.syncDirectory(dirname(this.target));
  }

  /** Removes it unless it has got its name. What others have put under the temporary name stays. */
  close(): void {
    try {
      if (standsAt(realReadDisk, this.file.path, this.file)) realFileSystem.remove(this.file.path);
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error; // why it was given up is what matters
    } finally {
      realFileSystem.close(this.file);
    }
  }

  #assertNamed(): void {
    const { operation, file } = this;
    if (standsAt(realReadDisk, file.path, file)) return;
    const what = `${file.path}: was removed or replaced while it was written; nothing was changed`;
    throw new SystemFailure(operation, 'EBUSY', what);
  }

  #takeOwner({ mode, uid, gid }: Original['stats']): void {
    const { fd } = this.file;
    try {
      fchmodSync(fd, Number(mode) & 0o7777);
      fchownSync(fd, Number(uid), Number(gid));
    } catch (error) {
      // Only root may give files away; the reader of the directory owns the new file then.
      if (errnoCode(error) !== 'EPERM') throw error;
    }
  }
}

/**
 * SystemFailure when a recorder still writes the file, or something has the output's name. Answers the file
 * as it is now.
 */
export function checkPlaces(
  operation: string,
  place: LogPlace,
  output: string | undefined,
): Stats | undefined {
  const stats = place.standardInput ? undefined : statSync(place.path, { throwIfNoEntry: false });
  if (stats !== undefined && isLocked(stats)) throw locked(operation, place.path);
  if (output !== undefined && existsSync(output))
    throw new SystemFailure(operation, 'EEXIST', `${output}: already exists; name another output`);
  return stats;
}

/**
 * The system's errors, and those about the temporary file, as one line about the file that was to be written;
 * other failures as they are.
 */
export function asFailure(operation: string, error: unknown, target: string): unknown {
  const code = errnoCode(error);
  const isOurs = error instanceof SystemFailure;
  const isAboutTarget = isOurs
    ? code !== 'EEXIST' && isTemporary(error.path, target)
    : isNodeSystemError(error);
  if (!isAboutTarget || code === undefined) return error;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  const what = isFull ? 'no space left' : code === 'EEXIST' ? 'exists already' : code;
  const leftovers = isFull ? leftoversText(target) : '';
  const message = `${target}: cannot be written: ${what}; nothing was changed${leftovers}`;
  return new SystemFailure(operation, code, message, { path: target, cause: error });
}

/** Whether it is a temporary name of this target, of this run or another. */
function isTemporary(path: string | undefined, target: string): boolean {
  return path?.startsWith(target) === true && TEMPORARY.test(path.slice(target.length));
}

/** What runs that were killed may have left of the same target: they are in the way where room is missing. */
function leftoversText(target: string): string {
  const directory = dirname(target);
  const names = realReadDisk
    .entries(directory)
    .filter(({ name, kind }) => kind === 'file' && isTemporary(name, basename(target)))
    .map(({ name }) => join(directory, name));
  if (names.length === 0) return '';
  return `; remove ${names.join(', ')} unless another run is writing ${names.length === 1 ? 'it' : 'them'}`;
}
