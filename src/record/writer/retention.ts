/**
 * Removes the oldest finished files of this recorder: those that are too old (`--keep-days`), those that are
 * too much (`--keep-bytes`), and, when either is given, those that a full disk needs gone. Never a live or
 * locked file, one under legal hold, or one that this recorder did not make.
 *
 * Writer thread, between its groups: a step takes some milliseconds, and the space of a removed file is freed
 * on another thread. What was removed is said in the log itself, in a checkpoint, once it is certain.
 */

import { basename, dirname, resolve } from 'node:path';
import type { LogFile } from '../../base/disk/disk.js';
import { errnoCode, isSystemError, SystemFailure } from '../../base/errors.js';
import { LIVE_SUFFIX } from '../../log/format/format.js';
import type { RemovalReason, RemovedFile, RetentionNote } from '../../log/format/retention-note.js';
import type { OwnFile } from '../../log/read/catalogue.js';
import { FinishedFiles } from '../../log/read/finished-files.js';
import { endOf } from '../../log/read/own-files.js';
import type { LogWriter } from './writer.js';
import { WriterStat } from './writer-stats.js';
import type { Emit, RetentionOptions } from './writer-task.js';

/** A file beside another that keeps it: NAME.hold. */
const HOLD_SUFFIX = '.hold';

const DAY_US = 86_400e6;
const STEP_MS = 2;
/** Removed files said in one checkpoint. */
const NOTE_FILES_MAX = 50;

export class Retention {
  readonly #finished: FinishedFiles;
  readonly #heldPaths = new Set<string>();
  readonly #heldNames = new Set<string>();
  #work: Generator<void, void, void> | undefined;
  /** Found by the last look, oldest first, less what was removed since. */
  #files: OwnFile[] = [];
  /** When the live file has grown to this, more must go; infinite when that would not help. */
  #liveBytesMax = Number.POSITIVE_INFINITY;
  #removed: RemovedFile[] = [];
  readonly #changedDirectories = new Set<string>();
  /** Paths that could not be removed, and why that was said. */
  readonly #said = new Map<string, string>();
  #closing: Promise<void> | undefined;

  constructor(
    readonly writer: LogWriter,
    readonly options: RetentionOptions,
    readonly stats: Float64Array,
    readonly emit: Emit,
  ) {
    this.#finished = new FinishedFiles(writer.fs);
    for (const hold of options.holds) {
      const name = hold.endsWith(LIVE_SUFFIX) ? hold.slice(0, -LIVE_SUFFIX.length) : hold;
      if (name.includes('/')) this.#heldPaths.add(resolve(name));
      else this.#heldNames.add(name);
    }
  }

  /** Look for files to remove, in the steps that follow. */
  schedule(): void {
    this.#work = this.#run();
    this.#liveBytesMax = Number.POSITIVE_INFINITY;
  }

  /** There are steps to do, soon. */
  get busy(): boolean {
    return this.#work !== undefined || this.#closing !== undefined;
  }

