/**
 * Sequential bytes of a log, from a file, a pipe or a gzip stream, with a window that grows to what is asked
 * for.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { ErrnoCode } from '../errno.js';
import { errnoCode, SystemFailure } from '../errors.js';
import type { LogFile, ReadDisk } from './disk.js';

const CHUNK_BYTES = 1024 * 1024;
/** A reader looks a little beyond the end. */
const SLACK_BYTES = 4096;

/** Puts up to `length` bytes into `into` at `at`; answers how many, 0 at the end. */
export interface ByteFeed {
  read(into: Uint8Array, at: number, length: number): number | Promise<number>;
  close(): void | Promise<void>;
  /** The same bytes from a position on; undefined when they can be read only once. */
  again?(position: number): ByteFeed | undefined;
}

export class ByteInput {
  /** Bytes at hand: [start, end) of `buffer`. Borrowed: valid until the next `need`. */
  buffer: Uint8Array<ArrayBuffer>;
  start = 0;
  end = 0;
  /** Position of `start` in the log, bytes. */
  offset = 0;

  /** `expectedBytes`: how many there are, where that is known; more can be read all the same. */
  constructor(
    readonly feed: ByteFeed,
    expectedBytes = 2 * CHUNK_BYTES,
  ) {
    this.buffer = new Uint8Array(Math.min(expectedBytes + SLACK_BYTES, 2 * CHUNK_BYTES));
  }

  /** Have at least `bytes` at hand unless the end comes first; answers how many are (may be more). */
  async need(bytes: number): Promise<number> {
    if (this.end - this.start >= bytes) return this.end - this.start;
    if (this.buffer.length - this.start < bytes) this.#makeRoom(bytes);
    while (this.end - this.start < bytes) {
      const read = await this.feed.read(this.buffer, this.end, this.buffer.length - this.end);
      if (read === 0) break;
      this.end += read;
    }
    return this.end - this.start;
  }

  advance(bytes: number): void {
    this.start += bytes;
    this.offset += bytes;
  }

  async close(): Promise<void> {
    await this.feed.close();
  }

  /** The same bytes from here on, to be closed on its own; undefined when they can be read only once. */
  again(): ByteInput | undefined {
    const feed = this.feed.again?.(this.offset);
    if (feed === undefined) return undefined;
    const input = new ByteInput(feed);
    input.offset = this.offset;
    return input;
  }

  #makeRoom(bytes: number): void {
    const larger =
      bytes + CHUNK_BYTES > this.buffer.length ? new Uint8Array(bytes + 2 * CHUNK_BYTES) : this.buffer;
    larger.set(this.buffer.subarray(this.start, this.end));
    this.buffer = larger;
    this.end -= this.start;
    this.start = 0;
  }
}

/**
 * An open file from an offset on; a named pipe or device, which knows no offsets, as it comes. Whoever opened
 * it closes it.
 */
export class DescriptorFeed implements ByteFeed {
  #position: number | null;

  constructor(
    readonly fd: number,
    readonly path: string,
    position = 0,
    /** As if the file ended there. */
    readonly end = Number.POSITIVE_INFINITY,
  ) {
    this.#position = fstatSync(fd).isFile() ? position : null;
  }

  get isSeekable(): boolean {
    return this.#position !== null;
  }

  read(into: Uint8Array, at: number, length: number): number {
    const wanted = this.#position === null ? length : Math.min(length, this.end - this.#position);
    const read = systemCall('read', this.path, () => readSync(this.fd, into, at, wanted, this.#position));
    if (this.#position !== null) this.#position += read;
    return read;
  }

  close(): void {}
}

/** An open file of any disk, from an offset on. Whoever opened it closes it. */
export class DiskFeed implements ByteFeed {
  #position: number;

  constructor(
    readonly disk: ReadDisk,
    readonly file: LogFile,
    position = 0,
  ) {
    this.#position = position;
  }

  read(into: Uint8Array, at: number, length: number): number {
    const read = this.disk.read(this.file, into, at, length, this.#position);
    this.#position += read;
    return read;
  }

  close(): void {}
}

/** A file by its path, closed with the feed. */
export class FileFeed extends DescriptorFeed {
  #closed = false;

  constructor(path: string, position?: number, end?: number) {
    super(
      systemCall('open', path, () => openSync(path, 'r')),
      path,
      position,
      end,
    );
  }

  /** Once is enough: a second time the number may be another file's. */
  override close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }

  again(position: number): FileFeed | undefined {
    return this.isSeekable ? new FileFeed(this.path, position, this.end) : undefined;
  }
}

/** Any readable stream: standard input, a gunzip. */
export class StreamFeed implements ByteFeed {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async read(into: Uint8Array, at: number, length: number): Promise<number> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return 0;
      this.#chunk = next.value;
    }
    const part = this.#chunk.subarray(0, length);
    into.set(part, at);
    this.#chunk = this.#chunk.subarray(part.length);
    return part.length;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** Run a file system call; its errno becomes a SystemFailure of one line. */
function systemCall<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const code = errnoCode(error);
    if (code === undefined) throw error;
    throw new SystemFailure(operation, code, `${path}: ${describeErrno(code)}`, { path, cause: error });
  }
}

function describeErrno(code: ErrnoCode): string {
  switch (code) {
    case 'ENOENT':
      return 'no such file';
    case 'EISDIR':
      return 'is a directory, not a log file';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    default:
      return `cannot be read (${code})`;
  }
}
