/**
 * Which files of a directory tree a recorder made earlier, and what they say about each other. Reads headers
 * and ends only.
 */
import { basename, join } from 'node:path';
import type { DirectoryEntry, LogFile, ReadDisk } from '../../base/disk/disk.js';
import { PayloadDamage, SystemFailure } from '../../base/errors.js';
import { END_TAIL_BYTES, parseEndTail } from '../format/end-block.js';
import type { EarlierRecording, FileMeta, PreviousFile } from '../format/file-meta.js';
import {
  BLOCK_HEADER_BYTES,
  BlockType,
  FILE_MAGIC,
  FILE_PREAMBLE_BYTES,
  FORMAT_MAJOR,
  LIVE_SUFFIX,
  MAX_JSON_BYTES,
} from '../format/format.js';
import { hex, parseFrame, payloadIsIntact } from '../format/frame.js';
import { type BlockPayload, parseEnd, parseWholeMeta } from '../format/json-blocks.js';
import type { NamePattern } from '../format/name-pattern.js';
import { templatePatterns } from '../format/names.js';

/** Newest files looked at to find the one that the chain goes on from. */
const CANDIDATES_MAX = 16;

export interface OwnFile {
  readonly path: string;
  readonly meta: FileMeta;
}

export interface Recorder {
  /** Absolute. */
  readonly template: string;
  readonly protocols: readonly number[] | 'all';
}

/** Paths of all files whose names the template could have given, live ones apart. */
export function filesOfTemplate(disk: ReadDisk, template: string): { live: string[]; closed: string[] } {
  const files = [...namesByDirectory(disk, template)].flat();
  return {
    live: files.filter((path) => path.endsWith(LIVE_SUFFIX)),
    closed: files.filter((path) => !path.endsWith(LIVE_SUFFIX)),
  };
}

/**
 * The same, live and closed together, directory by directory. Links are not followed, except in what the
 * template says literally.
 */
export function* namesByDirectory(disk: ReadDisk, template: string): Generator<string[], void, void> {
  const { directories, file } = templatePatterns(template);
  let paths = ['/'];
  for (const component of directories)
    paths =
      typeof component === 'string'
        ? paths.map((path) => join(path, component))
        : paths.flatMap((path) => namesIn(disk, path, component, 'directory'));
  for (const path of paths) yield namesIn(disk, path, file, 'file');
}

/**
 * What the file says about itself when this recorder made it; undefined otherwise, also when it cannot be
 * read.
 */
export function ownFile(disk: ReadDisk, path: string, recorder: Recorder): OwnFile | undefined {
  try {
    const meta = withFile(disk, path, (file) => headerOf(disk, file));
    const isOwn =
      meta !== undefined &&
      meta.template === recorder.template &&
      JSON.stringify(meta.protocols) === JSON.stringify(recorder.protocols);
    return isOwn ? { path, meta } : undefined;
  } catch (error) {
    if (!(error instanceof SystemFailure)) throw error;
    return undefined;
  }
}

/**
 * The newest file that this recorder closed: the next one continues its chain. Squeezed files are passed
 * over: they are rewritten.
 */
export function lastClosed(
  disk: ReadDisk,
  paths: readonly string[],
  recorder: Recorder,
): OwnFile | undefined {
  const newest = byModification(disk, paths).slice(0, CANDIDATES_MAX);
  let last: OwnFile | undefined;
  for (const path of newest) {
    const own = ownFile(disk, path, recorder);
    if (own === undefined || own.meta.squeezed) continue;
    if (own.meta.openedUs > (last?.meta.openedUs ?? 0)) last = own;
  }
  return last;
}

/** What later files say about the live ones, by base name: where such a file ends for its readers. */
export function namedPredecessors(
  disk: ReadDisk,
  live: readonly OwnFile[],
  closed: readonly string[],
  recorder: Recorder,
): Map<string, PreviousFile> {
  const oldestMs = Math.min(...live.map(({ path }) => modifiedMs(disk, path)));
  const successors = [...live];
  for (const path of byModification(disk, closed, oldestMs)) {
    const own = ownFile(disk, path, recorder);
    if (own !== undefined) successors.push(own);
  }
  const named = new Map<string, PreviousFile>();
  for (const { meta } of successors)
    if (meta.previous !== undefined) named.set(meta.previous.file, meta.previous);
  return named;
}

