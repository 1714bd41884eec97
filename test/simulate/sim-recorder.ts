/**
 * One run of a recorder in a world: parser and writer as they are, in one thread, a step at a time. The world
 * stands where the socket, the main thread and the disk would.
 */
import type { Host } from '../../src/base/process/host.js';
import { Parser } from '../../src/record/parser/parser.js';
import { RingConsumer } from '../../src/record/ring/consumer.js';
import {
  createRing,
  HEAD_WORD,
  HIGH_WATER_WORD,
  STATE_WORD,
  TAIL_WORD,
} from '../../src/record/ring/layout.js';
import { RingProducer } from '../../src/record/ring/producer.js';
import { createBlockRing } from '../../src/record/stage/blocks.js';
import { Control, putControl } from '../../src/record/stage/control.js';
import { createStats } from '../../src/record/stage/counters.js';
import { RING_SLOT_BYTES } from '../../src/record/stage/message-ring.js';
import { LogWriter } from '../../src/record/writer/writer.js';
import { WriterLoop } from '../../src/record/writer/writer-loop.js';
import { WriterStat } from '../../src/record/writer/writer-stats.js';
import type { RetentionOptions, WriterEvent } from '../../src/record/writer/writer-task.js';
import type { SimClock } from './sim-clock.js';
import type { SimProcess } from './sim-process.js';
import { MESSAGE_BYTES, writeMessage } from './traffic.js';

const SLOTS = 1024;
const SLOT_EXTRA_BYTES = 32;
const BLOCK_EVENTS = 256;
/** One portion of messages makes no more blocks than the block ring holds: at most one is due by time. */
const PORTION_MS_MAX = 900;
const PORTION_MESSAGES_MAX = 96;
/** Steps of retention that are waited for. */
const IDLE_STEPS_MAX = 200;

export interface SimOptions {
  readonly name: string;
  readonly template: string;
  readonly rotateMinutes: number;
  readonly host: Host;
  readonly minFreeBytes: number;
  readonly retention: RetentionOptions | undefined;
}

/** Memory of a run; used again by the next one, since making it costs more than a run. */
class Memory {
  readonly messages = createRing({ slots: SLOTS, slotBytes: RING_SLOT_BYTES, extraBytes: SLOT_EXTRA_BYTES });
  readonly blocks = createBlockRing();

  reset(): void {
    for (const { control } of [this.messages, this.blocks])
      for (const word of [HEAD_WORD, HIGH_WATER_WORD, TAIL_WORD, STATE_WORD]) control[word] = 0;
  }
}

const free: Memory[] = [];

export class SimRecorder {
  readonly #memory = free.pop() ?? new Memory();
  readonly #messages: RingProducer;
  readonly #taken: RingConsumer;
  readonly #parser: Parser;
  readonly #blocks: RingConsumer;
  readonly #loop: WriterLoop;
  readonly writer: LogWriter;
  readonly stats = createStats();
  readonly events: WriterEvent[] = [];
  /** Numbers of the events that it was given, in order. */
  readonly given: number[] = [];
  /** Called while the disk keeps the writer waiting; to be killed or helped. */
  onWait: () => void = () => {};
  onEvent: (number: number) => void = () => {};
  isOver = false;

  constructor(
    readonly options: SimOptions,
    readonly runId: bigint,
    readonly clock: SimClock,
    readonly process: SimProcess,
    readonly hear: (event: WriterEvent) => void,
  ) {
    this.#memory.reset();
    const { messages, blocks } = this.#memory;
    this.#messages = new RingProducer(messages);
    this.#taken = new RingConsumer(messages);
    this.#blocks = new RingConsumer(blocks);
    const { template, rotateMinutes, host, minFreeBytes, retention } = options;
    this.#parser = new Parser(
      this.#taken,
      new RingProducer(blocks),
      {
        protocols: [6],
        flushIntervalMs: 1000,
        rotateMinutes,
        rotateLocal: false,
        runId,
        replay: false,
        blockEvents: BLOCK_EVENTS,
      },
      createStats(),
      undefined,
      clock,
    );
    const writerOptions = {
      template,
      protocols: [6],
      runId,
      host,
      recorder: 'simulated',
      live: true,
      minFreeBytes,
      ...(retention !== undefined && { retention }),
    };
    const emit = (event: WriterEvent) => {
      this.events.push(event);
      hear(event);
    };
    this.writer = new LogWriter(writerOptions, this.stats, emit, process, clock);
    this.#loop = new WriterLoop(
      this.#blocks,
      this.writer,
      this.stats,
      writerOptions,
      emit,
      undefined,
      (delayMs) => {
        clock.pass(delayMs);
        this.onWait();
      },
    );
  }

  /** Rejects with what a start says when it cannot. */
  async open(): Promise<void> {
    await this.control(Control.open, this.clock.wallUs());
  }

  /** `count` events from `first` on, spread over `ms` of true time. */
  async take(first: number, count: number, ms: number): Promise<void> {
    const { ring } = this.#messages;
    const portionMax = Math.max(1, Math.min(PORTION_MESSAGES_MAX, Math.floor((PORTION_MS_MAX * count) / ms)));
    for (let done = 0; done < count; ) {
      const portion = Math.min(count - done, this.#messages.writable(SLOTS), portionMax);
      for (let i = 0; i < portion; i++) {
        this.clock.pass(ms / count);
        const slot = this.#messages.index + i;
        writeMessage(first + done + i, ring.bytes, ring.offsetOf(slot));
        ring.timesUs[slot] = this.clock.wallUs();
        ring.describe(slot, MESSAGE_BYTES, 0);
        this.given.push(first + done + i);
        this.onEvent(first + done + i);
      }
      this.#messages.publish(portion);
      done += portion;
      await this.settle();
    }
  }

  async control(kind: Control, ...args: number[]): Promise<void> {
    putControl(this.#messages, kind, ...args);
    await this.settle();
  }

  /** Until nothing is left to do now. */
  async settle(): Promise<void> {
    for (;;) {
      const count = this.#taken.readable();
      this.#parser.step(count);
      await this.#write();
      if (count === 0) break;
    }
    for (let i = 0; i < IDLE_STEPS_MAX && this.#loop.busy && !this.isOver; i++) await this.#write();
  }

  async stop(): Promise<void> {
    await this.control(Control.stop);
    this.#end();
  }

  /** The process is gone, as it stands. */
  kill(): void {
    this.process.kill();
    this.#end();
  }

  /** Events that it has acknowledged. */
  get acknowledged(): number {
    return this.stats[WriterStat.durableEvents];
  }

  async #write(): Promise<void> {
    do {
      if (this.isOver) return;
      const isOver = await this.#loop.step(this.#blocks.readable());
      if (isOver) this.isOver = true;
    } while (this.#blocks.readable() > 0);
  }

  #end(): void {
    this.isOver = true;
    if (!free.includes(this.#memory)) free.push(this.#memory);
  }
}
