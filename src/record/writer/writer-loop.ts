/**
 * The writer's loop: takes finished blocks from the ring, makes them durable in groups, and releases them
 * only then. Runs on the writer worker's thread and blocks it; messages that it posts go out all the same.
 */
import { setImmediate } from 'node:timers/promises';
import { InvariantError, SystemFailure } from '../../base/errors.js';
import { BLOCK_HEADER_BYTES, BlockField } from '../../log/format/format.js';
import type { RingConsumer } from '../ring/consumer.js';
import { RingState, STATE_WORD } from '../ring/layout.js';
import { BlockMessage } from '../stage/blocks.js';
import { isFull } from './full-disk.js';
import { identityOptions } from './identity.js';
import { Progress } from './progress.js';
import { findEarlier } from './recover.js';
import { Retention } from './retention.js';
import type { LogWriter } from './writer.js';
import { WriterStat } from './writer-stats.js';
import type { Emit, WriterOptions } from './writer-task.js';

const WAIT_MS_MAX = 1000;
/** After a failed write the next attempt waits this long, twice as long each time, up to the longest. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 2000;
/** Between two attempts at a rotation for which there is no room. */
const LATE_MS = 10_000;
/** Between the steps of retention while no blocks come. */
const RETENTION_PACE_MS = 20;

export class WriterLoop {
  readonly #retention: Retention | undefined;
  readonly #progress: Progress | undefined;
  #lateFromMs = 0;

  constructor(
    readonly consumer: RingConsumer,
    readonly writer: LogWriter,
    readonly stats: Float64Array,
    readonly options: WriterOptions,
    readonly emit: Emit,
    /** Blocks from the table keeper, taken beside the parser's. */
    readonly snapshots?: RingConsumer,
    /** Between two attempts to write. */
    readonly pause: (delayMs: number) => void = sleepOnThisThread,
  ) {
    if (options.progressFd !== undefined)
      this.#progress = new Progress(options.progressFd, options.runId, stats, emit);
    if (options.retention !== undefined)
      this.#retention = new Retention(writer, options.retention, stats, emit, options.minFreeBytes);
  }

  /**
   * Until the stop message, or the parser's death. Rejects with SystemFailure when the first file cannot be
   * opened.
   */
  async run(): Promise<void> {
    const hasSnapshots = () => this.#hasSnapshots();
    for (let isOver = false; !isOver; ) {
      const waitMs = this.busy ? RETENTION_PACE_MS : WAIT_MS_MAX;
      isOver = await this.step(this.consumer.waitReadable(waitMs, hasSnapshots));
    }
  }

  /**
   * Take what is readable up to the next control message, or that message. True after the stop message, or
   * when the parser is gone. Rejects with SystemFailure when the first file cannot be opened.
   */
  async step(count: number): Promise<boolean> {
    const { consumer, stats } = this;
    if (count > 0 || this.#hasSnapshots()) stats[WriterStat.busySinceMs] = Date.now();
    const blocks = blocksAhead(consumer, count);
    let isOver = false;
    if (blocks > 0) this.#record(consumer, blocks);
    else if (count > 0) {
      // What the keeper handed over before this belongs into the file that is open now.
      while (this.#hasSnapshots()) this.#record(this.snapshots!, 1);
      const message = consumer.ring.flagsOf(consumer.index);
      await this.#control(message, consumer.ring.timesUs[consumer.index]);
      consumer.release(1);
      isOver = message === BlockMessage.stop;
    } else if (!this.#hasSnapshots() && this.#isParserGone()) {
      this.writer.closeAfterDeath();
      return true;
    }
    if (this.#hasSnapshots()) this.#record(this.snapshots!, 1);
    this.#progress?.flush();
    this.#rotateLate();
    await this.#retain();
    stats[WriterStat.busySinceMs] = 0;
    return isOver;
  }

  /** There is something to do without a block. */
  get busy(): boolean {
    return this.#retention?.busy ?? false;
  }

  #hasSnapshots(): boolean {
    return (this.snapshots?.available() ?? 0) > 0 && this.writer.path !== '';
  }

  #record(consumer: RingConsumer, blocks: number): void {
    this.#writeDurably(consumer, blocks);
    consumer.release(blocks);
    this.#progress?.report();
  }

  /** What is to be removed, a step at a time. */
  async #retain(): Promise<void> {
    const retention = this.#retention;
    if (retention === undefined || this.writer.path === '') return;
    retention.step();
    if (this.writer.hasNotes) this.#writeDurably(this.consumer, 0);
    // A turn of the event loop tells what other threads have done; nothing else here needs one.
    if (retention.busy) await setImmediate();
  }

