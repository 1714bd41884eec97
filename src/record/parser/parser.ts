/**
 * The parser: takes messages from the first ring, decodes them into the block under construction, and hands
 * finished blocks to the second ring. Runs on the parser worker's thread and may block it: on an empty ring
 * (waiting for messages) and on a full one (waiting for the disk). Per message it does what decode.ts does
 * and one comparison of times, nothing else.
 */

import { systemClock } from '../../base/libc/clock.js';
import { nextBoundaryUs } from '../../base/time/boundaries.js';
import type { Clock } from '../../base/time/clock.js';
import { localZone, utcZone, type Zone } from '../../base/time/zone.js';
import { Column, EventBatch, TimeSource } from '../../event/batch.js';
import { CERTAINTIES, type GapRecord, LOSS_CAUSES } from '../../event/gap.js';
import { writeAddressFilter } from '../../log/format/address-filter.js';
import { type BlockIdentity, UNNUMBERED, writeJsonBlock, writeRecordBlock } from '../../log/format/block.js';
import { BlockType } from '../../log/format/format.js';
import { ALL_COLUMNS } from '../../log/format/section-ids.js';
import { createDecodeCounters, type DecodeCounters, decodeDatagram } from '../conntrack/decode.js';
import { Repeats } from '../conntrack/repeats.js';
import type { RingConsumer } from '../ring/consumer.js';
import type { RingProducer } from '../ring/producer.js';
import { BlockMessage } from '../stage/blocks.js';
import { CONTROL_ARGUMENTS, CONTROL_FLAG, Control, LossArguments } from '../stage/control.js';
import { ParserStat } from './parser-stats.js';

export interface ParserOptions {
  readonly protocols: readonly number[] | 'all';
  readonly flushIntervalMs: number;
  readonly rotateMinutes: number;
  /** Intervals count from local midnight; else from the epoch, in UTC. */
  readonly rotateLocal: boolean;
  readonly runId: bigint;
  /** Events in a block at the most; BLOCK_EVENTS when it is not said. */
  readonly blockEvents?: number;
  /** Time flows with the messages, not with the wall clock. */
  readonly replay: boolean;
}

/** Gets every message as received, before it is decoded (`--save-messages`). */
export interface MessageTap {
  save(bytes: Uint8Array, offset: number, capturedBytes: number, realBytes: number, timeUs: number): void;
}

/**
 * Events in a block at the most. While a block is closed no message is taken, so the ring and the socket
 * buffer must hold what arrives meanwhile: blocks four times as large save 5 % of their bytes and stall four
 * times as long.
 */
export const BLOCK_EVENTS = 16384;
/**
 * The conntrack id is 4 bytes that do not compress and is not needed to pair a start with its end; timeout
 * and use count are the kernel's housekeeping.
 */
const RECORDED_COLUMNS = ALL_COLUMNS & ~(Column.id | Column.timeoutSeconds | Column.use);
/**
 * As in src/log/format/encode-loops.ts: loops are short and calls many, or V8 compiles a loop again and
 * again while it runs.
 */
const PORTION_SLOTS = 128;
/** Waits end at least this often, so that a side that died is noticed. */
const WAIT_MS_MAX = 1000;
const NETLINK_PORT_ID_OFFSET = 4;

export class Parser {
  readonly #batch: EventBatch;
  readonly #counters: DecodeCounters = createDecodeCounters();
  readonly #identity: BlockIdentity;
  readonly #allowed: Uint8Array | undefined;
  readonly #timeSource: number;
  readonly #rotationZone: Zone;
  /** Only while the kernel may send events again. */
  #repeats: Repeats | undefined;
  readonly #portIds: Uint32Array;
  readonly #portIdStride: number;
  readonly #portIdFirst: number;
  /**
   * When the block under construction must be closed or the file rotated, microseconds; compared with every
   * message's time.
   */
  #dueUs = Number.POSITIVE_INFINITY;
  #flushDueUs = Number.POSITIVE_INFINITY;
  #boundaryUs = Number.POSITIVE_INFINITY;
  /** LossArguments of the gap behind the block under construction. */
  #gap: Float64Array | undefined;
  /** Time of the newest message taken, for a rotation asked for in a replay. */
  #lastTimeUs = 0;
  #opened = false;
  #stopped = false;

