/**
 * Knows which connections are open, from the log itself, and compares that with the kernel's table. Table
 * worker's thread, beside the recording: it reads finished blocks back from the file, so that the way of an
 * event knows nothing of it. Memory: the connections open at once, about 90 bytes each.
 *
 *   rotation   the log so far ──▶ open connections ──▶ snapshot records, so that each file answers alone
 *   audit      mark ── dump ── mark: what the log says before, the table, what the log says after
 *              in both        still open
 *              log only       asked for by name; gone: an end that nobody saw, between when it was last seen
 *                             and the question
 *              table only     appeared unseen: a start marked so (in the first audit: a snapshot record)
 *              event between  the event wins; the dump may be older or younger
 *
 * A mark is a barrier: a place in the log behind every event that was sent before it. The kernel sends a
 * DESTROY before it takes the entry out of the table: what is found gone before a mark has its end in the log
 * up to that mark, or the end was lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { wallClockUs } from '../../base/libc/clock.js';
import { RecordFlag, RecordKind, TimeSource } from '../../event/batch.js';
import { origTupleOf } from '../../event/connection-rows.js';
import { KEY4_WORDS, KEY6_WORDS } from '../../event/key.js';
import type { KeyedRows } from '../../event/keyed-rows.js';
import { START_TOLERANCE_US } from '../../event/pair.js';
import { dumpTable } from './dump.js';
import { LogFollower, type RecordedFile } from './follow.js';
import { EntryLookup } from './lookup.js';
import { OpenTable } from './open-table.js';
import type { TableRows } from './rows.js';

const NONE = -1;
const NO_ENTRIES = new Uint32Array(0);
/** An entry is in the table a moment before its NEW is sent; whoever adds it may lose the CPU in between. */
const EVENT_LAG_MS = 100;
/**
 * After a flood most of what the log has is gone. To ask for all of it at once takes many seconds, in which
 * the log is not read and nothing is taken out.
 */
const GONE_MAX = 65_536;
/** include/uapi/linux/netfilter/nf_conntrack_common.h: its DESTROY has been sent, or is about to be. */
const IPS_DYING = 0x200;

export interface KeeperOptions {
  readonly protocols: readonly number[] | 'all';
  /** Resolves with the number of the last block that holds what was sent before the call. */
  readonly mark: () => Promise<number>;
  /** What is open at the beginning of a file has been handed over: how many, and how long it took. */
  readonly onSnapshot: (entries: number, milliseconds: number) => void;
}

/** What an audit found. */
export interface AuditResult {
  readonly entries: number;
  /** Open when the first audit began, and not in the log. */
  readonly found: number;
  readonly derivedStarts: number;
  readonly derivedEnds: number;
  readonly dumpMs: number;
}