  step(): void {
    if (this.writer.liveBytes > this.#liveBytesMax) this.schedule();
    const untilMs = this.writer.clock.monotonicMs() + STEP_MS;
    while (
      this.#work !== undefined &&
      this.#closing === undefined &&
      this.writer.clock.monotonicMs() < untilMs
    )
      if (this.#work.next().done) this.#work = undefined;
  }

  /** The disk is full: remove the oldest file that may go, at once. False when there is none. */
  makeRoom(): boolean {
    // What the last look found comes first: the next one may take long.
    const made = this.#removeOldest() || this.#lookAgain().#removeOldest();
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
    if (this.#removed.length === 0 || path === '') return;
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

  *#run(): Generator<void, void, void> {
    this.#files = yield* this.#finished.look(this.writer.recorder);
    const { keepDays = Number.POSITIVE_INFINITY, keepBytes = Number.POSITIVE_INFINITY } = this.options;
    const keepFromUs = this.writer.clock.wallUs() - keepDays * DAY_US;
    let bytes = this.#files.reduce((sum, file) => sum + file.facts.bytes, 0);
    for (const file of [...this.#files]) {
      const isTooMuch = bytes + this.writer.liveBytes > keepBytes;
      if (file.meta.openedUs >= keepFromUs && !isTooMuch) break;
      const isTooOld = file.meta.openedUs < keepFromUs && this.#endsBefore(file, keepFromUs);
      if ((isTooOld || isTooMuch) && this.#remove(file, isTooOld ? 'age' : 'bytes'))
        bytes -= file.facts.bytes;
      if (this.#removed.length === NOTE_FILES_MAX) this.noteRemoved();
      yield;
    }
    this.noteRemoved();
    if (bytes + this.writer.liveBytes <= keepBytes) this.#liveBytesMax = keepBytes - bytes;
  }

  #lookAgain(): this {
    const look = this.#finished.look(this.writer.recorder);
    let next = look.next();
    while (!next.done) next = look.next();
    this.#files = next.value;
    return this;
  }

  /** In the live file's file system: room elsewhere is of no use. */
  #removeOldest(): boolean {
    const { device } = this.writer;
    const isUseful = (file: OwnFile) => device === undefined || file.facts.device === device;
    return [...this.#files].some((file) => isUseful(file) && this.#remove(file, 'disk full'));
  }

  /** A file is as old as the last that it tells of. */
  #endsBefore(file: OwnFile, timeUs: number): boolean {
    try {
      const end = endOf(this.writer.fs, file.path);
      return end === undefined || end.seenUntilUs < timeUs;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      return true; // why it cannot be read is said when it is to be removed
    }
  }

  #remove(file: OwnFile, reason: RemovalReason): boolean {
    const { path, meta, facts } = file;
    const { bytes } = facts;
    const { fs } = this.writer;
    let open: LogFile | undefined;
    let chain: string;
    try {
      if (this.#isHeld(path)) return false;
      open = fs.open(path);
      if (open.inode !== facts.inode || open.device !== facts.device || !fs.lock(open)) return false;
      const end = endOf(fs, path);
      if (end === undefined) {
        this.#sayOnce(path, 'is not removed: it has no end block, so it is damaged or not finished');
        return false;
      }
      chain = meta.origin?.lastChain ?? end.lastFile.chain;
      fs.remove(path);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (errnoCode(error) !== 'ENOENT') this.#sayOnce(path, `is not removed: ${error.message}`);
      return false;
    } finally {
      if (open !== undefined) this.#close(open, reason);
    }
    this.#files = this.#files.filter((other) => other !== file);
    this.#removed.push({ file: basename(path), openedUs: meta.openedUs, bytes, chain, reason });
    this.#changedDirectories.add(dirname(path));
    this.stats[WriterStat.filesRemoved]++;
    this.stats[WriterStat.bytesRemoved] += bytes;
    this.emit({ type: 'removed', file: path, bytes, chain, reason });
    return true;
  }

  #isHeld(path: string): boolean {
    return (
      this.#heldPaths.has(path) ||
      this.#heldNames.has(basename(path)) ||
      this.writer.fs.exists(path + HOLD_SUFFIX)
    );
  }

  /**
   * The space of a file that has no name any more is free once it is closed: at once, or without keeping the
   * writer waiting.
   */
  #close(file: LogFile, reason: RemovalReason): void {
    const { fs } = this.writer;
    if (reason !== 'disk full') {
      this.#closing = fs.closeLater(file).then(() => {
        this.#closing = undefined;
      });
      return;
    }
    try {
      fs.close(file);
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error; // what is removed is removed
    }
  }

  #sayOnce(path: string, what: string): void {
    if (this.#said.get(path) === what) return;
    this.#said.set(path, what);
    this.emit({ type: 'log', level: 'warn', message: `${path}: ${what}` });
  }
}