  constructor(
    readonly messages: RingConsumer,
    readonly blocks: RingProducer,
    readonly options: ParserOptions,
    readonly stats: Float64Array,
    readonly tap: MessageTap | undefined,
    readonly clock: Clock = systemClock,
  ) {
    this.#batch = new EventBatch(options.blockEvents ?? BLOCK_EVENTS);
    this.#identity = { runId: options.runId, sequence: UNNUMBERED };
    if (options.protocols !== 'all') {
      this.#allowed = new Uint8Array(256);
      for (const protocol of options.protocols) this.#allowed[protocol] = 1;
    }
    this.#timeSource = options.replay ? TimeSource.capture : TimeSource.receive;
    this.#rotationZone = options.rotateLocal ? localZone() : utcZone;
    const { ring } = messages;
    this.#portIds = new Uint32Array(ring.buffer, 0, Math.floor(ring.buffer.byteLength / 4));
    this.#portIdFirst = (ring.extrasOffset + NETLINK_PORT_ID_OFFSET) / 4;
    this.#portIdStride = ring.extraBytes / 4;
  }

  /** Until the stop control slot. */
  run(): void {
    while (!this.#stopped) this.step(this.messages.waitReadable(this.#waitMs()));
  }

  /** Take the `count` slots that are readable; without any, do what is due by the clock. */
  step(count: number): void {
    if (count > 0) this.#take(count);
    else if (!this.options.replay) {
      const nowUs = this.clock.wallUs();
      if (nowUs >= this.#dueUs) this.#checkDue(nowUs);
    }
  }

  #take(count: number): void {
    const { ring } = this.messages;
    const first = this.messages.index;
    const end = first + count;
    for (let from = first; from < end; from += PORTION_SLOTS)
      this.#takePortion(from, Math.min(end, from + PORTION_SLOTS));
    if (ring.flagsOf(end - 1) < CONTROL_FLAG) this.#lastTimeUs = ring.timesUs[end - 1];
    this.messages.release(count);
    this.#publishStats();
  }

  #takePortion(from: number, to: number): void {
    const { ring } = this.messages;
    for (let slot = from; slot < to; slot++) {
      const flags = ring.flagsOf(slot);
      const timeUs = ring.timesUs[slot];
      if (flags >= CONTROL_FLAG) this.#control(flags - CONTROL_FLAG, ring.offsetOf(slot), timeUs);
      else {
        if (timeUs >= this.#dueUs) this.#checkDue(timeUs);
        this.#message(slot, timeUs);
      }
    }
  }

  #message(slot: number, timeUs: number): void {
    const { ring } = this.messages;
    const lengthBytes = ring.lengthOf(slot);
    const offset = ring.offsetOf(slot);
    // Only the kernel (port 0) is believed: any local process may send to a netlink socket's port.
    if (this.#portIds[this.#portIdFirst + slot * this.#portIdStride] !== 0) {
      this.stats[ParserStat.foreignSender]++;
      return;
    }
    if (this.tap !== undefined)
      this.tap.save(ring.bytes, offset, Math.min(lengthBytes, ring.slotBytes), lengthBytes, timeUs);
    const batch = this.#batch;
    const before = batch.count;
    decodeDatagram(
      ring.bytes,
      offset,
      lengthBytes,
      ring.slotBytes,
      timeUs,
      this.#timeSource,
      batch,
      this.#counters,
    );
    if (batch.count === before) return;
    if (this.#allowed !== undefined && this.#allowed[batch.proto[before]] === 0) {
      batch.discardLast();
      this.stats[ParserStat.otherProtocol]++;
      return;
    }
    if (this.#repeats?.isRepeat(batch, before)) {
      batch.discardLast();
      this.stats[ParserStat.repeats]++;
      return;
    }
    if (before === 0) this.#setFlushDue(timeUs);
    if (batch.count === batch.capacity) this.#closeBlock();
  }

