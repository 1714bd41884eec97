/**
 * What the pairing keeps of a log while it reads it: the starts whose end has not come yet, and the ends
 * whose start has not.
 */
import type { EventBatch } from './batch.js';
import { OpenStore } from './open-store.js';

const TIME = 0;

// Columns of a start.
const KERNEL_START = 1;
const ENDED_BEFORE = 2;
const STATUS = 0;
const MARK = 1;
const GAPS_BEFORE = 2;
const START_COLUMNS = { doubles: 3, words: 3 };

// State of a start: RecordFlag bits in the lowest eight, then these.
const SOURCE_SHIFT = 8;
const SOURCE_MASK = 7 << SOURCE_SHIFT;
const FROM_TABLE = 1 << 12;

/** Starts whose end has not come yet, by key. */
export class OpenStarts extends OpenStore {
  constructor(keyWords: number) {
    super(keyWords, START_COLUMNS);
  }

  /** What a row says of the start; times in microseconds since the epoch. */
  fill(
    entry: number,
    batch: EventBatch,
    row: number,
    timeUs: number,
    flags: number,
    isFromTable: boolean,
    gapsBefore: number,
  ): void {
    const source = batch.timeSource[row] << SOURCE_SHIFT;
    this.setState(entry, flags | source | (isFromTable ? FROM_TABLE : 0));
    this.setDouble(entry, TIME, timeUs);
    this.setDouble(entry, KERNEL_START, batch.startUs[row]);
    this.setDouble(entry, ENDED_BEFORE, 0);
    this.setWord(entry, STATUS, batch.status[row]);
    this.setWord(entry, MARK, batch.mark[row]);
    this.setWord(entry, GAPS_BEFORE, gapsBefore);
  }

  /** The start turns out to have been at this time, which comes from `timeSource`. */
  setStart(entry: number, timeUs: number, timeSource: number): void {
    this.setDouble(entry, TIME, timeUs);
    this.setState(entry, (this.state(entry) & ~SOURCE_MASK) | (timeSource << SOURCE_SHIFT));
  }

  /** The kernel's start time; 0 = none. */
  kernelStartUs(entry: number): number {
    return this.double(entry, KERNEL_START);
  }

  /** Latest possible end when a newer start of the same key was seen; 0 = none. */
  endedBeforeUs(entry: number): number {
    return this.double(entry, ENDED_BEFORE);
  }

  setEndedBeforeUs(entry: number, timeUs: number): void {
    this.setDouble(entry, ENDED_BEFORE, timeUs);
  }

  /** RecordFlag bits. */
  flags(entry: number): number {
    return this.state(entry) & 0xff;
  }

  /** Where `timeUs` comes from: a TimeSource. */
  timeSource(entry: number): number {
    return (this.state(entry) & SOURCE_MASK) >>> SOURCE_SHIFT;
  }

  /** Only the kernel's table has told of it so far. */
  isFromTable(entry: number): boolean {
    return (this.state(entry) & FROM_TABLE) !== 0;
  }

  status(entry: number): number {
    return this.word(entry, STATUS);
  }

  mark(entry: number): number {
    return this.word(entry, MARK);
  }

  /** Number of gaps seen before it. */
  gapsBefore(entry: number): number {
    return this.word(entry, GAPS_BEFORE);
  }
}

// Columns of an end.
const OUTPUT_ROW = 1;
const END_COLUMNS = { doubles: 2, words: 0 };

/** Ends whose start has not been seen, by key; `timeUs` is that of the end. */
export class UnstartedEnds extends OpenStore {
  constructor(keyWords: number) {
    super(keyWords, END_COLUMNS);
  }

  fill(entry: number, timeUs: number, outputRow: number): void {
    this.setDouble(entry, TIME, timeUs);
    this.setDouble(entry, OUTPUT_ROW, outputRow);
  }

  /** Which row of the pairing's whole output the end is, counted from 0. */
  outputRow(entry: number): number {
    return this.double(entry, OUTPUT_ROW);
  }
}