  async #control(message: number, timeUs: number): Promise<void> {
    switch (message) {
      case BlockMessage.open:
        await this.#open(timeUs);
        break;
      case BlockMessage.rotate:
        this.#rotate(timeUs);
        this.#retention?.schedule();
        break;
      case BlockMessage.flush:
        this.emit({ type: 'flushed', mark: timeUs, sequence: this.stats[WriterStat.durableSequence] });
        break;
      case BlockMessage.stop:
        this.#retention?.noteRemoved();
        this.writer.close();
        this.#retention?.end();
        break;
      default:
        throw new InvariantError(`writer: unknown message ${message} in the block ring`);
    }
  }

  #rotate(timeUs: number): void {
    this.writer.rotate(timeUs, (error) => this.#makesRoom(error, 0));
    this.#lateFromMs = this.writer.clock.monotonicMs() + LATE_MS;
  }

  /** A rotation that waits for room. */
  #rotateLate(): void {
    const { lateUs, clock } = this.writer;
    if (lateUs === undefined || clock.monotonicMs() < this.#lateFromMs) return;
    this.#rotate(lateUs);
    if (this.writer.lateUs === undefined) this.#retention?.schedule();
  }

  /** On a full disk a recorder whose files may be removed starts all the same. */
  async #open(timeUs: number): Promise<void> {
    const { writer, options } = this;
    const { recorder, earlier } = await findEarlier(
      identityOptions(writer.template, options),
      writer.fs,
      this.emit,
      writer.clock,
    );
    writer.recorder = recorder;
    for (;;) {
      try {
        // What it continues stays so, should the file be removed to make room for this one.
        writer.open(timeUs, earlier);
        this.#retention?.begin(earlier?.seenUntilUs);
        return;
      } catch (error) {
        if (!this.#makesRoom(error, 0)) throw error;
      }
    }
  }

  /** Whether a file was removed that stood in the way of what failed. */
  #makesRoom(error: unknown, bytes: number): boolean {
    return isFull(error) && (this.#retention?.makeRoom({ error, bytes }) ?? false);
  }

  /**
   * Returns when the blocks are durable, however long that takes: until then the ring keeps them, and the
   * parser waits.
   */
  #writeDurably(consumer: RingConsumer, blocks: number): void {
    let attempts = 0;
    let firstFailureMs = 0;
    let delayMs = RETRY_MS_MIN;
    for (;;) {
      try {
        this.writer.restore();
        this.writer.reserve(bytesOf(consumer, blocks));
        this.#append(consumer, blocks);
        this.writer.commit();
        break;
      } catch (error) {
        if (!(error instanceof SystemFailure)) throw error;
        this.stats[WriterStat.errors]++;
        if (this.#makesRoom(error, bytesOf(consumer, blocks))) continue;
        if (attempts++ === 0) {
          firstFailureMs = this.writer.clock.monotonicMs();
          this.stats[WriterStat.stalled] = 1;
          const message = `${error.message}; events are kept and written when it works again`;
          this.emit({ type: 'log', level: 'error', message });
        }
        this.pause(delayMs);
        delayMs = Math.min(delayMs * 2, RETRY_MS_MAX);
      }
    }
    if (attempts === 0) return;
    this.stats[WriterStat.stalled] = 0;
    const seconds = ((this.writer.clock.monotonicMs() - firstFailureMs) / 1000).toFixed(1);
    const message = `${this.writer.path}: writing works again after ${seconds} s`;
    this.emit({ type: 'log', level: 'info', message });
  }

  #append({ ring, index }: RingConsumer, blocks: number): void {
    const view = new DataView(ring.buffer);
    for (let slot = index; slot < index + blocks; slot++) {
      const offset = ring.offsetOf(slot);
      const storedBytes = view.getUint32(offset + BlockField.storedBytes, true);
      const filter = ring.bytes.subarray(
        offset + BLOCK_HEADER_BYTES + storedBytes,
        offset + ring.lengthOf(slot),
      );
      this.writer.append(ring.bytes, offset, filter);
    }
  }

  #isParserGone(): boolean {
    const { control } = this.consumer.ring;
    return Atomics.load(control, STATE_WORD) !== RingState.open && this.consumer.available() === 0;
  }
}

function sleepOnThisThread(delayMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
}

/** Blocks up to the next other message: one group. */
function blocksAhead({ ring, index }: RingConsumer, count: number): number {
  let blocks = 0;
  while (blocks < count && ring.flagsOf(index + blocks) === BlockMessage.block) blocks++;
  return blocks;
}

/** With their filters, which are in the index later. */
function bytesOf({ ring, index }: RingConsumer, blocks: number): number {
  let bytes = 0;
  for (let slot = index; slot < index + blocks; slot++) bytes += ring.lengthOf(slot);
  return bytes;
}
