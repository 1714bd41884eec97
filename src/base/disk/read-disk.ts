/** The real disk, as far as it is only looked at: by Node alone, on any system. */
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import type { ErrnoCode } from '../errno.js';
import { errnoCode, isSystemError, SystemFailure, systemErrorText } from '../errors.js';
import type { DirectoryEntry, FileFacts, FileKind, LogFile, ReadDisk } from './disk.js';

// Windows has no pipes among files.
const { O_NONBLOCK = 0 } = constants;
const LEADS_NOWHERE: ReadonlySet<ErrnoCode | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

export const realReadDisk: ReadDisk = {
  openToRead(path) {
    return openFile('open', path, constants.O_RDONLY | O_NONBLOCK);
  },

  read({ fd, path }, into, offset, length, position) {
    return attempt('read', path, () => readSync(fd, into, offset, length, position));
  },

  factsOf({ fd, path }) {
    return attempt('stat', path, () => factsFrom(fstatSync(fd)));
  },

  close({ fd, path }) {
    attempt('close', path, () => closeSync(fd));
  },

  stat(path) {
    // Not existsSync: a link to nowhere takes the name too.
    const stats = attempt('stat', path, () => lstatSync(path, { throwIfNoEntry: false }));
    return stats && factsFrom(stats);
  },

  realPath(path) {
    try {
      return realpathSync(path);
    } catch (error) {
      if (LEADS_NOWHERE.has(errnoCode(error))) return undefined;
      throw systemFailure('resolve', path, error);
    }
  },

  entries(directory) {
    try {
      return readdirSync(directory, { withFileTypes: true }).map(entryFrom);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      return [];
    }
  },
};

export function openFile(operation: string, path: string, flags: number, mode?: number): LogFile {
  return attempt(operation, path, () => {
    const fd = openSync(path, flags, mode);
    const { ino, dev } = fstatSync(fd);
    return { fd, path, inode: ino, device: dev };
  });
}

export function attempt<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw systemFailure(operation, path, error);
  }
}

/** A system's error as a SystemFailure of this operation and path; any other as it is. */
export function systemFailure(operation: string, path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const message = `${operation} ${path}: ${systemErrorText(error)}`;
  return new SystemFailure(operation, errnoCode(error)!, message, { path, cause: error });
}

function factsFrom(stats: Stats): FileFacts {
  const { ino, dev, size, nlink, mtimeMs } = stats;
  return { kind: kindOf(stats), inode: ino, device: dev, bytes: size, links: nlink, modifiedMs: mtimeMs };
}

function entryFrom(entry: Dirent): DirectoryEntry {
  return { name: entry.name, kind: kindOf(entry) };
}

function kindOf(of: Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): FileKind {
  if (of.isFile()) return 'file';
  if (of.isDirectory()) return 'directory';
  return of.isSymbolicLink() ? 'link' : 'other';
}
