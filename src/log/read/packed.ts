/**
 * Header and end of a log that was packed with gzip. The header needs the first kilobytes only; the end needs
 * everything, so it is unpacked in portions, between which others get their turn.
 */
import { Readable } from 'node:stream';
import { constants, createGunzip, gunzipSync } from 'node:zlib';
import type { FileFacts, LogFile, ReadDisk } from '../../base/disk/disk.js';
import { errnoCode, isSystemError } from '../../base/errors.js';
import type { FileEnd, FileMeta } from '../format/file-meta.js';
import { MAX_JSON_BYTES } from '../format/format.js';
import { endIn, headerOf } from './own-files.js';

const HEADER_READ_BYTES = 16 * 1024;
const HEADER_BYTES_MAX = 4 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** An end block and what follows it. */
const TAIL_BYTES = MAX_JSON_BYTES + 4096;

/** Undefined when it is not gzip, or holds no log. Throws SystemFailure. */
export function packedHeaderAt(disk: ReadDisk, path: string): FileMeta | undefined {
  const file = disk.openToRead(path);
  try {
    const packed = new Uint8Array(HEADER_READ_BYTES);
    const length = disk.read(file, packed, 0, packed.length, 0);
    const bytes = unpackedBeginning(packed.subarray(0, length));
    return bytes && headerOf(windowOf(bytes, bytes.length), file);
  } finally {
    disk.close(file);
  }
}

/** What continues a file that was packed whole; undefined of any other. Never rejects. */
export async function packedEndAt(disk: ReadDisk, path: string): Promise<FileEnd | undefined> {
  let file: LogFile | undefined;
  try {
    file = disk.openToRead(path);
    const portions = Readable.from(portionsOf(disk, file));
    const unpacked = createGunzip({ chunkSize: CHUNK_BYTES });
    portions.on('error', (error) => unpacked.destroy(error));
    let tail = Buffer.alloc(0);
    let bytes = 0;
    for await (const chunk of portions.pipe(unpacked) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      tail = Buffer.concat([tail.subarray(-TAIL_BYTES), chunk]);
    }
    return endIn(windowOf(tail, bytes), file);
  } catch (error) {
    if (isSystemError(error) || isZlibError(error)) return undefined;
    throw error;
  } finally {
    if (file !== undefined) closeQuietly(disk, file);
  }
}

function* portionsOf(disk: ReadDisk, file: LogFile): Generator<Uint8Array, void, void> {
  for (let at = 0; ; ) {
    const portion = new Uint8Array(CHUNK_BYTES);
    const length = disk.read(file, portion, 0, portion.length, at);
    if (length === 0) return;
    at += length;
    yield portion.subarray(0, length);
  }
}

/** The end of a file of so many bytes, as if all of it were there. */
function windowOf(tail: Uint8Array, bytes: number): Pick<ReadDisk, 'read' | 'factsOf'> {
  const from = bytes - tail.length;
  return {
    factsOf: () => ({ bytes }) as FileFacts,
    read(_file, into, offset, length, position) {
      const part =
        position < from ? new Uint8Array(0) : tail.subarray(position - from, position - from + length);
      into.set(part, offset);
      return part.length;
    },
  };
}

function unpackedBeginning(packed: Uint8Array): Uint8Array | undefined {
  try {
    return gunzipSync(packed, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: HEADER_BYTES_MAX,
    });
  } catch (error) {
    if (isZlibError(error)) return undefined;
    throw error;
  }
}

function isZlibError(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && (code.startsWith('Z_') || code === 'ERR_BUFFER_TOO_LARGE');
}

function closeQuietly(disk: ReadDisk, file: LogFile): void {
  try {
    disk.close(file);
  } catch (error) {
    if (errnoCode(error) === undefined) throw error; // it was only read
  }
}
