/** The files of a template's names, and what headers and ends say of them. Reads nothing else. */
import { basename, join } from 'node:path';
import type { DirectoryEntry, LogFile, ReadDisk } from '../../base/disk/disk.js';
import { PayloadDamage } from '../../base/errors.js';
import { END_TAIL_BYTES, parseEndTail } from '../format/end-block.js';
import type { FileEnd, FileMeta } from '../format/file-meta.js';
import {
  BLOCK_HEADER_BYTES,
  BlockType,
  FILE_MAGIC,
  FILE_PREAMBLE_BYTES,
  FORMAT_MAJOR,
  MAX_JSON_BYTES,
} from '../format/format.js';
import { hex, type ParsedFrame, parseFrame, payloadIsIntact } from '../format/frame.js';
import { type BlockPayload, parseEnd, parseWholeMeta } from '../format/json-blocks.js';
import type { NamePattern } from '../format/name-pattern.js';
import { templatePatterns, withoutPacking } from '../format/names.js';

/** What is needed of a disk to read within one open file. */
type RandomAccess = Pick<ReadDisk, 'read' | 'factsOf'>;

/** A header is some 600 bytes long. */
const HEADER_READ_BYTES = 4096;

/**
 * Paths of all files whose names the template could have given, live and finished, directory by directory.
 * Links are not followed, except in what the template says literally. `packed`: those of packed files too.
 */
export function* namesByDirectory(
  disk: ReadDisk,
  template: string,
  packed = false,
): Generator<string[], void, void> {
  const { directories, file } = templatePatterns(template);
  let paths = ['/'];
  for (const component of directories)
    paths =
      typeof component === 'string'
        ? paths.map((path) => join(path, component))
        : paths.flatMap((path) => namesIn(disk, path, component, 'directory'));
  const matches: NamePattern = packed ? (name) => file(name) || file(withoutPacking(name)) : file;
  for (const path of paths) yield namesIn(disk, path, matches, 'file');
}

/** What the file says about itself; undefined when its header cannot be read. Throws SystemFailure. */
export function headerAt(disk: ReadDisk, path: string): FileMeta | undefined {
  return withFile(disk, path, (file) => headerOf(disk, file));
}

/** What continues a file that was closed properly; undefined of any other. Throws SystemFailure. */
export function endOf(disk: ReadDisk, path: string): FileEnd | undefined {
  return withFile(disk, path, (file) => endIn(disk, file));
}

export function endIn(disk: RandomAccess, file: LogFile): FileEnd | undefined {
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

/** With one read, where the header is of usual length. */
export function headerOf(disk: RandomAccess, file: LogFile): FileMeta | undefined {
  const start = new Uint8Array(HEADER_READ_BYTES);
  const length = disk.read(file, start, 0, start.length, 0);
  if (length < FILE_PREAMBLE_BYTES + BLOCK_HEADER_BYTES) return undefined;
  const isLog = FILE_MAGIC.every((byte, i) => start[i] === byte);
  if (!isLog || new DataView(start.buffer).getUint16(8, true) !== FORMAT_MAJOR) return undefined;
  const frame = parseFrame(start, FILE_PREAMBLE_BYTES);
  const isWhole =
    typeof frame === 'object' && FILE_PREAMBLE_BYTES + frame.headerBytes + frame.storedBytes <= length;
  if (!isWhole) return blockAt(disk, file, FILE_PREAMBLE_BYTES, BlockType.header, parseWholeMeta)?.value;
  const payloadAt = FILE_PREAMBLE_BYTES + frame.headerBytes;
  return parsed(
    frame,
    start.subarray(payloadAt, payloadAt + frame.storedBytes),
    BlockType.header,
    parseWholeMeta,
  );
}

/**
 * The block of this type that stands at the offset, whole and with what `parse` takes; undefined when there
 * is none.
 */
function blockAt<T>(
  disk: RandomAccess,
  file: LogFile,
  offset: number,
  type: BlockType,
  parse: (block: BlockPayload) => T,
): { value: T; chain: Uint8Array; lengthBytes: number } | undefined {
  const header = new Uint8Array(BLOCK_HEADER_BYTES);
  if (disk.read(file, header, 0, header.length, offset) < header.length) return undefined;
  const frame = parseFrame(header, 0);
  if (typeof frame !== 'object' || frame.storedBytes > MAX_JSON_BYTES) return undefined;
  const { headerBytes, storedBytes, chain } = frame;
  const payload = new Uint8Array(storedBytes);
  if (disk.read(file, payload, 0, storedBytes, offset + headerBytes) < storedBytes) return undefined;
  const value = parsed(frame, payload, type, parse);
  return value === undefined ? undefined : { value, chain, lengthBytes: headerBytes + storedBytes };
}

/** Undefined when the block is of another type, damaged, or holds something else than its type says. */
function parsed<T>(
  frame: ParsedFrame,
  payload: Uint8Array,
  type: BlockType,
  parse: (block: BlockPayload) => T,
): T | undefined {
  if (frame.type !== type || !payloadIsIntact(payload, frame)) return undefined;
  try {
    return parse({ frame, payload });
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
