/**
 * `-P`: the process id in a file that is locked while its owner lives. A file that nobody locks and whose process is gone, or is
 * something else by now, is stale and taken over.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { SystemFailure } from '../errors.js';
import { flock } from '../netlink/libc.js';

const MODE = 0o644;
const PROGRAM = 'ctrecorder';

export class PidFile {
  readonly #path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  /** Throws SystemFailure EEXIST while another recorder runs, or when the file holds something else than a process id. */
  static create(path: string): PidFile {
    for (;;) {
      // In place, not unlinked and made again: of two that find a stale file only one gets the lock.
      const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, MODE);
      try {
        if (!flock(fd, true, true)) throw running(path, readFileSync(fd, 'latin1').trim());
        if (statSync(path, { throwIfNoEntry: false })?.ino !== fstatSync(fd).ino) {
          closeSync(fd); // its owner removed it between our open and our lock
          continue;
        }
        refuseIfLive(path, readFileSync(fd, 'latin1').trim());
        ftruncateSync(fd);
        writeSync(fd, `${process.pid}\n`, 0);
        return new PidFile(path, fd);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    }
  }

  /** At exit. In a directory where the reduced rights allow no removal the file is left empty, which counts as stale. */
  remove(): void {
    try {
      unlinkSync(this.#path);
    } catch {
      ftruncateSync(this.#fd);
    }
    closeSync(this.#fd);
  }
}

/** Nobody holds the lock: a recorder that does not lock (the ancestor) may still be alive. */
function refuseIfLive(path: string, content: string): void {
  if (content === '') return;
  if (!/^\d{1,10}$/.test(content)) {
    const what = `${path}: is no pid file and will not be overwritten; give -P another name`;
    throw new SystemFailure('create pid file', 'EEXIST', what, { path });
  }
  if (Number(content) !== process.pid && commandLine(content).includes(PROGRAM)) throw running(path, content);
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
