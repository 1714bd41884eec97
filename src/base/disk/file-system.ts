/** The real disk of a recorder: its writer has a thread of its own, so calls may wait. */
import {
  closeSync,
  constants,
  fchmodSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { ErrnoCode } from '../errno.js';
import { errnoCode, isSystemError, SystemFailure } from '../errors.js';
import { flock, renameNoReplace } from '../libc/file.js';
import type { LogFile, LogFileSystem } from './disk.js';
import { DEFAULT_FILE_MODE, directoryModeOf } from './file-mode.js';
import { closeAndFree } from './free-slowly.js';
import { numbered } from './numbered.js';
import { attempt, openFile, realReadDisk, systemFailure } from './read-disk.js';

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
    ...realReadDisk,

    create(path) {
      const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | O_NOFOLLOW;
      const file = explainInodes(path, () => openFile('create', path, flags, fileMode));
      undoUmask(() => fchmodSync(file.fd, fileMode));
      return file;
    },

    open(path) {
      return openFile('open', path, constants.O_RDWR | O_NOFOLLOW);
    },

    lock({ fd, path }) {
      try {
        return flock(fd, true, true);
      } catch (error) {
        // Recording is worth more than the lock.
        if (UNSUPPORTED.has(errnoCode(error))) return true;
        throw systemFailure('lock', path, error);
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
      return closeAndFree(file);
    },

    rename(from, to) {
      try {
        renameNoReplace(from, to);
      } catch (error) {
        if (!UNSUPPORTED.has(errnoCode(error))) throw systemFailure('rename', to, error);
        attempt('link', to, () => linkSync(from, to));
        this.remove(from);
      }
    },

    replace(from, to) {
      attempt('rename', to, () => renameSync(from, to));
    },

    remove(path) {
      attempt('remove', path, () => unlinkSync(path));
    },

    exists(path) {
      return this.stat(path) !== undefined;
    },

    freeBytes(path) {
      const { bavail, bsize } = attempt('statfs', path, () => statfsSync(path));
      return bavail * bsize;
    },

    freeInodes(path) {
      const { files, ffree } = attempt('statfs', path, () => statfsSync(path));
      return files === 0 ? Number.POSITIVE_INFINITY : ffree;
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
        if (errnoCode(error) !== 'EEXIST') throw systemFailure('make directory', path, error);
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

/** A disk with room for bytes and none for files says the same as a full one. */
function explainInodes<T>(path: string, create: () => T): T {
  try {
    return create();
  } catch (error) {
    if (errnoCode(error) !== 'ENOSPC' || !lacksInodes(dirname(path))) throw error;
    const what = `create ${path}: the file system has no inode left, so it can hold no more files (ENOSPC)`;
    throw new SystemFailure('create', 'ENOSPC', what, { path, cause: error });
  }
}

function lacksInodes(directory: string): boolean {
  try {
    const { files, ffree } = statfsSync(directory);
    return files > 0 && ffree === 0;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return false;
  }
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

/** Rename to `to`, or to that with a number when it is taken; answers the name it got. */
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
