/** Open a log of any format, from a path or a pipe, compressed with gzip or not. */
import { existsSync, statSync } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type ByteFeed, ByteInput, FileFeed, StreamFeed } from '../../base/disk/input.js';
import { DamageError, SystemFailure } from '../../base/errors.js';
import { FILE_MAGIC, LIVE_SUFFIX } from '../format/format.js';
import { openFormat3 } from './reader.js';
import type { LogSource } from './source.js';

const MAGIC_BYTES = 8;

/** Compressors whose files are recognised, not decompressed: Node 20 has none of them. */
const packers: readonly {
  readonly name: string;
  readonly unpack: string;
  readonly magic: readonly number[];
}[] = [
  { name: 'xz', unpack: 'xz -dc', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { name: 'zstd', unpack: 'zstd -dc', magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'bzip2', unpack: 'bzip2 -dc', magic: [0x42, 0x5a, 0x68] },
];

/** Where the bytes come from: what `-f` means on disk. */
export interface LogPlace {
  readonly path: string;
  readonly standardInput: boolean;
  /** Still being written: NAME was asked for and only NAME.part is there, or a .part was named. */
  readonly live: boolean;
  /** With gzip; seen once it has been opened. */
  readonly packed?: true;
}

/** Find the file that `-f` names. Throws SystemFailure when it is a directory. */
export function locate(file: string): LogPlace {
  if (file === '-' || file === '/dev/stdin') return { path: '-', standardInput: true, live: false };
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined && existsSync(file + LIVE_SUFFIX))
    return { path: file + LIVE_SUFFIX, standardInput: false, live: true };
  if (found?.isDirectory())
    throw new SystemFailure('open', 'EISDIR', `${file}: is a directory; name a log file in it`, {
      path: file,
    });
  return { path: file, standardInput: false, live: file.endsWith(LIVE_SUFFIX) };
}

export type OpenedBytes =
  | { readonly format: 2; readonly source: LogSource; readonly place: LogPlace }
  /** At the preamble. */
  | { readonly format: 3; readonly input: ByteInput; readonly place: LogPlace };

/**
 * Open the log that `-f` names as bytes of a known format. `say` gets one line where something is worth
 * knowing (a live file). Rejects with SystemFailure or DamageError, one line each.
 */
export async function openBytes(file: string, say?: (line: string) => void): Promise<OpenedBytes> {
  const place = locate(file);
  const feed = place.standardInput ? new StreamFeed(process.stdin) : new FileFeed(place.path);
  if (place.live && place.path !== file) say?.(`${file}: is still being written; reading ${place.path}`);
  return recognise(new ByteInput(feed), place);
}

/** Open the log that `-f` names, of any format. `say` and failures as for `openBytes`. */
export async function openLog(file: string, say?: (line: string) => void): Promise<LogSource> {
  return openSource(await openBytes(file, say));
}

/** The log in opened bytes. */
export async function openSource(opened: OpenedBytes): Promise<LogSource> {
  if (opened.format === 2) return opened.source;
  const { place } = opened;
  try {
    return await openFormat3(opened.input, place.path, place.live);
  } catch (error) {
    await opened.input.close();
    throw error;
  }
}

async function recognise(input: ByteInput, place: LogPlace): Promise<OpenedBytes> {
  try {
    const available = await input.need(MAGIC_BYTES);
    const first = input.buffer.subarray(input.start, input.start + available);
    for (const { name, unpack, magic } of packers)
      if (startsWith(first, magic))
        throw new DamageError(
          'compressed',
          { file: place.path, offsetBytes: 0 },
          `packed with ${name}: try "${unpack} FILE | ctrecorder -L -f -"`,
        );
    if (startsWith(first, [0x1f, 0x8b]))
      return await recognise(new ByteInput(gunzipFeed(input, place.path)), {
        ...place,
        live: false,
        packed: true,
      });
    if (startsWith(first, FILE_MAGIC)) return { format: 3, input, place };
    const { looksLegacy } = await import('./legacy-header.js');
    if (!looksLegacy(first)) return { format: 3, input, place };
    const { openLegacy } = await import('./legacy.js');
    return { format: 2, source: await openLegacy(place.path, rest(input)), place };
  } catch (error) {
    await input.close();
    throw error;
  }
}

function startsWith(bytes: Uint8Array, magic: ArrayLike<number>): boolean {
  return bytes.length >= magic.length && Array.from(magic).every((byte, i) => bytes[i] === byte);
}

/** What the input still holds, chunk by chunk. */
async function* rest(input: ByteInput): AsyncGenerator<Uint8Array, void, void> {
  try {
    while ((await input.need(1)) > 0) {
      const chunk = input.buffer.slice(input.start, input.end);
      input.advance(chunk.length);
      yield chunk;
    }
  } finally {
    await input.close();
  }
}

function gunzipFeed(input: ByteInput, path: string): ByteFeed {
  // The callback is for errors, which reach who reads the output as well.
  const unpacked = pipeline(Readable.from(rest(input)), createGunzip(), () => {});
  return new StreamFeed(rethrown(unpacked, path));
}

/** zlib's errors are damage of the file. */
async function* rethrown(
  stream: AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* stream;
  } catch (error) {
    if (!isZlibError(error)) throw error;
    const what = `the gzip data is cut off or damaged (${error.message})`;
    throw new DamageError('truncated', { file: path, offsetBytes: 0 }, what);
  }
}

function isZlibError(error: unknown): error is Error {
  return error instanceof Error && /^Z_/.test((error as NodeJS.ErrnoException).code ?? '');
}