  #control(kind: number, offset: number, timeUs: number): void {
    const args = new Float64Array(this.messages.ring.buffer, offset, CONTROL_ARGUMENTS);
    const [a, b] = args;
    switch (kind) {
      case Control.gap:
        this.#noteGap(args.slice(), timeUs);
        this.#repeats?.noteLoss();
        break;
      case Control.clockStep:
        this.#closeBlock();
        this.#sendJson({ atUs: b, stepUs: a }, BlockType.clockStep, Math.min(b, b - a), b);
        if (a < 0) this.#afterStepBack(b);
        break;
      case Control.open:
        // A replay's files are named by its messages: the first one opens the first file, by being due.
        if (this.options.replay) this.#dueUs = 0;
        else this.#open(a);
        break;
      case Control.rotate:
        if (this.#opened) this.#rotate(this.options.replay ? this.#lastTimeUs : a);
        break;
      case Control.flush:
        this.#closeBlock();
        this.#send(0, BlockMessage.flush, a);
        break;
      case Control.reliable:
        this.#noteReliable(a === 1, b, args[2], args[3]);
        break;
      case Control.repeats:
        this.#repeats = a === 1 ? this.#watchRepeats(b) : undefined;
        break;
      case Control.stop:
        if (!this.#opened) this.#open(timeUs);
        this.#closeBlock();
        this.#send(0, BlockMessage.stop, timeUs);
        this.#stopped = true;
        break;
    }
  }

  #noteGap(loss: Float64Array, timeUs: number): void {
    const { lost, fromUs, toUs, cause, certainty } = LossArguments;
    if (loss[toUs] === 0) loss.fill(this.#lastTimeUs, fromUs, toUs + 1);
    const before = this.#gap;
    this.#gap = loss;
    if (before === undefined) {
      if (this.#flushDueUs === Number.POSITIVE_INFINITY) this.#setFlushDue(timeUs);
      return;
    }
    loss[lost] += before[lost];
    loss[fromUs] = before[fromUs];
    loss[cause] = Math.max(loss[cause], before[cause]);
    loss[certainty] = Math.max(loss[certainty], before[certainty]);
  }

  #noteReliable(reliable: boolean, entries: number, entriesMax: number, atUs: number): void {
    this.#closeBlock();
    this.#sendJson({ reliable, atUs, entries, entriesMax }, BlockType.checkpoint, atUs, atUs);
  }

  /** What has been taken since the last block counts: its repeats may still come. */
  #watchRepeats(entriesMax: number): Repeats {
    const repeats = new Repeats(entriesMax);
    for (let row = 0; row < this.#batch.count; row++) repeats.isRepeat(this.#batch, row);
    return repeats;
  }

  #open(timeUs: number): void {
    this.#opened = true;
    this.#send(0, BlockMessage.open, timeUs);
    this.#boundaryUs = this.#boundaryAfter(timeUs);
    this.#dueUs = this.#boundaryUs;
  }

