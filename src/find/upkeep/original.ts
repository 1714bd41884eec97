/**
 * A file that is to be replaced by what is made of it. From before it is read until it is replaced it is
 * open, and locked where that is possible: so nobody else gets its inode, and no recorder writes or
 * removes it.
 */
import { type BigIntStats, fstatSync } from 'node:fs';
import type { LogFile } from '../../base/disk/disk.js';
import { FileFeed } from '../../base/disk/input.js';
import { isLocked } from '../../base/disk/locked.js';
import { realReadDisk } from '../../base/disk/read-disk.js';
import { standsAt } from '../../base/disk/same-file.js';
import { SystemFailure } from '../../base/errors.js';
import { flock } from '../../base/libc/file.js';
import { endOf } from '../../log/read/own-files.js';
import { assertNotHeld } from './held.js';

export class Original {
  private constructor(
    readonly operation: string,
    readonly file: LogFile,
    /** As it was when it was opened. */
    readonly stats: BigIntStats,
    readonly lastChain: string | undefined,
  ) {}

  /** `path` leads through no link. Throws SystemFailure, EBUSY when a recorder has it locked. */
  static open(operation: string, path: string): Original {
    const feed = new FileFeed(path);
    try {
      const stats = fstatSync(feed.fd, { bigint: true });
      const file = { fd: feed.fd, path, inode: Number(stats.ino), device: Number(stats.dev) };
      if (isHeldByAnother(file)) throw locked(operation, path);
      return new Original(operation, file, stats, lastChainOf(path));
    } catch (error) {
      feed.close();
      throw error;
    }
  }

  /** SystemFailure EBUSY unless this very file still stands at its path, and is what was read. */
  assertUnchanged(): void {
    const { operation, file } = this;
    const { path } = file;
    if (isHeldByAnother(file)) throw locked(operation, path);
    assertNotHeld(operation, path);
    if (standsAt(realReadDisk, path, file) && this.#isAsItWas()) return;
    throw new SystemFailure(operation, 'EBUSY', `${path}: changed while it was read; it was left as it is`);
  }

  close(): void {
    realReadDisk.close(this.file);
  }

  /** The times tell of what neither size nor last hash shows: a byte changed, a name given away and back. */
  #isAsItWas(): boolean {
    const { size, mtimeNs, ctimeNs } = fstatSync(this.file.fd, { bigint: true });
    const { stats, file, lastChain } = this;
    return (
      size === stats.size &&
      mtimeNs === stats.mtimeNs &&
      ctimeNs === stats.ctimeNs &&
      lastChainOf(file.path) === lastChain
    );
  }
}

/** Undefined of format 2, which has no hashes. */
function lastChainOf(path: string): string | undefined {
  return endOf(realReadDisk, path)?.lastFile.chain;
}

/** Takes the lock where it can be had: the system's list of locks does not show those of other containers. */
function isHeldByAnother({ fd, inode, device }: LogFile): boolean {
  try {
    return !flock(fd, true, true);
  } catch (error) {
    // Without koffi, or on NFS, which locks only what is open for writing.
    if (!(error instanceof SystemFailure)) throw error;
    return isLocked({ dev: device, ino: inode });
  }
}

export function locked(operation: string, path: string): SystemFailure {
  const what = `${path}: is locked by a recorder, ${operation} it once it is closed`;
  return new SystemFailure(operation, 'EBUSY', what);
}
