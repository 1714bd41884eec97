/**
 * `-P`: the process id in a file that is locked while its owner lives. A file that nobody locks and whose
 * process is gone, or is something else by now, is stale and taken over.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { realReadDisk } from '../../base/disk/read-disk.js';
import { standsAt } from '../../base/disk/same-file.js';
import { SystemFailure } from '../../base/errors.js';
import { flock } from '../../base/libc/file.js';

/** Who can open it can lock it. */
const MODE = 0o640;
/** More is no pid file. */
const CONTENT_BYTES_MAX = 32;
const PROGRAM = 'ctrecorder';

export class PidFile {
  #closed = false;

  private constructor(
    readonly path: string,
    readonly fd: number,
  ) {}

  /**
   * Lock the file, made when there is none. It may be handed to another process with its descriptor, the lock
   * goes with it. Throws SystemFailure EEXIST while another recorder runs, or when the file holds something
   * else than a process id.
   */
  static open(path: string): PidFile {
    for (;;) {
      // In place, not unlinked and made again: of two that find a stale file only one gets the lock.
      const fd = openSync(
        path,
        constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK,
        MODE,
      );
      try {
        const stats = statsOf(path, fd);
        if (!flock(fd, true, true)) throw running(path, contentOf(fd));
        if (hasName(path, stats)) {
          refuseIfLive(path, contentOf(fd));
          return new PidFile(path, fd);
        }
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      closeSync(fd); // its owner removed it between our open and our lock
    }
  }

  /** The file that another process has opened and handed over. Throws SystemFailure when it is none. */
  static adopt(path: string, fd: number): PidFile {
    statsOf(path, fd);
    return new PidFile(path, fd);
  }

  /** Put this process into it. */
  write(): void {
    ftruncateSync(this.fd);
    writeSync(this.fd, `${process.pid}\n`, 0);
  }

  /**
   * At exit. False when it was left alone, because another file now has its name, or none. In a directory
   * where the reduced rights allow no removal the file is left empty, which counts as stale. Safe to repeat.
   */
  remove(): boolean {
    if (this.#closed) return true;
    const { path, fd } = this;
    try {
      if (!hasName(path, fstatSync(fd))) return false;
      unlinkSync(path);
    } catch {
      ftruncateSync(fd);
    } finally {
      this.#closed = true;
      closeSync(fd);
    }
    return true;
  }
}

/** Of a file that may be written and removed; throws SystemFailure when it can be no pid file. */
function statsOf(path: string, fd: number): Stats {
  const stats = fstatSync(fd);
  if (!stats.isFile() || stats.size > CONTENT_BYTES_MAX) throw noPidFile(path);
  return stats;
}

function hasName(path: string, { ino, dev }: Stats): boolean {
  return standsAt(realReadDisk, path, { inode: ino, device: dev });
}

function contentOf(fd: number): string {
  const bytes = Buffer.alloc(CONTENT_BYTES_MAX);
  return bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0)).trim();
}

/** Nobody holds the lock: a recorder that does not lock (the ancestor) may still be alive. */
function refuseIfLive(path: string, content: string): void {
  if (content === '') return;
  if (!/^\d{1,10}$/.test(content)) throw noPidFile(path);
  if (Number(content) !== process.pid && commandLine(content).includes(PROGRAM)) throw running(path, content);
}

function noPidFile(path: string): SystemFailure {
  const what = `${path}: is not a pid file and will not be overwritten: give -P another name`;
  return new SystemFailure('create pid file', 'EEXIST', what, { path });
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

function running(path: string, pid: string): SystemFailure {
  const what = `${path}: a recorder is running already, process ${pid || 'unknown'}; stop it or give -P another name`;
  return new SystemFailure('create pid file', 'EEXIST', what, { path });
}
