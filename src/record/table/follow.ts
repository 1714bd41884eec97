/**
 * Reads the files of a running recording as they grow, each data block once, in the order of their numbers:
 * also across rotations, and across a file that was given up after a write error (what it held beyond its
 * last durable block the next one has again).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { type ByteFeed, ByteInput } from '../../base/disk/input.js';
import { DamageError, PayloadDamage } from '../../base/errors.js';
import type { KeyedRows } from '../../event/keyed-rows.js';
import { KeyReader } from '../../log/format/decode-keys.js';
import { BlockType, FILE_PREAMBLE_BYTES, isDataBlock, LIVE_SUFFIX } from '../../log/format/format.js';
import type { ScannedBlock } from '../../log/format/frame.js';
import { scanBlocks } from '../../log/read/scan.js';

/** A file of the recording. */
export interface RecordedFile {
  /** Its live name. */
  readonly path: string;
  /** Microseconds since the epoch. */
  readonly openedUs: number;
  /** Number of the last data block before it; 0 = none. */
  readonly afterSequence: number;
}

export interface FollowerHooks {
  /** Rows of an events block, in the order of their family; borrowed until it returns. */
  readonly take: (rows: KeyedRows) => void;
  /** Everything before this file, the newest, has been taken, and nothing of it. Not called for the first. */
  readonly enter: (file: RecordedFile) => void;
}

export class LogFollower {
  /** Files to read, the current one first; each is open. */
  readonly #files: GrowingFile[] = [];
  readonly #reader: KeyReader;
  /** Number of the last data block taken; 0 = none. */
  sequence = 0;

  constructor(readonly hooks: FollowerHooks) {
    this.#reader = new KeyReader(hooks.take);
  }

  /** The recording goes on in this file. Throws a Node error when it cannot be opened. */
  addFile(file: RecordedFile): void {
    if (this.#files.length === 0) this.sequence = file.afterSequence;
    this.#files.push(new GrowingFile(file));
  }

  /** Take everything before the newest file. Rejects with DamageError when it is not all there. */
  async enterNewest(): Promise<void> {
    while (this.#files.length > 1) await this.#enterNext();
  }

  /**
   * Take everything up to the block of this number, which is durable. Rejects with DamageError when it is not
   * all there.
   */
  async advance(sequence: number): Promise<void> {
    if (!(await this.follow(sequence))) this.#failAt(sequence);
  }

  /**
   * As far as it is there: what follows may be in a file that is not known yet. True when the block has been
   * taken.
   */
  async follow(sequence: number): Promise<boolean> {
    while (this.#files.length > 1 && this.#files[1].file.afterSequence < sequence) await this.#enterNext();
    return this.#read(sequence);
  }

  close(): void {
    for (const file of this.#files.splice(0)) file.close();
  }

  async #enterNext(): Promise<void> {
    const { file } = this.#files[1];
    if (!(await this.#read(file.afterSequence))) this.#failAt(file.afterSequence);
    this.#files.shift()!.close();
    if (this.#files.length === 1) this.hooks.enter(file);
  }

  #failAt(sequence: number): never {
    const { file, position } = this.#files[0];
    throw missing(file.path, position, sequence);
  }

  /** True when the block of this number has been taken. */
  async #read(untilSequence: number): Promise<boolean> {
    if (this.sequence >= untilSequence) return true;
    const [growing] = this.#files;
    const input = growing.input();
    for await (const item of scanBlocks(input, { live: true })) {
      growing.position = input.offset;
      if (item.type === 'damage') continue; // what it held is missed by its number
      const { frame } = item;
      if (!isDataBlock(frame.type) || frame.sequence <= this.sequence) continue;
      if (frame.sequence !== this.sequence + 1)
        throw missing(growing.file.path, item.offsetBytes, this.sequence + 1);
      this.sequence = frame.sequence;
      if (frame.type === BlockType.events) this.#readRows(growing.file.path, item);
      if (this.sequence >= untilSequence) return true;
    }
    return false;
  }

  #readRows(file: string, { frame, payload, offsetBytes, bytes }: ScannedBlock): void {
    try {
      this.#reader.read(payload, frame.count, frame.minTimeUs);
    } catch (error) {
      if (!(error instanceof PayloadDamage)) throw error;
      throw error.at({ file, offsetBytes, lengthBytes: bytes.length });
    }
  }
}

function missing(path: string, offsetBytes: number, sequence: number): DamageError {
  const what = `offset ${offsetBytes}: block ${sequence} is missing`;
  return new DamageError('bad-sequence', { file: path, offsetBytes }, what);
}

class GrowingFile implements ByteFeed {
  readonly #fd: number;
  /** Behind the last whole block that was read. */
  position = FILE_PREAMBLE_BYTES;
  #readAt = 0;

  constructor(readonly file: RecordedFile) {
    this.#fd = openRenamed(file.path);
  }

  /** From `position` on. */
  input(): ByteInput {
    this.#readAt = this.position;
    const input = new ByteInput(this);
    input.offset = this.position;
    return input;
  }

  read(into: Uint8Array, at: number, length: number): number {
    const read = readSync(this.#fd, into, at, length, this.#readAt);
    this.#readAt += read;
    return read;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** The live file, or, when it was closed meanwhile, the one of its final name. */
function openRenamed(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (!path.endsWith(LIVE_SUFFIX)) throw error;
    return openSync(path.slice(0, -LIVE_SUFFIX.length), 'r');
  }
}
