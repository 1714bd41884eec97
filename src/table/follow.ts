/**
 * Reads the files of a running recording as they grow, each block once, in the order of their numbers: also across a rotation,
 * and across a file that was given up after a write error (what the next one holds again is known by its number).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { EventBatch } from '../conntrack/batch.js';
import { DamageError } from '../errors.js';
import { decodeRecords } from '../log/decode.js';
import { FILE_PREAMBLE_BYTES, isDataBlock, isRecordBlock, LIVE_SUFFIX } from '../log/format.js';
import { type ByteFeed, ByteInput } from '../log/input.js';
import { scanBlocks } from '../log/scan.js';

export type TakeRows = (batch: EventBatch) => void;

export class LogFollower {
  /** Files to read, the current one first; each is open. */
  readonly #files: GrowingFile[] = [];
  readonly #batch = new EventBatch();
  readonly #take: TakeRows;
  /** Number of the last block taken; 0 = none. */
  sequence = 0;

  /** `take` gets the rows of every record block; the batch is borrowed until it returns. */
  constructor(take: TakeRows) {
    this.#take = take;
  }

  /** The recording goes on in this file. Throws SystemFailure or a Node error when it cannot be opened. */
  addFile(path: string): void {
    this.#files.push(new GrowingFile(path));
  }

  /** Whether files wait behind the current one. */
  get hasNewerFile(): boolean {
    return this.#files.length > 1;
  }

  /** Read the current file to its end and go to the next one, which is there. */
  async enterNextFile(): Promise<void> {
    await this.#read(Number.POSITIVE_INFINITY);
    this.#files.shift()!.close();
  }

  /** Read up to the block of this number, which is durable. */
  async advance(sequence: number): Promise<void> {
    while (!(await this.#read(sequence))) {
      if (!this.hasNewerFile)
        throw new DamageError('bad-sequence', '', 0, `block ${sequence} is in no file that is known`);
      this.#files.shift()!.close();
    }
  }

  close(): void {
    for (const file of this.#files.splice(0)) file.close();
  }

  /** True when the block of this number has been taken. */
  async #read(untilSequence: number): Promise<boolean> {
    if (this.sequence >= untilSequence) return true;
    const [file] = this.#files;
    const input = file.input();
    for await (const item of scanBlocks(input, { live: true })) {
      file.position = input.offset;
      if (item.type === 'damage') continue; // behind what is acknowledged: the next file has it again
      const { frame, payload } = item;
      if (!isDataBlock(frame.type) || frame.sequence <= this.sequence) continue;
      if (this.sequence !== 0 && frame.sequence !== this.sequence + 1)
        throw new DamageError('bad-sequence', file.path, item.offsetBytes, 'blocks are missing');
      this.sequence = frame.sequence;
      if (isRecordBlock(frame.type)) {
        decodeRecords(payload, frame.count, frame.minTimeUs, this.#batch);
        this.#take(this.#batch);
      }
      if (this.sequence >= untilSequence) return true;
    }
    return false;
  }
}

class GrowingFile implements ByteFeed {
  readonly #fd: number;
  /** Behind the last whole block that was read. */
  position = FILE_PREAMBLE_BYTES;
  #readAt = 0;

  constructor(readonly path: string) {
    this.#fd = openRenamed(path);
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
