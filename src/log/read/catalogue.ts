/**
 * All files that a template could have named, with what their headers say, in the order of their chain. One
 * open and one read per file, so that a start is quick in a directory of many.
 */
import type { FileFacts, ReadDisk } from '../../base/disk/disk.js';
import { isNumbered } from '../../base/disk/numbered.js';
import { DamageError, SystemFailure } from '../../base/errors.js';
import type { FileEnd, FileMeta } from '../format/file-meta.js';
import { LIVE_SUFFIX } from '../format/format.js';
import { fileName, fileNameAt, withoutPacking } from '../format/names.js';
import { endOf, headerAt, namesByDirectory } from './own-files.js';
import { isOwn, type Recorder } from './ownership.js';

export interface CataloguedFile {
  readonly path: string;
  readonly isLive: boolean;
  readonly facts: FileFacts;
  /** Undefined when it has no header that can be read. */
  readonly meta: FileMeta | undefined;
}

/** A file whose header is this recorder's. */
export interface OwnFile extends CataloguedFile {
  readonly meta: FileMeta;
}

/** One file each time. What is gone by the time it is looked at is left out. */
export function* lookAtFiles(disk: ReadDisk, template: string): Generator<CataloguedFile, void, void> {
  for (const paths of namesByDirectory(disk, template))
    for (const path of paths) {
      const file = lookAt(disk, path);
      if (file !== undefined) yield file;
    }
}

/** Undefined when there is no such file, or it cannot be opened. */
export function lookAt(disk: ReadDisk, path: string): CataloguedFile | undefined {
  try {
    const facts = disk.stat(path);
    if (facts === undefined || facts.kind !== 'file') return undefined;
    return { path, isLive: path.endsWith(LIVE_SUFFIX), facts, meta: headerAt(disk, path) };
  } catch (error) {
    if (!(error instanceof SystemFailure)) throw error;
    return undefined;
  }
}

export function ownFiles(files: Iterable<CataloguedFile>, recorder: Recorder): OwnFile[] {
  const own: OwnFile[] = [];
  for (const file of files)
    if (
      file.meta !== undefined &&
      isOwn(file.meta, recorder) &&
      isNamedByTemplate(file.path, file.meta, recorder)
    )
      own.push(file as OwnFile);
  // Of copies the one with the shortest name counts, which is the one that was copied.
  own.sort((a, b) => inOrder(a, b) || a.path.length - b.path.length);
  return own.filter((file, i) => i === 0 || !isSameFile(file, own[i - 1]));
}

function isSameFile(a: OwnFile, b: OwnFile): boolean {
  return a.meta.runId === b.meta.runId && inOrder(a, b) === 0 && a.isLive === b.isLive;
}

/**
 * Not a copy with a longer name, whatever its header says: what the template gave then, or that numbered. An
 * archive that was moved has another template in its headers than its recorder has now.
 */
function isNamedByTemplate(path: string, meta: FileMeta, { template }: Recorder): boolean {
  const { openedUs, namedUs = openedUs, utcOffsetSeconds } = meta;
  const finalPath = path.endsWith(LIVE_SUFFIX) ? path.slice(0, -LIVE_SUFFIX.length) : withoutPacking(path);
  return [meta.template, template].some(
    (from) =>
      isNumbered(finalPath, fileNameAt(from, namedUs, utcOffsetSeconds)) ||
      isNumbered(finalPath, fileName(from, namedUs)),
  );
}

export function inOrder(a: OwnFile, b: OwnFile): number {
  return byNumber(a.meta, b.meta);
}

/** Numbered files by their number, files of before ahead of them by the time that opened them. */
export function byNumber(a: FileMeta, b: FileMeta): number {
  return (a.fileNumber ?? 0) - (b.fileNumber ?? 0) || a.openedUs - b.openedUs;
}

export interface Tip {
  readonly file: OwnFile;
  readonly end: FileEnd;
}

/**
 * The end of the chain: the last of the finished files (in order) whose last hash no other own file names.
 * A squeezed file stands for the one whose last hash it tells. Neither clocks nor names have a say, except
 * among files of before that nobody names.
 */
export function findTip(disk: ReadDisk, inOrderFiles: readonly OwnFile[]): Tip | undefined {
  const namedBy = new Map<string, OwnFile>();
  for (const file of inOrderFiles)
    if (file.meta.previous !== undefined) namedBy.set(file.meta.previous.chain, file);
  const finished = inOrderFiles.filter(({ isLive }) => !isLive);
  const seen = new Set<OwnFile>();
  for (let at = finished.length - 1; at >= 0; at--) {
    const found = follow(disk, finished[at], namedBy, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** From a file along those that name it; undefined when the way leads to none that is closed. */
function follow(
  disk: ReadDisk,
  start: OwnFile,
  namedBy: ReadonlyMap<string, OwnFile>,
  seen: Set<OwnFile>,
): Tip | undefined {
  let tip: Tip | undefined;
  for (let file: OwnFile | undefined = start; file !== undefined && !seen.has(file); ) {
    seen.add(file);
    const end = endToContinue(disk, file);
    if (end === undefined) return tip;
    tip = { file, end };
    file = namedBy.get(end.lastFile.chain);
  }
  return tip;
}

/** What continues a finished file: its end, or that of the one it stands for. Undefined without an end. */
export function endToContinue(disk: ReadDisk, { path, meta }: OwnFile): FileEnd | undefined {
  try {
    const end = endOf(disk, path);
    if (end === undefined) return undefined;
    const chain = meta.origin?.lastChain ?? end.lastFile.chain;
    // A file without a row tells of no time but that of its beginning.
    const seenUntilUs = Math.max(end.seenUntilUs, meta.openedUs);
    return { seenUntilUs, lastFile: { ...end.lastFile, chain, runId: meta.runId } };
  } catch (error) {
    if (!(error instanceof SystemFailure || error instanceof DamageError)) throw error;
    return undefined;
  }
}
