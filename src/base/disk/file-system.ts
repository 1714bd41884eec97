/**
 * The file system as the writer needs it, so that tests can fail it at every call. Calls are synchronous (the
 * writer has a thread of its own), and every error is a SystemFailure with the errno's name and the path.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { ErrnoCode } from '../errno.js';
import { errnoCode, isSystemError, SystemFailure, systemErrorText } from '../errors.js';
import { flock, renameNoReplace } from '../libc/file.js';
import { DEFAULT_FILE_MODE, directoryModeOf } from './file-mode.js';
import { closeAndFree } from './free-slowly.js';

export interface LogFile {
  readonly fd: number;
  readonly path: string;
  /** Tell it from another file that later has its name or its descriptor's number. */
  readonly inode: number;
  readonly device: number;
}

export interface LogFileSystem {
  /** A new file, writable; EEXIST when the name is taken, also by a link. */
  create(path: string): LogFile;
  /** An existing file, readable and writable; links are not followed. */
  open(path: string): LogFile;
  /** False when somebody else has it locked. Held until the file is closed. */
  lock(file: LogFile): boolean;
  /**
   * Write at `position`; answers how many bytes, which may be fewer than asked for. EBADF, as below, when the
   * descriptor is lost.
   */
  write(file: LogFile, bytes: Uint8Array, offset: number, length: number, position: number): number;
  /** Make the file's contents durable. After a failure the descriptor must not be trusted again. */
  sync(file: LogFile): void;
  truncate(file: LogFile, lengthBytes: number): void;
  /** False when the file has no name any more: whatever is written to it is lost. */
  isLinked(file: LogFile): boolean;
  close(file: LogFile): void;
  /** Close a removed file on another thread, and free its space slowly. Never rejects. */
  closeLater(file: LogFile): Promise<void>;
  /** Never replaces: EEXIST when `to` exists. */
  rename(from: string, to: string): void;
  remove(path: string): void;
  exists(path: string): boolean;
  /** Free space that this user may fill, in the file system that holds `path`. */
  freeBytes(path: string): number;
  /** With its parents, durable. */
  makeDirectory(path: string): void;
  /** Make names in a directory durable. */
  syncDirectory(path: string): void;
}

/** What a platform or file system answers that has no such call. */
const UNSUPPORTED: ReadonlySet<ErrnoCode | undefined> = new Set([
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EINVAL',
  'ENOLCK',
]);
// Windows has no links that a stranger could leave in the way.
const { O_NOFOLLOW = 0 } = constants;

export const realFileSystem = fileSystemWithMode(DEFAULT_FILE_MODE);

/** The real file system; what it makes gets this mode whatever the umask, directories with x where r is. */
export function fileSystemWithMode(fileMode: number): LogFileSystem {
  const directoryMode = directoryModeOf(fileMode);
  return {
    create(path) {
      const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | O_NOFOLLOW;
      const file = opened('create', path, flags, fileMode);
      undoUmask(() => fchmodSync(file.fd, fileMode));
      return file;
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

    write(file, bytes, offset, length, position) {
      return attempt('write', file.path, () => writeSync(ownFd(file), bytes, offset, length, position));
    },

    sync({ fd, path }) {
      attempt('fdatasync', path, () => fdatasyncSync(fd));
    },

    truncate(file, lengthBytes) {
      attempt('truncate', file.path, () => ftruncateSync(ownFd(file), lengthBytes));
    },

    isLinked(file) {
      return attempt('stat', file.path, () => fstatSync(ownFd(file)).nlink > 0);
    },

    close(file) {
      attempt('close', file.path, () => closeSync(ownFd(file)));
    },

    closeLater(file) {
      return closeAndFree(file.fd);
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

    freeBytes(path) {
      const { bavail, bsize } = attempt('statfs', path, () => statfsSync(path));
      return bavail * bsize;
    },

    makeDirectory(path) {
      if (this.exists(path)) return;
      // Not mkdir's own recursion: it never returns where an existing parent answers ENOENT, as /proc does
      // (Node 20).
      const parent = dirname(path);
      this.makeDirectory(parent);
      try {
        mkdirSync(path, { mode: directoryMode });
        undoUmask(() => setDirectoryMode(path, directoryMode));
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
}

/** Set-group-id and the like, which a new directory takes over from its parent. */
const SPECIAL_BITS = 0o7000;

/** By a descriptor: who may write in its parent could have put a link to any other directory in its place. */
function setDirectoryMode(path: string, directoryMode: number): void {
  const fd = openSync(path, constants.O_RDONLY | O_NOFOLLOW);
  try {
    fchmodSync(fd, (fstatSync(fd).mode & SPECIAL_BITS) | directoryMode);
  } finally {
    closeSync(fd);
  }
}

/**
 * Where modes cannot be set (vfat), what was made has fewer rights than asked for or those of the mount: no
 * reason not to record.
 */
function undoUmask(setMode: () => void): void {
  try {
    setMode();
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

function opened(operation: string, path: string, flags: number, mode?: number): LogFile {
  return attempt(operation, path, () => {
    const fd = openSync(path, flags, mode);
    const { ino, dev } = fstatSync(fd);
    return { fd, path, inode: ino, device: dev };
  });
}

/**
 * The descriptor; EBADF when somebody closed it and another file has its number by now: that one is not ours
 * to touch.
 */
function ownFd({ fd, inode, device }: LogFile): number {
  const { ino, dev } = fstatSync(fd);
  if (ino === inode && dev === device) return fd;
  throw new SystemFailure('fstat', 'EBADF', 'another file has the descriptor');
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

/** A system's error as a SystemFailure of this operation and path; any other as it is. */
function failure(operation: string, path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const message = `${operation} ${path}: ${systemErrorText(error)}`;
  return new SystemFailure(operation, errnoCode(error)!, message, { path, cause: error });
}
