/**
 * Knows which connections are open, from the log itself, and compares that with the kernel's table. Table worker's thread, beside
 * the recording: it reads finished blocks back from the file, so that the way of an event knows nothing of it. Memory: the
 * connections open at once, about 120 bytes each, twice that while a dump is compared.
 *
 *   rotation   the log so far ──▶ open connections ──▶ snapshot records, so that the new file answers on its own
 *   audit      mark ── dump ── mark: what the log says before, the table, what the log says after
 *              in both        still open
 *              log only       asked for by name; gone: an end that nobody saw, between when it was last seen and the dump
 *              table only     appeared unseen: a start marked so (before the first audit: a snapshot record)
 *              event between  the event wins; the dump may be older or younger
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AF_INET, EventBatch, RecordFlag, RecordKind, TimeSource } from '../conntrack/batch.js';
import { createDecodeCounters } from '../conntrack/decode.js';
import { KEY4_WORDS, KEY6_WORDS, loadRowKey, origTupleOf } from '../query/connection-rows.js';
import { OpenStarts } from '../query/open-starts.js';
import { START_TOLERANCE_US } from '../query/pair.js';
import { dumpTable } from './dump.js';
import { LogFollower } from './follow.js';
import { EntryLookup } from './lookup.js';
import type { TableRows } from './rows.js';

const NONE = -1;
/** An entry is in the table a moment before its event is sent, and out of it a moment before its DESTROY. */
const EVENT_LAG_MS = 20;
const DUMP_BATCH_ROWS = 4096;

export interface KeeperOptions {
  readonly protocols: readonly number[] | 'all';
  /** Resolves with the number of the last block that holds what was received before the call. */
  readonly mark: () => Promise<number>;
}

/** What an audit found. */
export interface AuditResult {
  readonly entries: number;
  /** Open when the first audit began. */
  readonly found: number;
  readonly derivedStarts: number;
  readonly derivedEnds: number;
  readonly dumpMs: number;
}

/** A family's connections: those that are open, and those that the dump under way showed and the log did not. */
interface Family {
  readonly open: OpenStarts;
  readonly candidates: OpenStarts;
}

