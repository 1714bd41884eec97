/** A capture as a source of messages, in place of the kernel. Main thread; waits while the ring is full. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { DamageError, errnoCode, SystemFailure } from '../errors.js';
import { ByteInput, FileFeed, StreamFeed } from '../log/input.js';
import { type Control, Control as ControlKind, putControl } from '../record/control.js';
import { RECEIVE_BATCH_MESSAGES } from '../record/options.js';
import type { MessageSource, SourceCounts } from '../record/source.js';
import { RingState, STATE_WORD } from '../ring/layout.js';
import type { RingProducer } from '../ring/producer.js';
import { COOKED_HEADER_BYTES, familyAt, NETLINK_NETFILTER, PacketType, packetTypeAt } from './cooked.js';
import type { Packet } from './packet.js';
import { PacketReader } from './reader.js';

export interface ReplayOptions {
  /** Count identical neighbours as often as they stand there. */
  readonly keepDuplicates: boolean;
}

const NLMSG_HEADER_BYTES = 16;
const NLM_F_REQUEST = 1;
const NLM_F_MULTI = 2;
/** Packets between two looks at what else there is to do (signals): reading a file never leaves the event loop by itself. */
const PACKETS_PER_TURN = 8192;
const FULL_RING_NAP_MS = 1;

