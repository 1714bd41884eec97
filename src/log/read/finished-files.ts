/**
 * The finished files of one recorder, for its retention: names that the template gives, headers that name
 * this recorder. Writer thread; looks in small steps, and reads a header once, not at every look.
 */
import { lstatSync, type Stats } from 'node:fs';
import { isSystemError } from '../../base/errors.js';
import type { FileMeta } from '../format/file-meta.js';
import { LIVE_SUFFIX } from '../format/format.js';
import { fileNameAt } from '../format/names.js';
import { namesByDirectory, ownFile, type Recorder } from './own-files.js';

export interface FinishedFile {
  readonly path: string;
  readonly bytes: number;
  /** Tell it from another file that has its name later. */
  readonly inode: number;
  readonly device: number;
  /** The time that named it. */
  readonly openedUs: number;
  /** Last hash, hex, of the file that a squeezed one stands for: the file after it names that. */
  readonly originChain?: string;
}

/** What a look at a file found, for as long as the file does not change. */
interface Known {
  readonly inode: number;
  readonly mtimeMs: number;
  /** Undefined: not this recorder's. */
  readonly file: FinishedFile | undefined;
}

export class FinishedFiles {
  #known = new Map<string, Known>();

  constructor(readonly recorder: Recorder) {}

  /** Look at all files, one more each time; answers those that are this recorder's, oldest first. */
  *look(): Generator<void, FinishedFile[], void> {
    const known = new Map<string, Known>();
    for (const paths of namesByDirectory(this.recorder.template)) {
      for (const path of paths) {
        if (path.endsWith(LIVE_SUFFIX)) continue;
        const found = this.#lookAt(path);
        if (found !== undefined) known.set(path, found);
        yield;
      }
      yield;
    }
    this.#known = known;
    const files = [...known.values()].flatMap(({ file }) => (file === undefined ? [] : [file]));
    return files.sort((a, b) => a.openedUs - b.openedUs);
  }

  #lookAt(path: string): Known | undefined {
    const stats = statsOf(path);
    if (stats === undefined || !stats.isFile()) return undefined;
    const { ino: inode, dev: device, mtimeMs, size: bytes } = stats;
    const before = this.#known.get(path);
    if (before !== undefined && before.inode === inode && before.mtimeMs === mtimeMs) return before;
    const meta = ownFile(path, this.recorder)?.meta;
    if (meta === undefined || !isNamedByTemplate(path, meta)) return { inode, mtimeMs, file: undefined };
    const { openedUs, origin } = meta;
    const file = {
      path,
      bytes,
      inode,
      device,
      openedUs,
      ...(origin !== undefined && { originChain: origin.lastChain }),
    };
    return { inode, mtimeMs, file };
  }
}

/** Undefined when it is gone or cannot be asked about. */
function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return undefined;
  }
}

/**
 * Not a copy with a longer name, whatever its header says: exactly what the template gave then, or that with
 * `.1`, `.2`, ...
 */
function isNamedByTemplate(path: string, { template, openedUs, utcOffsetSeconds }: FileMeta): boolean {
  if (!Number.isSafeInteger(openedUs) || !Number.isSafeInteger(utcOffsetSeconds)) return false;
  const name = fileNameAt(template, openedUs, utcOffsetSeconds);
  return path.startsWith(name) && /^(\.\d+)?$/.test(path.slice(name.length));
}
