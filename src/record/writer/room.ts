/**
 * Whether removing files makes the room that is wanted. Where it cannot, nothing is removed: an archive must
 * not go because somebody asked for more than the disk has, or fills it. Writer thread.
 */
import { dirname } from 'node:path';
import { SystemFailure } from '../../base/errors.js';
import type { OwnFile } from '../../log/read/catalogue.js';
import type { LogWriter } from './writer.js';
import { WriterStat } from './writer-stats.js';
import type { Emit } from './writer-task.js';

const MAKES_A_NAME: ReadonlySet<string> = new Set(['create', 'make directory']);
const PAUSE_MS = 3_600_000;
/** Some block is needed whatever is to be written. */
const BLOCK_BYTES = 4096;
/** What file systems keep of what they were given back. */
const SLACK_BYTES = 64 * 1024;

/** What could not be written for lack of room. */
export interface Shortage {
  readonly error: SystemFailure;
  readonly bytes: number;
}

export class Room {
  #pausedUntilMs = 0;
  /** Since the disk was full first: what was free then, what was removed, what had been written. */
  #freeBytesBefore = 0;
  #madeBytes = 0;
  #writtenBefore = 0;
  #said = '';

  constructor(
    readonly writer: LogWriter,
    readonly minFreeBytes: number,
    readonly stats: Float64Array,
    readonly emit: Emit,
  ) {}

  get isPaused(): boolean {
    return this.writer.clock.monotonicMs() < this.#pausedUntilMs;
  }

  /** Why removing these, which may all go, would not help; undefined when it does. */
  obstacle({ error, bytes }: Shortage, candidates: Iterable<OwnFile>): string | undefined {
    if (this.#lacksInodes(error)) {
      for (const _ of candidates) return undefined;
      return 'no file may be removed';
    }
    // Of a quota nobody knows what is left.
    const freeBytes = error.code === 'EDQUOT' ? 0 : this.#freeBytes();
    // Below --min-free nothing is recorded, so what does not lead above it is of no use.
    const neededBytes = Math.max(bytes, BLOCK_BYTES) + this.minFreeBytes;
    let removableBytes = 0;
    for (const { facts } of candidates) {
      removableBytes += facts.bytes;
      if (freeBytes + removableBytes >= neededBytes) return undefined;
    }
    const free = error.code === 'EDQUOT' ? 'the quota is used up' : `${freeBytes} bytes are free`;
    return `${free}, all files that may go have ${removableBytes}, and ${neededBytes} are needed`;
  }

  /** Somebody else took most of what was made: stop for a while. */
  isTakenByOthers({ error }: Shortage): boolean {
    if (this.#madeBytes === 0 || error.code === 'EDQUOT' || this.#lacksInodes(error)) return false;
    const ownBytes = this.stats[WriterStat.bytesWritten] - this.#writtenBefore;
    const takenBytes = this.#freeBytesBefore + this.#madeBytes - ownBytes - this.#freeBytes();
    if (takenBytes > this.#madeBytes / 2 + SLACK_BYTES) {
      const what = `somebody else filled ${takenBytes} of the ${this.#madeBytes} bytes of room that were made`;
      this.say(`${what}; removing more would be in vain, so no file is removed for space for an hour`, true);
      this.#pausedUntilMs = this.writer.clock.monotonicMs() + PAUSE_MS;
      this.#madeBytes = 0;
      return true;
    }
    if (ownBytes >= this.#madeBytes / 2) this.#madeBytes = 0;
    return false;
  }

  /** Call before a file is removed. */
  making(bytes: number): void {
    if (this.#madeBytes === 0) {
      this.#freeBytesBefore = this.#freeBytes();
      this.#writtenBefore = this.stats[WriterStat.bytesWritten];
    }
    this.#madeBytes += bytes;
    this.#said = '';
  }

  /** Once, until something was removed. */
  say(what: string, again = false): void {
    if (this.#said !== '' && !again) return;
    this.#said = what;
    this.emit({ type: 'log', level: 'warn', message: `${this.#directory}: the disk is full, ${what}` });
  }

  #lacksInodes({ operation }: SystemFailure): boolean {
    if (!MAKES_A_NAME.has(operation)) return false;
    try {
      return this.writer.fs.freeInodes(this.#directory) === 0;
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      return false;
    }
  }

  /** Without an answer, writing tells. */
  #freeBytes(): number {
    try {
      return this.writer.fs.freeBytes(this.#directory);
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      return 0;
    }
  }

  get #directory(): string {
    return dirname(this.writer.path === '' ? this.writer.template : this.writer.path);
  }
}