/** What continues a file that was closed properly; undefined of any other. Throws SystemFailure. */
export function endOf(disk: ReadDisk, path: string): EarlierRecording | undefined {
  return withFile(disk, path, (file) => endIn(disk, file));
}

function endIn(disk: ReadDisk, file: LogFile): EarlierRecording | undefined {
  const { bytes: size } = disk.factsOf(file);
  const tail = new Uint8Array(END_TAIL_BYTES);
  disk.read(file, tail, 0, tail.length, Math.max(0, size - tail.length));
  const offset = parseEndTail(tail);
  if (offset === undefined) return undefined;
  const end = blockAt(disk, file, offset, BlockType.end, parseEnd);
  if (end === undefined || offset + end.lengthBytes !== size) return undefined;
  const { closedUs, lastTimeUs } = end.value;
  const lastFile = { file: basename(file.path), acknowledgedBytes: size, chain: hex(end.chain) };
  return { lastFile, seenUntilUs: closedUs ?? lastTimeUs };
}

function headerOf(disk: ReadDisk, file: LogFile): FileMeta | undefined {
  const preamble = new Uint8Array(FILE_PREAMBLE_BYTES);
  disk.read(file, preamble, 0, preamble.length, 0);
  const isLog = FILE_MAGIC.every((byte, i) => preamble[i] === byte);
  if (!isLog || new DataView(preamble.buffer).getUint16(8, true) !== FORMAT_MAJOR) return undefined;
  return blockAt(disk, file, FILE_PREAMBLE_BYTES, BlockType.header, parseWholeMeta)?.value;
}

/**
 * The block of this type that stands at the offset, whole and with what `parse` takes; undefined when there
 * is none.
 */
function blockAt<T>(
  disk: ReadDisk,
  file: LogFile,
  offset: number,
  type: BlockType,
  parse: (block: BlockPayload) => T,
): { value: T; chain: Uint8Array; lengthBytes: number } | undefined {
  const header = new Uint8Array(BLOCK_HEADER_BYTES);
  if (disk.read(file, header, 0, header.length, offset) < header.length) return undefined;
  const frame = parseFrame(header, 0);
  if (typeof frame !== 'object' || frame.type !== type || frame.storedBytes > MAX_JSON_BYTES)
    return undefined;
  const { headerBytes, storedBytes, chain } = frame;
  const payload = new Uint8Array(storedBytes);
  if (disk.read(file, payload, 0, storedBytes, offset + headerBytes) < storedBytes) return undefined;
  if (!payloadIsIntact(payload, frame)) return undefined;
  try {
    return { value: parse({ frame, payload }), chain, lengthBytes: headerBytes + storedBytes };
  } catch (error) {
    if (error instanceof PayloadDamage) return undefined;
    throw error;
  }
}

function withFile<T>(disk: ReadDisk, path: string, read: (file: LogFile) => T): T {
  const file = disk.openToRead(path);
  try {
    return read(file);
  } finally {
    disk.close(file);
  }
}

/** Newest first. */
function byModification(disk: ReadDisk, paths: readonly string[], sinceMs = 0): string[] {
  return paths
    .map((path) => ({ path, mtimeMs: modifiedMs(disk, path) }))
    .filter(({ mtimeMs }) => mtimeMs >= sinceMs)
    .sort((a, b) => b.mtimeMs - a.mtimeMs)
    .map(({ path }) => path);
}

/** 0 when the file is gone. */
function modifiedMs(disk: ReadDisk, path: string): number {
  return disk.stat(path)?.modifiedMs ?? 0;
}

/** Paths of those entries of a directory. */
function namesIn(
  disk: ReadDisk,
  directory: string,
  matches: NamePattern,
  kind: DirectoryEntry['kind'],
): string[] {
  return disk
    .entries(directory)
    .filter((entry) => entry.kind === kind && matches(entry.name))
    .map((entry) => join(directory, entry.name));
}
