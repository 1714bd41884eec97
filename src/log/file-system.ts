/** The file system behind the writer: few methods, so that a test can fail any of them at any call. All throw SystemFailure. */
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { errnoCode, SystemFailure } from '../errors.js';
import { captureSupport, flock, renameNoReplace } from '../netlink/libc.js';

export interface LogFileSystem {
  /** Create a file that must not exist; its directories are made. Symbolic links are not followed. Answers a descriptor. */
  create(path: string): number;
  /** Open an existing file for reading and writing. */
  open(path: string): number;
  /** Write all of [from, to) at `position`; a short write is an error. */
  write(fd: number, bytes: Uint8Array, from: number, to: number, position: number): void;
  /** fdatasync. After it failed, what is on disk is not known. */
  sync(fd: number): void;
  truncate(fd: number, lengthBytes: number): void;
  close(fd: number): void;
  /** True while some name leads to the file. */
  hasName(fd: number): boolean;
  exists(path: string): boolean;
  /** Give a file its new name, durably; never replaces anything (EEXIST). */
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Make the directory's entries durable. */
  syncDirectory(path: string): void;
  /** False when somebody else holds the lock. */
  lock(fd: number): boolean;
}

const FILE_MODE = 0o640;
const DIRECTORY_MODE = 0o750;
// Windows has neither; there, names are not shared with hostile users.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;

class RealFileSystem implements LogFileSystem {
  /** renameat2 and flock need libc; without it link and unlink do the same, and nothing locks. */
  readonly #native = captureSupport().available;

  create(path: string): number {
    return attempt('create', path, () => {
      const directory = path.slice(0, path.lastIndexOf('/') + 1);
      if (directory !== '') mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
      return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW, FILE_MODE);
    });
  }

  open(path: string): number {
    return attempt('open', path, () => openSync(path, constants.O_RDWR | NO_FOLLOW));
  }

  write(fd: number, bytes: Uint8Array, from: number, to: number, position: number): void {
    attempt('write', '', () => {
      while (from < to) {
        const written = writeSync(fd, bytes, from, to - from, position);
        if (written === 0) throw Object.assign(new Error('nothing written'), { code: 'EIO' });
        from += written;
        position += written;
      }
    });
  }

  sync(fd: number): void {
    attempt('fdatasync', '', () => fdatasyncSync(fd));
  }

  truncate(fd: number, lengthBytes: number): void {
    attempt('ftruncate', '', () => ftruncateSync(fd, lengthBytes));
  }

  close(fd: number): void {
    attempt('close', '', () => closeSync(fd));
  }

  hasName(fd: number): boolean {
    return attempt('fstat', '', () => fstatSync(fd).nlink > 0);
  }

  exists(path: string): boolean {
    return existsSync(path);
  }

  rename(from: string, to: string): void {
    if (this.#native) {
      try {
        renameNoReplace(from, to);
        return;
      } catch (error) {
        const code = errnoCode(error);
        if (code !== 'ENOSYS' && code !== 'EINVAL') throw error;
      }
    }
    attempt('rename', to, () => {
      try {
        linkSync(from, to);
      } catch (error) {
        // A file system without hard links: the check and the rename are two steps there.
        if (errnoCode(error) === 'EEXIST' || existsSync(to)) throw Object.assign(new Error(), { code: 'EEXIST' });
        renameSync(from, to);
        return;
      }
      unlinkSync(from);
    });
  }

  remove(path: string): void {
    attempt('unlink', path, () => unlinkSync(path));
  }

  syncDirectory(path: string): void {
    if (process.platform === 'win32') return; // directories cannot be opened there
    attempt('fsync directory', path, () => {
      const fd = openSync(path, constants.O_RDONLY);
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }

  lock(fd: number): boolean {
    return this.#native ? flock(fd, true, true) : true;
  }
}

export const realFileSystem: LogFileSystem = new RealFileSystem();

/** Run a call; its errno becomes a SystemFailure of one line. */
function attempt<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const code = errnoCode(error);
    const where = path === '' ? '' : `${path}: `;
    throw new SystemFailure(operation, code, `${where}${operation} failed (${code})`, { path, cause: error });
  }
}
