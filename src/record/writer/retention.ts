/**
 * Removes the oldest finished files of this recorder: those that are too old (`--keep-days`), those that are
 * too much (`--keep-bytes`), and, when either is given, those that a full disk needs gone. Never a live or
 * locked file, one under legal hold, or one that this recorder did not make.
 *
 * Writer thread, between its groups: a step takes milliseconds, and space is freed on another thread. What is
 * to be removed is durable in the log, or beside it, before it is done; what was removed follows in the log.
 */
import { basename, dirname, join } from 'node:path';
import { counted } from '../../base/counted.js';
import type { LogFile } from '../../base/disk/disk.js';
import { standsAt } from '../../base/disk/same-file.js';
import { errnoCode, isSystemError, SystemFailure } from '../../base/errors.js';
import { literalDirectory } from '../../log/format/names.js';
import type { RemovalReason, RemovedFile, RetentionNote } from '../../log/format/retention-note.js';
import type { OwnFile } from '../../log/read/catalogue.js';
import { FinishedFiles, isPacked } from '../../log/read/finished-files.js';
import { Holds } from '../../log/read/holds.js';
import { endOf } from '../../log/read/own-files.js';
import { ClockTrust } from './clock-trust.js';
import { IntentFile } from './intent-file.js';
import { Room, type Shortage } from './room.js';
import type { LogWriter } from './writer.js';
import { WriterStat } from './writer-stats.js';
import type { Emit, RetentionOptions } from './writer-task.js';

const DAY_US = 86_400e6;
const STEP_MS = 2;
/** Removed files said in one checkpoint. */
const NOTE_FILES_MAX = 50;

interface Doomed {
  readonly file: OwnFile;
  readonly reason: RemovalReason;
}

export class Retention {
  readonly #finished: FinishedFiles;
  readonly #holds: Holds;
  readonly #trust: ClockTrust;
  readonly #room: Room;
  #intent: IntentFile | undefined;
  #work: Generator<void, void, void> | undefined;
  /** Found by the last look, oldest first, less what was removed since. */
  #files: OwnFile[] = [];
  /** When the live file has grown to this, more must go; infinite when that would not help. */
  #liveBytesMax = Number.POSITIVE_INFINITY;
  #removed: RemovedFile[] = [];
  /** What an earlier run announced and did not come to tell in the log. */
  #untold: RetentionNote | undefined;
  readonly #changedDirectories = new Set<string>();
  /** What was said of paths that could not be removed, and of what else is said once. */
  readonly #said = new Map<string, string>();
  /** Something that others do, which the next step waits for. */
  #waiting: Promise<void> | undefined;

  constructor(
    readonly writer: LogWriter,
    readonly options: RetentionOptions,
    readonly stats: Float64Array,
    readonly emit: Emit,
    minFreeBytes = 0,
  ) {
    this.#finished = new FinishedFiles(writer.fs);
    this.#holds = new Holds(writer.fs, options.holds);
    this.#trust = new ClockTrust(writer.clock, stats, emit, options.trustClock);
    this.#room = new Room(writer, minFreeBytes, stats, emit);
  }

