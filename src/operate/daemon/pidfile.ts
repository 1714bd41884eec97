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
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { SystemFailure } from '../../base/errors.js';
import { flock } from '../../base/libc/file.js';

/** Who can open it can lock it. */
const MODE = 0o640;
/** More is no pid file. */
const CONTENT_BYTES_MAX = 32;
const PROGRAM = 'ctrecorder';

export class PidFile {
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
        const stats = fstatSync(fd);
        if (!stats.isFile() || stats.size > CONTENT_BYTES_MAX) throw noPidFile(path);
        if (!flock(fd, true, true)) throw running(path, contentOf(fd));
        if (statSync(path, { throwIfNoEntry: false })?.ino === stats.ino) {
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

  /** The file that another process has opened and handed over. */
  static adopt(path: string, fd: number): PidFile {
    return new PidFile(path, fd);
  }

  /** Put this process into it. */
  write(): void {
    ftruncateSync(this.fd);
    writeSync(this.fd, `${process.pid}\n`, 0);
  }

  /**
   * At exit. In a directory where the reduced rights allow no removal the file is left empty, which counts as
   * stale.
   */
  remove(): void {
    try {
      unlinkSync(this.path);
    } catch {
      ftruncateSync(this.fd);
    }
    closeSync(this.fd);
  }
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
  const what = `${path}: is no pid file and will not be overwritten; give -P another name`;
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
