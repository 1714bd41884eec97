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
import { getSystemErrorMap } from 'node:util';
import { errnoCode, SystemFailure } from '../errors.js';
import type { DirectoryEntry, FileFacts, FileKind, LogFile, ReadDisk } from './disk.js';

// Windows has no pipes among files.
const { O_NONBLOCK = 0 } = constants;

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
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoCode(error))) return undefined;
      throw systemFailure('resolve', path, error);
    }
  },

  entries(directory) {
    try {
      return readdirSync(directory, { withFileTypes: true }).map(entryFrom);
    } catch (error) {
      if (errnoCode(error) === 'UNKNOWN') throw error;
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

export function systemFailure(operation: string, path: string, error: unknown): SystemFailure {
  const code = errnoCode(error);
  const errno = (error as { errno?: unknown }).errno;
  const text = typeof errno === 'number' ? getSystemErrorMap().get(errno)?.[1] : undefined;
  const message = `${operation} ${path}: ${text === undefined ? code : `${text} (${code})`}`;
  return new SystemFailure(operation, code, message, { path, cause: error });
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
