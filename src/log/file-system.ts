/**
 * The file system as the writer needs it, so that tests can fail it at every call. All calls are synchronous (the writer has a
 * thread of its own), and every error is a SystemFailure with the errno's name and the path.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { errnoCode, SystemFailure } from '../errors.js';
import { flock, renameNoReplace } from '../netlink/libc.js';

export interface LogFile {
  readonly fd: number;
  readonly path: string;
  /** Tells it from another file that has its name later. */
  readonly inode: number;
}

export interface LogFileSystem {
  /** A new file, writable; EEXIST when the name is taken, also by a link. */
  create(path: string): LogFile;
  /** An existing file, readable and writable; links are not followed. */
  open(path: string): LogFile;
  /** False when somebody else has it locked. Held until the file is closed. */
  lock(file: LogFile): boolean;
  /** Write at `position`; answers how many bytes, which may be fewer than asked for. */
  write(file: LogFile, bytes: Uint8Array, offset: number, length: number, position: number): number;
  /** Make the file's contents durable. After a failure the descriptor must not be trusted again. */
  sync(file: LogFile): void;
  truncate(file: LogFile, lengthBytes: number): void;
  /** False when the file has no name any more: whatever is written to it is lost. */
  isLinked(file: LogFile): boolean;
  close(file: LogFile): void;
  /** Never replaces: EEXIST when `to` exists. */
  rename(from: string, to: string): void;
  remove(path: string): void;
  exists(path: string): boolean;
  /** With its parents, durable. */
  makeDirectory(path: string): void;
  /** Make names in a directory durable. */
  syncDirectory(path: string): void;
}

const FILE_MODE = 0o640;
const DIRECTORY_MODE = 0o750;
/** What a platform or file system answers that has no such call. */
const UNSUPPORTED = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'ENOLCK']);
// Windows has no links that a stranger could leave in the way.
const { O_NOFOLLOW = 0 } = constants;

export const realFileSystem: LogFileSystem = {
  create(path) {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | O_NOFOLLOW;
    return opened('create', path, flags);
  },

  open(path) {
    return opened('open', path, constants.O_RDWR | O_NOFOLLOW);
  },

  lock({ fd, path }) {
    try {
      return flock(fd, true, true);
    } catch (error) {
      // Recording is worth more than the lock.
      if (UNSUPPORTED.has(errnoCode(error))) return true;
      throw failure('lock', path, error);
    }
  },

  write({ fd, path }, bytes, offset, length, position) {
    return attempt('write', path, () => writeSync(fd, bytes, offset, length, position));
  },

  sync({ fd, path }) {
    attempt('fdatasync', path, () => fdatasyncSync(fd));
  },

  truncate({ fd, path }, lengthBytes) {
    attempt('truncate', path, () => ftruncateSync(fd, lengthBytes));
  },

  isLinked({ fd, path }) {
    return attempt('stat', path, () => fstatSync(fd).nlink > 0);
  },

  close({ fd, path }) {
    attempt('close', path, () => closeSync(fd));
  },

  rename(from, to) {
    try {
      renameNoReplace(from, to);
    } catch (error) {
      if (!UNSUPPORTED.has(errnoCode(error))) throw failure('rename', to, error);
      attempt('link', to, () => linkSync(from, to));
      this.remove(from);
    }
  },

  remove(path) {
    attempt('remove', path, () => unlinkSync(path));
  },

  exists(path) {
    // Not existsSync: a link to nowhere takes the name too.
    return attempt('stat', path, () => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
  },

  makeDirectory(path) {
    if (this.exists(path)) return;
    // Not mkdir's own recursion: it never returns where an existing parent answers ENOENT, as /proc does (Node 20).
    const parent = dirname(path);
    this.makeDirectory(parent);
    try {
      mkdirSync(path, { mode: DIRECTORY_MODE });
    } catch (error) {
      // Another recorder was faster.
      if (errnoCode(error) !== 'EEXIST') throw failure('make directory', path, error);
    }
    // A new directory is durable when its name in its parent is.
    this.syncDirectory(parent);
  },

  syncDirectory(path) {
    if (process.platform === 'win32') return; // directories cannot be opened there
    attempt('fsync directory', path, () => {
      const fd = openSync(path, 'r');
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  },
};

function opened(operation: string, path: string, flags: number): LogFile {
  return attempt(operation, path, () => {
    const fd = openSync(path, flags, FILE_MODE);
    return { fd, path, inode: fstatSync(fd).ino };
  });
}

/** Write all of it, however many calls that takes. A failure may leave a part written. */
export function writeAll(
  fs: LogFileSystem,
  file: LogFile,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  let done = 0;
  while (done < length) {
    const written = fs.write(file, bytes, offset + done, length - done, position + done);
    if (written === 0)
      throw new SystemFailure('write', 'EIO', `write ${file.path}: nothing was written`, { path: file.path });
    done += written;
  }
}

/** Rename to `to`, or to `to.1`, `to.2`, ... when that is taken; answers the name it got. */
export function renameNumbered(fs: LogFileSystem, from: string, to: string): string {
  for (let number = 0; ; number++) {
    const name = numbered(to, number);
    try {
      fs.rename(from, name);
      return name;
    } catch (error) {
      if (errnoCode(error) !== 'EEXIST') throw error;
    }
  }
}

/** NAME, NAME.1, NAME.2, ... */
export function numbered(path: string, number: number): string {
  return number === 0 ? path : `${path}.${number}`;
}

function attempt<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw failure(operation, path, error);
  }
}

function failure(operation: string, path: string, error: unknown): SystemFailure {
  const code = errnoCode(error);
  const errno = (error as { errno?: unknown }).errno;
  const text = typeof errno === 'number' ? getSystemErrorMap().get(errno)?.[1] : undefined;
  const message = `${operation} ${path}: ${text === undefined ? code : `${text} (${code})`}`;
  return new SystemFailure(operation, code, message, { path, cause: error });
}