export class ReplaySource implements MessageSource {
  readonly rcvbufBytes = 0;
  readonly #input: ByteInput;
  /** Slots filled and not published. */
  #filled = 0;
  #stopping = false;
  #running: Promise<void> = Promise.resolve();
  readonly #controls: [Control, ...number[]][] = [];
  /** Where the last counted message stands in the ring; its slot may have been taken, so its bytes are kept. */
  readonly #last: Uint8Array;
  #lastBytes = 0;
  readonly #counts = {
    packets: 0,
    messages: 0,
    otherFamily: 0,
    toKernel: 0,
    dumpReplies: 0,
    duplicates: 0,
    tooShort: 0,
  };

  private constructor(
    readonly file: string,
    input: ByteInput,
    readonly producer: RingProducer,
    readonly options: ReplayOptions,
  ) {
    this.#input = input;
    const { ring } = producer;
    this.#last = new Uint8Array(ring.slotBytes);
    // The sender of every message: port 0, the kernel.
    ring.bytes.fill(0, ring.extrasOffset, ring.extrasOffset + ring.slots * ring.extraBytes);
  }

  /** Open a capture, "-" for standard input. Throws SystemFailure. */
  static open(file: string, producer: RingProducer, options: ReplayOptions): ReplaySource {
    const feed = file === '-' || file === '/dev/stdin' ? new StreamFeed(process.stdin) : new FileFeed(file);
    return new ReplaySource(file, new ByteInput(feed), producer, options);
  }

  /** Rejects with DamageError 'bad-capture' after everything before the damage has been put into the ring. */
  run(): Promise<void> {
    this.#running = this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    const reader = new PacketReader(this.#input, this.file);
    const { packet } = reader;
    const counts = this.#counts;
    try {
      while (!this.#stopping) {
        let more = reader.next();
        if (typeof more !== 'boolean') more = await more;
        if (!more) break;
        if (++counts.packets % PACKETS_PER_TURN === 0) await nextTurn();
        if (!this.#isWanted(packet)) continue;
        if (this.#controls.length > 0 || this.producer.writable(this.#filled + 1) <= this.#filled)
          await this.#makeRoom();
        this.#put(packet);
      }
    } catch (error) {
      this.#explain(error);
    } finally {
      this.#publish();
    }
  }

  /** A pipe fails with an error of Node's. */
  #explain(error: unknown): void {
    if (this.#stopping && this.#input.feed instanceof StreamFeed) return; // `stop` ended a read that was under way
    const code = errnoCode(error);
    if (error instanceof SystemFailure || error instanceof DamageError || code === 'UNKNOWN') throw error;
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
    return { received: this.#counts.messages, lost: 0, deliveryFailures: 0 };
  }

  statistics(): Record<string, number> {
    return { ...this.#counts };
  }

  close(): void {
    this.#endReading();
    const { feed } = this.#input;
    if (feed instanceof FileFeed) void this.#running.catch(() => {}).then(() => feed.close());
  }

  /** A pipe may be silent for ever: it is destroyed, which ends a read under way. */
  #endReading(): void {
    this.#stopping = true;
    if (this.#input.feed instanceof StreamFeed) process.stdin.destroy();
  }

  /** Only messages of NETLINK_NETFILTER on their way to user space count, dump replies do not. */
  #isWanted({ bytes, from, capturedBytes }: Packet): boolean {
    const counts = this.#counts;
    if (capturedBytes < COOKED_HEADER_BYTES + NLMSG_HEADER_BYTES) {
      counts.tooShort++;
      return false;
    }
    if (familyAt(bytes, from) !== NETLINK_NETFILTER) {
      counts.otherFamily++;
      return false;
    }
    const message = from + COOKED_HEADER_BYTES;
    const flags = bytes[message + 6] | (bytes[message + 7] << 8);
    const type = packetTypeAt(bytes, from);
    if (type === PacketType.toKernel || (type !== PacketType.toUser && (flags & NLM_F_REQUEST) !== 0)) {
      counts.toKernel++;
      return false;
    }
    if ((flags & NLM_F_MULTI) !== 0) {
      counts.dumpReplies++;
      return false;
    }
    return (
      this.options.keepDuplicates || !this.#isRepeated(bytes, message, capturedBytes - COOKED_HEADER_BYTES)
    );
  }

  /** nlmon sees a multicast once per listener, one copy right after the other. */
  #isRepeated(bytes: Uint8Array, message: number, length: number): boolean {
    const last = this.#last;
    const kept = Math.min(length, last.length);
    let same = length === this.#lastBytes;
    for (let i = 0; same && i < kept; i++) same = bytes[message + i] === last[i];
    if (same) this.#counts.duplicates++;
    else {
      last.set(bytes.subarray(message, message + kept));
      this.#lastBytes = length;
    }
    return same;
  }

  #put({ bytes, from, capturedBytes, realBytes, timeUs }: Packet): void {
    const { ring, index } = this.producer;
    const slot = index + this.#filled;
    const at = ring.offsetOf(slot);
    const message = from + COOKED_HEADER_BYTES;
    const there = Math.min(capturedBytes - COOKED_HEADER_BYTES, ring.slotBytes);
    ring.bytes.set(bytes.subarray(message, message + there), at);
    // What was not captured must not look as if it had been: the rest of the slot is older bytes.
    const length =
      realBytes > capturedBytes ? realBytes - COOKED_HEADER_BYTES : capturedBytes - COOKED_HEADER_BYTES;
    if (length > there) ring.bytes.fill(0, at + there, at + Math.min(length, ring.slotBytes));
    ring.describe(slot, length, 0);
    ring.timesUs[slot] = timeUs;
    this.#filled++;
    this.#counts.messages++;
    if (this.#filled >= RECEIVE_BATCH_MESSAGES || slot + 1 === ring.slots) this.#publish();
  }

  #publish(): void {
    if (this.#filled > 0) this.producer.publish(this.#filled);
    this.#filled = 0;
  }

  async #makeRoom(): Promise<void> {
    this.#publish();
    while (this.producer.writable(1) === 0) await this.#nap();
    while (!this.#putControls()) await this.#nap();
    while (this.producer.writable(1) === 0) await this.#nap();
  }

  async #nap(): Promise<void> {
    if (Atomics.load(this.producer.ring.control, STATE_WORD) !== RingState.open)
      throw new SystemFailure('replay', 'EPIPE', 'the parser is gone');
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