  #checkDue(nowUs: number): void {
    if (!this.#opened) this.#open(nowUs);
    else if (nowUs >= this.#boundaryUs) this.#rotate(nowUs);
    else if (nowUs >= this.#flushDueUs) this.#closeBlock();
  }

  #rotate(nowUs: number): void {
    this.#closeBlock();
    this.#send(0, BlockMessage.rotate, nowUs);
    // When a user asks for it just after the clock went back, a boundary that was used is not due again.
    if (nowUs >= this.#boundaryUs) this.#boundaryUs = this.#boundaryAfter(nowUs);
    this.#dueUs = this.#boundaryUs;
  }

  /**
   * After a clock that was far ahead is set right, rotation must not wait until the time it had shown. A step
   * back over a single boundary does not move the next rotation: no boundary is used twice.
   */
  #afterStepBack(nowUs: number): void {
    const nextUs = this.#boundaryAfter(nowUs);
    if (this.#boundaryUs > this.#boundaryAfter(nextUs)) this.#boundaryUs = nextUs;
    this.#dueUs = Math.min(this.#flushDueUs, this.#boundaryUs);
  }

  #boundaryAfter(timeUs: number): number {
    return nextBoundaryUs(timeUs, this.options.rotateMinutes, this.#rotationZone);
  }

  #setFlushDue(timeUs: number): void {
    this.#flushDueUs = timeUs + this.options.flushIntervalMs * 1000;
    this.#dueUs = Math.min(this.#flushDueUs, this.#boundaryUs);
  }

  /** Hand the block under construction and the gap in it to the writer. */
  #closeBlock(): void {
    const batch = this.#batch;
    if (batch.count > 0) {
      this.#awaitSlot();
      const { ring, index } = this.blocks;
      const offset = ring.offsetOf(index);
      const blockBytes = writeRecordBlock(
        batch,
        BlockType.events,
        this.#identity,
        ring.bytes,
        offset,
        'fast',
        RECORDED_COLUMNS,
      );
      const filterBytes = writeAddressFilter(batch, ring.bytes, offset + blockBytes);
      this.stats[ParserStat.recorded] += batch.count;
      batch.clear();
      this.#publish(blockBytes + filterBytes, BlockMessage.block, 0);
    }
    if (this.#gap !== undefined) {
      const gap = gapRecord(this.#gap);
      this.#gap = undefined;
      this.#sendJson(gap, BlockType.gap, gap.fromUs, gap.toUs);
      this.stats[ParserStat.gaps]++;
      this.stats[ParserStat.lost] += gap.lost;
    }
    this.#flushDueUs = Number.POSITIVE_INFINITY;
    this.#dueUs = this.#boundaryUs;
  }

  #sendJson(value: unknown, type: BlockType, minTimeUs: number, maxTimeUs: number): void {
    this.#awaitSlot();
    const { ring, index } = this.blocks;
    const bytes = writeJsonBlock(
      value,
      type,
      this.#identity,
      minTimeUs,
      maxTimeUs,
      ring.bytes,
      ring.offsetOf(index),
    );
    this.#publish(bytes, BlockMessage.block, 0);
  }

  #send(lengthBytes: number, message: number, timeUs: number): void {
    this.#awaitSlot();
    this.#publish(lengthBytes, message, timeUs);
  }

  #publish(lengthBytes: number, message: number, timeUs: number): void {
    const { ring, index } = this.blocks;
    ring.timesUs[index] = timeUs;
    ring.describe(index, lengthBytes, message);
    this.blocks.publish(1);
  }

  /**
   * The one place where the parser waits for the disk. Meanwhile messages stay in the ring, then in the
   * socket buffer.
   */
  #awaitSlot(): void {
    if (this.blocks.free() > 0) return;
    this.stats[ParserStat.waitingForWriter] = 1;
    while (!this.blocks.waitWritable(WAIT_MS_MAX)) this.blocks.assertOpen();
    this.stats[ParserStat.waitingForWriter] = 0;
  }

  #waitMs(): number {
    if (this.options.replay || this.#dueUs === Number.POSITIVE_INFINITY) return WAIT_MS_MAX;
    return Math.min(WAIT_MS_MAX, Math.max(1, (this.#dueUs - this.clock.wallUs()) / 1000));
  }

  #publishStats(): void {
    const { stats } = this;
    const counters = this.#counters;
    stats[ParserStat.starts] = counters.starts;
    stats[ParserStat.ends] = counters.ends;
    stats[ParserStat.updates] = counters.updates;
    stats[ParserStat.malformed] = counters.malformed;
    stats[ParserStat.truncated] = counters.truncated;
    stats[ParserStat.partial] = counters.partial;
    stats[ParserStat.unknownAttributes] = counters.unknownAttributes;
  }
}

function gapRecord(loss: Float64Array): GapRecord {
  return {
    fromUs: loss[LossArguments.fromUs],
    toUs: loss[LossArguments.toUs],
    lost: loss[LossArguments.lost],
    certainty: CERTAINTIES[loss[LossArguments.certainty]],
    cause: LOSS_CAUSES[loss[LossArguments.cause]],
    queueHighWaterBytes: loss[LossArguments.queueHighWaterBytes],
    ringHighWaterSlots: loss[LossArguments.ringHighWaterSlots],
  };
}
