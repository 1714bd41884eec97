/**
 * The open connections of one family with what an audit must know of them. Table worker's thread, for every
 * event that is read back and every entry of a dump: an event that ends a connection reads one slot of the
 * index and nothing of its record.
 */
import type { KeyedRows } from '../../event/keyed-rows.js';
import { OpenStore } from '../../event/open-store.js';

// Columns. With them an IPv4 record has 16 words: a cache line.
const TIME = 0;
const LAST_SEEN = 1;
const STATUS = 0;
const MARK = 1;
const COLUMNS = { doubles: 2, words: 2 };

// State: RecordFlag bits in the lowest eight, then these.
const SOURCE_SHIFT = 8;
const SOURCE_MASK = 7;
const FROM_TABLE = 1 << 12;
const GONE = 1 << 13;
const AUDIT_SHIFT = 16;
const AUDIT_MASK = 0xffff;

export class OpenTable extends OpenStore {
  constructor(keyWords: number) {
    super(keyWords, COLUMNS);
  }

  /** What the row says of the entry, which was seen last then; `audit` is the last one that began. */
  fill(entry: number, rows: KeyedRows, row: number, flags: number, audit: number): void {
    const { words, doubles } = this;
    const at = entry * this.recordWords;
    words[at + this.stateAt] =
      flags | (rows.timeSource[row] << SOURCE_SHIFT) | ((audit & AUDIT_MASK) << AUDIT_SHIFT);
    words[at + this.wordsAt + STATUS] = rows.status[row];
    words[at + this.wordsAt + MARK] = rows.mark[row];
    const timesAt = at / 2 + this.doublesAt;
    const timeUs = rows.timeUs[row];
    doubles[timesAt + TIME] = timeUs;
    doubles[timesAt + LAST_SEEN] = timeUs;
  }

  /** The audit showed the entry, with these flags, status and mark. */
  show(entry: number, rows: KeyedRows, row: number, flags: number, audit: number): void {
    this.setOfAudit(entry, audit);
    this.setState(entry, this.state(entry) | flags);
    this.setWord(entry, STATUS, rows.status[row]);
    this.setWord(entry, MARK, rows.mark[row]);
  }

  /** When it was last known to be open, in microseconds since the epoch. */
  lastSeenUs(entry: number): number {
    return this.double(entry, LAST_SEEN);
  }

  setLastSeenUs(entry: number, timeUs: number): void {
    this.setDouble(entry, LAST_SEEN, timeUs);
  }

  /** RecordFlag bits. */
  flags(entry: number): number {
    return this.state(entry) & 0xff;
  }

  /** Where `timeUs` comes from: a TimeSource. */
  timeSource(entry: number): number {
    return (this.state(entry) >>> SOURCE_SHIFT) & SOURCE_MASK;
  }

  /** The kernel told the true start. */
  setStart(entry: number, timeUs: number, timeSource: number, flagsOff: number): void {
    const state = this.state(entry) & ~((SOURCE_MASK << SOURCE_SHIFT) | flagsOff);
    this.setState(entry, state | (timeSource << SOURCE_SHIFT));
    this.setDouble(entry, TIME, timeUs);
  }

  status(entry: number): number {
    return this.word(entry, STATUS);
  }

  mark(entry: number): number {
    return this.word(entry, MARK);
  }

  /** The audit of this number showed it, or began last when its start came. */
  isOfAudit(entry: number, audit: number): boolean {
    return this.state(entry) >>> AUDIT_SHIFT === (audit & AUDIT_MASK);
  }

  setOfAudit(entry: number, audit: number): void {
    const state = this.state(entry) & ~(AUDIT_MASK << AUDIT_SHIFT);
    this.setState(entry, state | ((audit & AUDIT_MASK) << AUDIT_SHIFT));
  }

  /** Only the kernel's table has told of it so far. */
  isFromTable(entry: number): boolean {
    return (this.state(entry) & FROM_TABLE) !== 0;
  }

  setFromTable(entry: number, isFromTable: boolean): void {
    this.#setBit(entry, FROM_TABLE, isFromTable);
  }

  /** Found gone; what an event says of it since takes that back. */
  isGone(entry: number): boolean {
    return (this.state(entry) & GONE) !== 0;
  }

  setGone(entry: number, isGone: boolean): void {
    this.#setBit(entry, GONE, isGone);
  }

  #setBit(entry: number, bit: number, isSet: boolean): void {
    const state = this.state(entry);
    this.setState(entry, isSet ? state | bit : state & ~bit);
  }
}
