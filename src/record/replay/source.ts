/** A capture as a source of messages, in place of the kernel. Main thread; waits while the ring is full. */
import { createReadStream, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ByteFeed, ByteInput, FileFeed, StreamFeed } from '../../base/disk/input.js';
import { errnoCode, SystemFailure } from '../../base/errors.js';
import type { RingProducer } from '../ring/producer.js';
import { type Control, Control as ControlKind, putControl } from '../stage/control.js';
import type { MessageSource, SourceCounts } from '../stage/message-source.js';
import { MessageReader } from './messages.js';
import { PacketReader } from './reader.js';
import { copyToWords } from './words.js';

export interface ReplayOptions {
  /** Count identical neighbours as often as they stand there. */
  readonly keepDuplicates: boolean;
}

const FULL_RING_NAP_MS = 1;
/** Most messages published at once. Every ring has room for so many (RING_SLOTS_MIN). */
const BATCH_MESSAGES = 256;

export class ReplaySource implements MessageSource {
  readonly rcvbufBytes = 0;
  readonly #messages: MessageReader;
  readonly #words: Uint32Array;
  /** Slots filled and not published. */
  #filled = 0;
  /** Free slots behind them, as far as it is known. */
  #room = 0;
  #received = 0;
  #stopping = false;
  #closed = false;
  #running: Promise<void> = Promise.resolve();
  readonly #controls: [Control, ...number[]][] = [];

  private constructor(
    readonly file: string,
    readonly feed: ByteFeed,
    readonly producer: RingProducer,
    { keepDuplicates }: ReplayOptions,
  ) {
    this.#messages = new MessageReader(new PacketReader(new ByteInput(feed), file), keepDuplicates);
    const { ring } = producer;
    this.#words = new Uint32Array(ring.buffer);
    // The sender of every message: port 0, the kernel.
    ring.bytes.fill(0, ring.extrasOffset, ring.extrasOffset + ring.slots * ring.extraBytes);
  }

  /**
   * Open a capture, "-" for standard input. A file is read as far as its first packet; a pipe may be silent
   * for as long as it likes, and what is wrong with it is found by `run`. Rejects with SystemFailure or
   * DamageError 'bad-capture'.
   */
  static async open(file: string, producer: RingProducer, options: ReplayOptions): Promise<ReplaySource> {
    const source = new ReplaySource(file, openFeed(file), producer, options);
    try {
      if (source.feed instanceof FileFeed) await source.#messages.open();
    } catch (error) {
      source.close();
      throw error;
    }
    return source;
  }

  /** Rejects with DamageError 'bad-capture' after everything before the damage has been put into the ring. */
  run(): Promise<void> {
    this.#running = this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    try {
      do {
        while (!this.#stopping && !this.#putMessages()) await this.#nap();
        this.#publish(); // a pipe may give no more for a while
      } while (!this.#stopping && (await this.#messages.fill()));
    } catch (error) {
      this.#explain(error);
    } finally {
      this.#publish();
    }
  }

  /** Put the messages at hand into the ring; false when it is full before they are through. */
  #putMessages(): boolean {
    while (this.#room > 0 || this.#findRoom()) {
      if (!this.#messages.next()) return true;
      this.#put();
    }
    return false;
  }

  /** A pipe fails with an error of Node's. */
  #explain(error: unknown): void {
    if (this.#stopping && this.feed instanceof StreamFeed) return; // `stop` ended a read that was under way
    const code = errnoCode(error);
    if (error instanceof SystemFailure || code === undefined) throw error;
    throw new SystemFailure('read', code, `${this.file}: cannot be read (${code})`, { cause: error });
  }

  async stop(): Promise<void> {
    this.#endReading();
    await this.#running.catch(() => {}); // `run` has told whoever waits for it
    while (!this.#putControls()) await this.#nap();
  }

  control(kind: Control, ...args: number[]): void {
    this.#publish();
    this.#controls.push([kind, ...args]);
    // A rejection means that the parser is gone, which its own stage tells.
    if (!this.#putControls() && kind === ControlKind.stop) this.stop().catch(() => {});
  }

  mark(mark: number): void {
    this.control(ControlKind.flush, mark);
  }

  counts(): SourceCounts {
    return { received: this.#received, lost: 0, deliveryFailures: 0 };
  }

  statistics(): Record<string, number> {
    return { ...this.#messages.counts };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endReading();
    const { feed } = this;
    if (feed instanceof FileFeed) void this.#running.catch(() => {}).then(() => feed.close());
  }

  /** A pipe may be silent for ever: it is destroyed, which ends a read under way. */
  #endReading(): void {
    this.#stopping = true;
    if (this.feed instanceof StreamFeed) process.stdin.destroy();
  }

  #put(): void {
    const { from, lengthBytes, packets } = this.#messages;
    const { view, timeUs } = packets.packet;
    const { ring, index } = this.producer;
    const slot = index + this.#filled;
    copyToWords(view, from, Math.min(lengthBytes, ring.slotBytes), this.#words, ring.offsetOf(slot) / 4);
    ring.describe(slot, lengthBytes, 0);
    ring.timesUs[slot] = timeUs;
    this.#filled++;
    this.#room--;
    this.#received++;
  }

  #publish(): void {
    if (this.#filled > 0) this.producer.publish(this.#filled);
    this.#filled = 0;
    this.#room = 0;
  }

  /** Publish a batch and see where the next goes, behind all control slots; false when there is no room. */
  #findRoom(): boolean {
    this.#publish();
    if (this.#putControls()) this.#room = this.producer.writable(BATCH_MESSAGES);
    return this.#room > 0;
  }

  /** A parser that is gone is told by its own stage; then comes `close`. */
  async #nap(): Promise<void> {
    if (this.#closed)
      throw new SystemFailure('replay', 'EPIPE', `${this.file}: closed while the ring is full`);
    await sleep(FULL_RING_NAP_MS);
  }

  /** True when none is left. */
  #putControls(): boolean {
    while (this.#controls.length > 0) {
      if (!putControl(this.producer, ...this.#controls[0])) return false;
      this.#controls.shift();
    }
    return true;
  }
}

function openFeed(file: string): ByteFeed {
  if (file === '-' || file === '/dev/stdin') return new StreamFeed(process.stdin);
  // What a shell makes of <(COMMAND): open already, and may be slow.
  if (/^\/(dev|proc\/self)\/fd\/\d+$/.test(file)) return new StreamFeed(createReadStream(file));
  // To open a named pipe would wait for its other end, deaf to signals.
  const found = statSync(file, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) {
    const what = found.isDirectory()
      ? 'is a directory; name a capture in it'
      : 'is not a file: use "-" for a pipe';
    throw new SystemFailure('open', 'EINVAL', `${file}: ${what}`, { path: file });
  }
  return new FileFeed(file);
}