export class TableKeeper {
  readonly #families: readonly Family[] = [KEY4_WORDS, KEY6_WORDS].map((keyWords) => ({
    open: new OpenStarts(keyWords),
    candidates: new OpenStarts(keyWords),
  }));
  readonly #follower = new LogFollower((batch) => this.#takeRows(batch));
  readonly #allowed: Uint8Array | undefined;
  readonly #dumped = new EventBatch(DUMP_BATCH_ROWS);
  /** When the last audit began; 0 before the first. */
  #auditedUs = 0;
  /** Events of the dump under way are younger than its begin, whatever their clock says; 0 = none is. */
  #dumpBeganUs = 0;
  #openedUs = 0;

  constructor(
    readonly options: KeeperOptions,
    readonly rows: TableRows,
  ) {
    const { protocols } = options;
    if (protocols === 'all') return;
    this.#allowed = new Uint8Array(256);
    for (const protocol of protocols) this.#allowed[protocol] = 1;
  }

  /** Connections open now, as far as the log has been read. */
  get openCount(): number {
    return this.#families.reduce((sum, { open }) => sum + open.count, 0);
  }

  /** Number of the last block that has been read. */
  get sequence(): number {
    return this.#follower.sequence;
  }

  /** The recording goes on in this file, opened at a time in microseconds since the epoch. */
  addFile(path: string, openedUs: number): void {
    this.#follower.addFile(path);
    this.#openedUs = openedUs;
  }

  async catchUp(sequence: number): Promise<void> {
    await this.#follower.advance(sequence);
  }

  /** Read up to the newest file and write what is open at its beginning. Answers how many; undefined when there is no newer one. */
  async snapshot(): Promise<number | undefined> {
    if (!this.#follower.hasNewerFile) return undefined;
    while (this.#follower.hasNewerFile) await this.#follower.enterNextFile();
    const atUs = this.#openedUs;
    for (const { open } of this.#families)
      open.forEach((entry) => {
        this.rows.addSnapshot(open, entry, atUs);
      });
    this.rows.note({ snapshot: { entries: this.openCount, atUs } }, atUs, atUs);
    return this.openCount;
  }

  /** Dump the table and write what the log does not know. Throws SystemFailure when the kernel refuses. */
  async audit(): Promise<AuditResult> {
    await this.catchUp(await this.options.mark());
    const beganUs = Date.now() * 1000;
    this.#dumpBeganUs = beganUs;
    try {
      const startMs = performance.now();
      const { entries, endedUs } = this.#dump();
      const dumpMs = performance.now() - startMs;
      await sleep(EVENT_LAG_MS);
      await this.catchUp(await this.options.mark());
      const counts = { ...this.#addAppeared(), derivedEnds: this.#removeGone(beganUs, endedUs) };
      const result = { entries, ...counts, dumpMs: Math.round(dumpMs) };
      this.rows.note({ audit: { ...result, fromUs: beganUs, toUs: endedUs } }, beganUs, endedUs);
      this.#auditedUs = beganUs;
      return result;
    } finally {
      this.#dumpBeganUs = 0;
      for (const { candidates } of this.#families) candidates.clear();
    }
  }

  close(): void {
    this.#follower.close();
  }

  #takeRows(batch: EventBatch): void {
    for (let row = 0; row < batch.count; row++) {
      const { open, candidates } = this.#familyOf(batch, row);
      loadRowKey(open, batch, row);
      const entry = open.newest();
      if (batch.flags[row] & RecordFlag.derived) this.#takeDerived(open, entry, batch, row);
      else if (batch.kind[row] === RecordKind.snapshot) {
        if (entry === NONE) this.#fill(open, open.add(), batch, row);
      } else {
        if (batch.kind[row] === RecordKind.start)
          this.#fill(open, entry === NONE ? open.add() : entry, batch, row);
        else if (batch.kind[row] === RecordKind.end && entry !== NONE) open.remove(entry);
        if (candidates.count > 0) this.#dropCandidate(open, candidates);
      }
    }
  }

  /** Rows of our own that come back, or those of an earlier keeper. */
  #takeDerived(open: OpenStarts, entry: number, batch: EventBatch, row: number): void {
    if (batch.kind[row] === RecordKind.start) {
      if (entry === NONE) this.#fill(open, open.add(), batch, row);
    } else if (entry !== NONE && open.timeUs[entry] <= batch.endUs[row]) open.remove(entry);
  }

  #fill(open: OpenStarts, entry: number, batch: EventBatch, row: number): void {
    const kernelStartUs = batch.startUs[row];
    const isSnapshot = batch.kind[row] === RecordKind.snapshot;
    open.timeUs[entry] = isSnapshot && kernelStartUs > 0 ? kernelStartUs : batch.timeUs[row];
    open.kernelStartUs[entry] = kernelStartUs;
    open.flags[entry] =
      (batch.flags[row] & RecordFlag.replied) |
      (isSnapshot && kernelStartUs === 0
        ? RecordFlag.startUnseen
        : batch.flags[row] & RecordFlag.startUnseen);
    open.timeSource[entry] = batch.timeSource[row];
    open.status[entry] = batch.status[row];
    open.mark[entry] = batch.mark[row];
    open.lastSeenUs[entry] = Math.max(batch.timeUs[row], this.#dumpBeganUs);
  }

  /** An event during the dump wins over what the dump showed. */
  #dropCandidate(open: OpenStarts, candidates: OpenStarts): void {
    candidates.key.set(open.key);
    const candidate = candidates.newest();
    if (candidate !== NONE) candidates.remove(candidate);
  }

  #dump(): { entries: number; endedUs: number } {
    let entries = 0;
    let nowUs = this.#dumpBeganUs;
    dumpTable(this.#dumped, createDecodeCounters(), nowUs, (batch) => {
      nowUs = Date.now() * 1000;
      for (let row = 0; row < batch.count; row++) {
        if (this.#allowed !== undefined && this.#allowed[batch.proto[row]] === 0) continue;
        entries++;
        batch.timeUs[row] = nowUs;
        if (batch.startUs[row] !== 0) batch.timeSource[row] = TimeSource.entry;
        this.#match(batch, row, nowUs);
      }
    });
    return { entries, endedUs: Date.now() * 1000 };
  }

  #match(batch: EventBatch, row: number, nowUs: number): void {
    const { open, candidates } = this.#familyOf(batch, row);
    loadRowKey(open, batch, row);
    const entry = open.newest();
    // An entry that began after the start that the log knows is another one of the same name.
    if (entry !== NONE && batch.startUs[row] <= open.timeUs[entry] + START_TOLERANCE_US) {
      open.lastSeenUs[entry] = nowUs;
      open.kernelStartUs[entry] ||= batch.startUs[row];
      open.status[entry] = batch.status[row];
      open.mark[entry] = batch.mark[row];
      open.flags[entry] |= batch.flags[row] & RecordFlag.replied;
      return;
    }
    candidates.key.set(open.key);
    if (candidates.newest() === NONE) this.#fill(candidates, candidates.add(), batch, row);
  }

  #addAppeared(): { found: number; derivedStarts: number } {
    const isFirst = this.#auditedUs === 0;
    let count = 0;
    for (const { open, candidates } of this.#families)
      candidates.forEach((candidate) => {
        candidates.loadKey(candidate);
        open.key.set(candidates.key);
        const older = open.newest();
        if (older !== NONE) {
          this.rows.addEnd(open, older, candidates.timeUs[candidate]);
          open.remove(older);
          open.key.set(candidates.key);
        }
        if (isFirst) this.rows.addSnapshot(candidates, candidate, candidates.lastSeenUs[candidate]);
        else this.rows.addStart(candidates, candidate, this.#auditedUs);
        copyEntry(candidates, candidate, open);
        count++;
      });
    return isFirst ? { found: count, derivedStarts: 0 } : { found: 0, derivedStarts: count };
  }

  #removeGone(beganUs: number, endedUs: number): number {
    const lookup = new EntryLookup();
    let gone = 0;
    try {
      for (const { open } of this.#families)
        open.forEach((entry) => {
          if (open.lastSeenUs[entry] >= beganUs) return;
          open.loadKey(entry);
          if (lookup.exists(origTupleOf(open))) {
            open.lastSeenUs[entry] = endedUs;
            return;
          }
          this.rows.addEnd(open, entry, endedUs);
          open.remove(entry);
          gone++;
        });
    } finally {
      lookup.close();
    }
    return gone;
  }

  #familyOf(batch: EventBatch, row: number): Family {
    return this.#families[batch.family[row] === AF_INET ? 0 : 1];
  }
}

/** Put an entry of one store into another, under the key that is loaded there. */
function copyEntry(from: OpenStarts, entry: number, to: OpenStarts): void {
  const added = to.add();
  to.timeUs[added] = from.timeUs[entry];
  to.kernelStartUs[added] = from.kernelStartUs[entry];
  to.flags[added] = from.flags[entry];
  to.timeSource[added] = from.timeSource[entry];
  to.status[added] = from.status[entry];
  to.mark[added] = from.mark[entry];
  to.lastSeenUs[added] = from.lastSeenUs[entry];
}