export class TableKeeper {
  readonly #open4 = new OpenTable(KEY4_WORDS);
  readonly #open6 = new OpenTable(KEY6_WORDS);
  readonly #tables: readonly OpenTable[] = [this.#open4, this.#open6];
  readonly #follower = new LogFollower({
    take: (rows) => this.#takeEvents(rows),
    enter: (file) => this.#writeSnapshot(file),
  });
  readonly #allowed: Uint8Array | undefined;
  /** Audits begun. An entry is of the last one that showed it, or that was the last when its start came. */
  #audits = 0;
  /** From the dump on: entries may bear marks, which events take back. */
  #isAuditing = false;
  /** Entries that the audit under way found and the log did not tell. */
  #undecided = 0;
  /** When the last complete audit began; 0 before the first. */
  #auditedUs = 0;

  constructor(
    readonly options: KeeperOptions,
    readonly rows: TableRows,
  ) {
    const { protocols } = options;
    if (protocols === 'all') return;
    this.#allowed = new Uint8Array(256);
    for (const protocol of protocols) this.#allowed[protocol] = 1;
  }

  /** Number of the last block that has been read. */
  get sequence(): number {
    return this.#follower.sequence;
  }

  /** Connections that are open according to the log: too many where ends were lost. */
  get count(): number {
    return this.#open4.count + this.#open6.count;
  }

  /** The recording goes on in this file. Throws a Node error when it cannot be opened. */
  addFile(file: RecordedFile): void {
    this.#follower.addFile(file);
  }

  /** Read what the log has up to this block. */
  async follow(sequence: number): Promise<void> {
    await this.#follower.follow(sequence);
  }

  /** Read up to the newest file and write what is open at its beginning, if that has not been done. */
  enterNewestFile(): Promise<void> {
    return this.#follower.enterNewest();
  }

  /** Dump the table and write what the log does not know. Throws SystemFailure when the kernel refuses. */
  async audit(): Promise<AuditResult> {
    await this.#catchUp();
    const beganUs = wallClockUs();
    this.#audits++;
    this.#isAuditing = true;
    try {
      const entries = this.#dump(beganUs);
      const endedUs = wallClockUs();
      const lag = sleep(EVENT_LAG_MS);
      const candidates = this.#sortUndecided();
      await lag;
      await this.#catchUp();
      let derivedEnds = 0;
      for (let gone = this.#lookForGone(); gone.length > 0; gone = this.#lookForGone()) {
        await this.#catchUp();
        derivedEnds += this.#removeGone(gone);
      }
      const appeared = this.#addAppeared(candidates, endedUs);
      const result = { entries, ...appeared, derivedEnds, dumpMs: Math.round((endedUs - beganUs) / 1000) };
      this.rows.note({ audit: { ...result, fromUs: beganUs, toUs: endedUs } }, beganUs, endedUs);
      this.#auditedUs = beganUs;
      return result;
    } catch (error) {
      this.#forgetAudit();
      throw error;
    } finally {
      this.#isAuditing = false;
    }
  }

  close(): void {
    this.#follower.close();
  }

  async #catchUp(): Promise<void> {
    await this.#follower.advance(await this.options.mark());
  }

  #writeSnapshot({ openedUs }: RecordedFile): void {
    const startMs = performance.now();
    let entries = 0;
    // By start: what is alike stands together, which makes a fifth of the bytes less.
    for (const open of this.#tables)
      open.visit(open.sorted(), (entry) => {
        if (open.isFromTable(entry)) return;
        this.rows.addSnapshot(open, entry, openedUs);
        entries++;
      });
    this.rows.note({ snapshot: { entries, atUs: openedUs } }, openedUs, openedUs);
    this.options.onSnapshot(entries, performance.now() - startMs);
  }

  #takeEvents(rows: KeyedRows): void {
    const open = this.#tableOf(rows);
    open.prefetch(rows);
    if (this.#isAuditing) this.#takeAudited(open, rows);
    else
      for (let row = 0; row < rows.count; row++)
        if (rows.kind[row] === RecordKind.start) this.#begin(open, open.findRow(rows, row), rows, row);
        else open.removeRow(rows, row);
  }

  /**
   * Events beside an audit: they win against what it found in the table, and take back what it found gone.
   */
  #takeAudited(open: OpenTable, rows: KeyedRows): void {
    for (let row = 0; row < rows.count; row++) {
      let entry = open.findRow(rows, row);
      if (entry !== NONE && open.isFromTable(entry)) {
        this.#drop(open, entry);
        entry = open.findRow(rows, row);
      }
      if (rows.kind[row] === RecordKind.start) this.#begin(open, entry, rows, row);
      else if (entry !== NONE) open.remove(entry);
    }
  }

  #begin(open: OpenTable, known: number, rows: KeyedRows, row: number): void {
    const entry = known === NONE ? open.addRow(rows, row) : known;
    open.fill(entry, rows, row, rows.flags[row] & RecordFlag.replied, this.#audits);
  }

  #dump(beganUs: number): number {
    let entries = 0;
    dumpTable(beganUs, (rows) => {
      const open = this.#tableOf(rows);
      open.prefetch(rows);
      open.prefetchRecords(rows);
      for (let row = 0; row < rows.count; row++) {
        if (this.#allowed !== undefined && this.#allowed[rows.protoOf(row)] === 0) continue;
        if (rows.status[row] & IPS_DYING) continue;
        entries++;
        this.#match(open, rows, row);
      }
    });
    return entries;
  }

  #match(open: OpenTable, rows: KeyedRows, row: number): void {
    const startUs = rows.startUs[row];
    let entry = open.findRow(rows, row);
    if (entry !== NONE && isNoLater(startUs, open, entry))
      open.show(entry, rows, row, rows.flags[row] & RecordFlag.replied, this.#audits);
    else {
      entry = open.addRow(rows, row);
      this.#undecided++;
      const flags = (rows.flags[row] & RecordFlag.replied) | RecordFlag.startUnseen;
      open.fill(entry, rows, row, flags, this.#audits);
      open.setFromTable(entry, true);
    }
    open.setLastSeenUs(entry, rows.timeUs[row]);
    // The kernel's word is better than when we heard of it.
    if (startUs !== 0 && open.timeSource(entry) === TimeSource.receive)
      open.setStart(entry, startUs, TimeSource.entry, RecordFlag.startUnseen);
  }

  /**
   * Ask for what the log has and the dump did not show; answers what is gone, no more at once than GONE_MAX.
   */
  #lookForGone(): GoneEntry[] {
    const lookup = new EntryLookup();
    const gone: GoneEntry[] = [];
    try {
      for (const open of this.#tables)
        open.forEach((entry) => {
          if (gone.length === GONE_MAX || open.isOfAudit(entry, this.#audits)) return;
          open.loadKey(entry);
          const newest = open.newest();
          const askedUs = wallClockUs();
          let beforeUs = 0;
          if (newest !== entry)
            beforeUs = open.timeUs(newest); // another one of the same name is there
          else if (isThere(lookup, open, entry)) {
            open.setLastSeenUs(entry, askedUs);
            open.setOfAudit(entry, this.#audits);
          } else beforeUs = wallClockUs();
          if (beforeUs === 0) return;
          open.setGone(entry, true);
          gone.push({ open, entry, beforeUs });
        });
    } finally {
      lookup.close();
    }
    return gone;
  }

  /** Of each table all that has not been decided, by start, and others, if anything is undecided. */
  #sortUndecided(): Uint32Array[] {
    return this.#tables.map((open) => (this.#undecided > 0 ? open.sorted() : NO_ENTRIES));
  }

  /** What the table has and the log did not tell up to now, among `candidates` by table. */
  #addAppeared(candidates: Uint32Array[], endedUs: number): { found: number; derivedStarts: number } {
    const isFirst = this.#auditedUs === 0;
    let count = 0;
    for (const [i, open] of this.#tables.entries())
      open.visit(candidates[i], (entry) => {
        if (!open.isFromTable(entry)) return; // the log has told of it meanwhile, or it is another one by now
        open.setFromTable(entry, false);
        this.#undecided--;
        if (isFirst) this.rows.addSnapshot(open, entry, endedUs);
        else this.rows.addStart(open, entry, this.#auditedUs, endedUs);
        count++;
      });
    return isFirst ? { found: count, derivedStarts: 0 } : { found: 0, derivedStarts: count };
  }

  /** What is still gone: no event has said anything of it since. */
  #removeGone(gone: readonly GoneEntry[]): number {
    let count = 0;
    for (const { open, entry, beforeUs } of gone) {
      if (!open.isGone(entry)) continue;
      this.rows.addEnd(open, entry, beforeUs);
      open.remove(entry);
      count++;
    }
    return count;
  }

  /** Nothing is left of an audit that failed. */
  #forgetAudit(): void {
    for (const open of this.#tables)
      open.forEach((entry) => {
        if (open.isFromTable(entry)) this.#drop(open, entry);
        else open.setGone(entry, false);
      });
  }

  #drop(open: OpenTable, entry: number): void {
    open.remove(entry);
    this.#undecided--;
  }

  #tableOf(rows: KeyedRows): OpenTable {
    return rows.keyWords === KEY4_WORDS ? this.#open4 : this.#open6;
  }
}

/** Not in the kernel's table when it was asked for, at `beforeUs`. */
interface GoneEntry {
  readonly open: OpenTable;
  readonly entry: number;
  readonly beforeUs: number;
}

/** Whether the entry whose key is loaded is in the table, and not another one with its tuple. */
function isThere(lookup: EntryLookup, open: OpenTable, entry: number): boolean {
  const found = lookup.find(origTupleOf(open));
  if (found === undefined) return false;
  open.loadRow(found, 0);
  return open.newest() === entry && isNoLater(found.startUs[0], open, entry);
}

/**
 * An entry that began after the start that the log knows is another one of the same name; 0 = the kernel does
 * not say.
 */
function isNoLater(kernelStartUs: number, open: OpenTable, entry: number): boolean {
  return kernelStartUs <= open.timeUs(entry) + START_TOLERANCE_US;
}