  /** At the start: how far the log goes, microseconds since the epoch. */
  begin(newestUs: number | undefined): void {
    if (this.#goesByAge) {
      if (newestUs !== undefined) this.#trust.compareWithLog(newestUs);
      if (this.#haveIntentFile() && this.#intent?.isClockInDoubt) this.#trust.stillInDoubt();
    }
    this.schedule();
  }

  /** Look for files to remove, in the steps that follow. */
  schedule(): void {
    this.#work = this.#run();
    this.#liveBytesMax = Number.POSITIVE_INFINITY;
  }

  /** There are steps to do, soon. */
  get busy(): boolean {
    return this.#work !== undefined || this.#waiting !== undefined;
  }

  step(): void {
    const { clock } = this.writer;
    if (this.#goesByAge) {
      if (this.#trust.look()) this.schedule();
      if (this.#intent !== undefined) this.#intent.isClockInDoubt = this.#trust.isInDoubt;
    }
    if (this.writer.liveBytes > this.#liveBytesMax) this.schedule();
    if (!this.writer.hasNotes && this.#removed.length === 0 && this.#untold === undefined)
      this.#intent?.clear();
    const untilMs = clock.monotonicMs() + STEP_MS;
    // What is announced must be durable before it is done.
    while (this.#work !== undefined && this.#waiting === undefined && !this.writer.hasNotes) {
      if (this.#work.next().done) this.#work = undefined;
      if (clock.monotonicMs() >= untilMs) break;
    }
  }

  /** The disk is full: remove the oldest file that may go, at once. False when that would not help. */
  makeRoom(shortage: Shortage): boolean {
    if (!this.#removes || this.#room.isPaused || this.#room.isTakenByOthers(shortage)) return false;
    this.#holds.refresh();
    // What the last look found comes first: the next one may take long.
    let made = this.#files.length > 0 && this.#removeFor(shortage) === undefined;
    if (!made) {
      this.#files = this.#finished.lookNow(this.writer.recorder);
      const obstacle = this.#removeFor(shortage);
      made = obstacle === undefined;
      if (obstacle !== undefined) this.#room.say(`and nothing is removed: ${obstacle}`);
    }
    if (made) this.noteRemoved();
    // What it had counted is not true any more.
    if (this.#work !== undefined) this.schedule();
    return made;
  }

  /**
   * Have the log say what was removed so far, once no power loss brings it back. Without an open file it
   * waits for one.
   */
  noteRemoved(): void {
    const { fs, path } = this.writer;
    if (path === '') return;
    if (this.#untold !== undefined) this.writer.note(this.#untold);
    this.#untold = undefined;
    if (this.#removed.length === 0) return;
    for (const directory of this.#changedDirectories) {
      try {
        fs.syncDirectory(directory);
      } catch (error) {
        if (!(error instanceof SystemFailure)) throw error; // the next start removes what came back
      }
    }
    this.#changedDirectories.clear();
    const note: RetentionNote = { retention: { atUs: this.writer.clock.wallUs(), removed: this.#removed } };
    this.#removed = [];
    this.writer.note(note);
  }

  /** The run is over, and its last file closed. */
  end(): void {
    if (!this.writer.hasNotes) this.#intent?.clear();
    this.#intent?.close();
    this.#intent = undefined;
  }

  get #goesByAge(): boolean {
    return this.options.keepDays !== undefined;
  }

  get #removes(): boolean {
    return this.options.keepDays !== undefined || this.options.keepBytes !== undefined;
  }

  *#run(): Generator<void, void, void> {
    this.#haveIntentFile();
    this.noteRemoved(); // also what a start removed to begin its first file
    this.#holds.refresh();
    this.#files = yield* this.#finished.look(this.writer.recorder);
    this.#tellOfHolds();
    if (!this.#removes) return;
    this.#tellOfUncounted();
    for (const file of this.#files) {
      const learning = this.#finished.learnEnd(file);
      if (learning === undefined) continue;
      this.#waitFor(learning);
      yield;
    }
    const refused = new Set<OwnFile>();
    for (;;) {
      const doomed = this.#plan(refused);
      if (doomed.length === 0) break;
      this.#announce(doomed, refused);
      yield;
      for (const { file, reason } of doomed) {
        const goes = !refused.has(file) && this.#files.includes(file);
        if (goes && !this.#remove(file, reason)) refused.add(file);
        yield;
      }
      this.noteRemoved();
      yield;
    }
    const { keepBytes = Number.POSITIVE_INFINITY } = this.options;
    const bytes = this.#bytes;
    if (bytes + this.writer.liveBytes <= keepBytes) this.#liveBytesMax = keepBytes - bytes;
  }

  get #bytes(): number {
    return this.#files.reduce((sum, { facts }) => sum + facts.bytes, 0);
  }

  /**
   * What is to go next. A file is as old as the last that it tells of, but not older than those before it in
   * the chain; one from the future is never old.
   */
  #plan(refused: ReadonlySet<OwnFile>): Doomed[] {
    const { keepDays = Number.POSITIVE_INFINITY, keepBytes = Number.POSITIVE_INFINITY } = this.options;
    const nowUs = this.writer.clock.wallUs();
    const keepFromUs = this.#trust.isInDoubt ? Number.NEGATIVE_INFINITY : nowUs - keepDays * DAY_US;
    let bytes = this.#bytes + this.writer.liveBytes;
    let mayBeOld = true;
    const doomed: Doomed[] = [];
    for (const file of this.#files) {
      const isTooMuch = bytes > keepBytes;
      let isTooOld = false;
      if (mayBeOld) {
        const lastUs = file.meta.openedUs >= keepFromUs ? file.meta.openedUs : this.#lastUs(file);
        isTooOld = lastUs < keepFromUs;
        mayBeOld = isTooOld || lastUs > nowUs;
      }
      if (!isTooMuch && !mayBeOld) break;
      if ((!isTooOld && !isTooMuch) || refused.has(file) || !this.#mayGo(file)) continue;
      doomed.push({ file, reason: isTooOld ? 'age' : 'bytes' });
      bytes -= file.facts.bytes;
      if (doomed.length === NOTE_FILES_MAX) break;
    }
    return doomed;
  }

  /** Of a file that cannot be read the time that opened it; why is said when it is to be removed. */
  #lastUs(file: OwnFile): number {
    return this.#finished.endOf(file)?.seenUntilUs ?? file.meta.openedUs;
  }

  #mayGo(file: OwnFile): boolean {
    try {
      if (this.#holds.isHeld(file.path, file.facts)) return false;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#sayOnce(file.path, `is not removed: ${error.message}`);
      return false;
    }
    if (!isPacked(file.path) || this.#finished.endOf(file) !== undefined) return true;
    this.#sayOnce(file.path, 'is not removed: what is packed in it is damaged or not finished');
    return false;
  }

  /** In the live file, durable before the next step. What has no end is not announced: it stays. */
  #announce(doomed: readonly Doomed[], refused: Set<OwnFile>): void {
    const removing: RemovedFile[] = [];
    for (const { file, reason } of doomed) {
      const described = this.#describe(file, reason);
      if (described === undefined) refused.add(file);
      else removing.push(described);
    }
    if (removing.length > 0)
      this.writer.note({ retention: { atUs: this.writer.clock.wallUs(), removing } } satisfies RetentionNote);
  }

  #describe({ path, meta, facts }: OwnFile, reason: RemovalReason): RemovedFile | undefined {
    let chain: string | undefined;
    try {
      chain = isPacked(path)
        ? this.#finished.endOf({ path, meta, facts, isLive: false })?.lastFile.chain
        : endOf(this.writer.fs, path)?.lastFile.chain;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (errnoCode(error) !== 'ENOENT') this.#sayOnce(path, `is not removed: ${error.message}`);
      return undefined;
    }
    if (chain === undefined) {
      this.#sayOnce(path, 'is not removed: it has no end block, so it is damaged or not finished');
      return undefined;
    }
    const { openedUs, origin } = meta;
    const lastChain = isPacked(path) ? chain : (origin?.lastChain ?? chain);
    return { file: basename(path), openedUs, bytes: facts.bytes, chain: lastChain, reason };
  }

  /** Why no file was removed for this; undefined when one was. */
  #removeFor(shortage: Shortage): string | undefined {
    const obstacle = this.#room.obstacle(shortage, this.#useful());
    if (obstacle !== undefined) return obstacle;
    for (const file of [...this.#useful()]) {
      this.#room.making(file.facts.bytes);
      if (this.#remove(file, 'disk full')) return undefined;
      this.#room.making(-file.facts.bytes);
    }
    return 'no file could be removed';
  }

  /** In the live file's file system: room elsewhere is of no use, nor that of a file with another name. */
  *#useful(): Generator<OwnFile, void, void> {
    const { device } = this.writer;
    for (const file of this.#files) {
      const isNear = device === undefined || file.facts.device === device;
      if (isNear && file.facts.links === 1 && this.#mayGo(file)) yield file;
    }
  }

  #remove(file: OwnFile, reason: RemovalReason): boolean {
    const { path, facts } = file;
    const { bytes } = facts;
    const { fs } = this.writer;
    let open: LogFile | undefined;
    let removed: RemovedFile | undefined;
    try {
      if (this.#holds.isHeld(path, facts)) return false;
      open = fs.open(path);
      if (open.inode !== facts.inode || open.device !== facts.device || !fs.lock(open)) return false;
      removed = this.#describe(file, reason);
      if (removed === undefined) return false;
      if (reason === 'disk full') this.#announceBeside(path, removed);
      if (!standsAt(fs, path, open)) return false;
      fs.remove(path);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (errnoCode(error) !== 'ENOENT') this.#sayOnce(path, `is not removed: ${error.message}`);
      return false;
    } finally {
      if (open !== undefined) this.#close(open, reason);
    }
    this.#files = this.#files.filter((other) => other !== file);
    this.#removed.push(removed);
    this.#changedDirectories.add(dirname(path));
    this.stats[WriterStat.filesRemoved]++;
    this.stats[WriterStat.bytesRemoved] += bytes;
    this.emit({ type: 'removed', file: path, bytes, chain: removed.chain, reason });
    return true;
  }

  /** On a disk that was full before there was such a file, only the recorder's own log is told. */
  #announceBeside(path: string, removing: RemovedFile): void {
    try {
      if (!this.#haveIntentFile()) throw new SystemFailure('announce', 'ENOSPC', 'there is no room for it');
      this.#intent!.announce(this.writer.clock.wallUs(), removing);
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      const why = `the disk is full, and this cannot be written down before: ${error.message}`;
      this.#sayOnce(path, `is being removed, chain ${removing.chain}: ${why}`);
    }
  }

  /** Whether there is one. */
  #haveIntentFile(): boolean {
    const { writer } = this;
    if (!this.#removes || writer.recorder.identity === '') return false;
    const name = `.ctrecorder.${writer.recorder.identity}.intent`;
    this.#intent ??= new IntentFile(writer.fs, join(literalDirectory(writer.template), name));
    try {
      this.#untold = this.#intent.prepare() ?? this.#untold;
      return true;
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      return false;
    }
  }

  /**
   * The space of a file that has no name any more is free once it is closed: at once, or without keeping the
   * writer waiting.
   */
  #close(file: LogFile, reason: RemovalReason): void {
    const { fs } = this.writer;
    if (reason !== 'disk full') {
      this.#waitFor(fs.closeLater(file));
      return;
    }
    try {
      fs.close(file);
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error; // what is removed is removed
    }
  }

  #waitFor(others: Promise<void>): void {
    this.#waiting = others.then(() => {
      this.#waiting = undefined;
    });
  }

  #tellOfHolds(): void {
    const unmatched = this.#holds.unmatched(this.#files, this.writer.path);
    this.stats[WriterStat.holdsUnmatched] = unmatched.length;
    for (const hold of unmatched) this.#sayOnce(`--hold ${hold}`, 'fits no file of this recorder now');
  }

  #tellOfUncounted(): void {
    const { uncounted } = this.#finished;
    this.stats[WriterStat.filesUncounted] = uncounted;
    const directory = literalDirectory(this.writer.template);
    if (uncounted === 0 || this.#said.has(directory)) return;
    const what = `${counted(uncounted, 'packed file')} (.xz, .zst or .bz2) cannot be read`;
    this.#sayOnce(directory, `${what}, so retention neither counts nor removes them; use gzip instead`);
  }

  #sayOnce(path: string, what: string): void {
    if (this.#said.get(path) === what) return;
    this.#said.set(path, what);
    this.emit({ type: 'log', level: 'warn', message: `${path}: ${what}` });
  }
}
