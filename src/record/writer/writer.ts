/**
 * The writer's state machine, without a thread: which file is open, and what in it is durable. What `commit`
 * has returned for survives a power loss, and stays in the log whatever fails later: the file is cut back to
 * it, or, when its descriptor is of no use any more, a new file goes on behind it. Each block is in the log
 * once, in order.
 *
 *   open ──▶ append* ──▶ commit ──▶ append* ... ──▶ rotate ──▶ ... ──▶ close
 *               └── SystemFailure ──▶ restore, then append again everything since the last commit
 */
import { basename, dirname, resolve } from 'node:path';
import type { LogFileSystem } from '../../base/disk/disk.js';
import { DEFAULT_FILE_MODE } from '../../base/disk/file-mode.js';
import { fileSystemWithMode } from '../../base/disk/file-system.js';
import { SystemFailure } from '../../base/errors.js';
import { systemClock } from '../../base/libc/clock.js';
import type { Clock } from '../../base/time/clock.js';
import { GapCause, unseenGap } from '../../event/gap.js';
import { gapBlock, jsonBlock, UNNUMBERED } from '../../log/format/block.js';
import type { EndReason } from '../../log/format/end-block.js';
import type { EarlierRecording, PreviousFile } from '../../log/format/file-meta.js';
import { BlockType } from '../../log/format/format.js';
import { hex, numberFrame, sequenceOf } from '../../log/format/frame.js';
import { fileName, isNameAgain } from '../../log/format/names.js';
import type { Recorder } from '../../log/read/ownership.js';
import type { Closing } from '../../log/write/segment.js';
import { BeginningFiles, type OpenFile } from './beginning-files.js';
import { EndingFiles } from './ending-files.js';
import { isFull } from './full-disk.js';
import { timeSync, WriterStat } from './writer-stats.js';
import type { Emit, WriterOptions } from './writer-task.js';

const NO_FILTER = new Uint8Array(0);

export class LogWriter {
  /** Whose files these are; the identity is settled before the first one is opened (recover.ts). */
  recorder: Recorder;
  readonly #options: WriterOptions;
  #current: OpenFile | undefined;
  readonly #beginning: BeginningFiles;
  readonly #ending: EndingFiles;
  /** Blocks of the writer's own that are not durable yet. */
  #notes: Uint8Array[] = [];
  /** Something was written since the last commit that must be taken back first. */
  #broken = false;
  #refusedName = '';
  /** A rotation that waits for room: the time that is to name the file. */
  lateUs: number | undefined;
  /** Of the last data block of this run. */
  #sequence = 0;

  constructor(
    options: WriterOptions,
    readonly stats: Float64Array,
    readonly emit: Emit,
    readonly fs: LogFileSystem = fileSystemWithMode(options.fileMode ?? DEFAULT_FILE_MODE),
    readonly clock: Clock = systemClock,
  ) {
    this.#options = { ...options, template: resolve(options.template) };
    const { protocols, host, identity = '' } = options;
    this.recorder = { template: this.template, protocols, hostname: host.hostname, identity };
    this.#beginning = new BeginningFiles(this.#options, () => this.recorder, fs, stats, clock);
    this.#ending = new EndingFiles(fs, stats, emit, clock);
  }

  get #runId(): string {
    return this.#options.runId.toString(16).padStart(16, '0');
  }

  /** Absolute. */
  get template(): string {
    return this.#options.template;
  }

  /** Path of the live file. */
  get path(): string {
    return this.#current?.segment.file.path ?? '';
  }

  /** Durable bytes of the live file. */
  get liveBytes(): number {
    return this.#current?.segment.acknowledged.bytes ?? 0;
  }

  /** The file system that the live file is in; undefined without one. */
  get device(): number | undefined {
    return this.#current?.segment.file.device;
  }

  /** There is something that only a `commit` makes durable. */
  get hasNotes(): boolean {
    return this.#notes.length > 0;
  }

  /**
   * Open the first file, which continues an earlier recording when there is one; the time between the two is
   * a gap. A taken name gets `.1`, `.2`, ... Throws SystemFailure.
   */
  open(timeUs: number, earlier?: EarlierRecording): void {
    const name = fileName(this.template, timeUs);
    const absence =
      earlier !== undefined && this.#options.live
        ? unseenGap(GapCause.notRunning, earlier.seenUntilUs, timeUs)
        : undefined;
    this.#beginning.fileNumber = earlier?.fileNumber ?? 0;
    this.#use(this.#beginning.beginNumbered(name, timeUs, timeUs, earlier?.lastFile, absence));
    const { finalPath } = this.#current!;
    if (finalPath !== name) this.#say('warn', `${name} is there already: recording to ${finalPath}`);
  }

  /**
   * Append the unstamped block at `offset`; one without a number gets the next, and keeps it when it is
   * appended again. Not durable before `commit`. Throws SystemFailure.
   */
  append(bytes: Uint8Array, offset: number, filter: Uint8Array): void {
    if (sequenceOf(bytes, offset) === UNNUMBERED) numberFrame(bytes, offset, ++this.#sequence);
    try {
      this.#current!.segment.appendFrame(bytes, offset, filter);
    } catch (error) {
      this.#broken = true;
      throw error;
    }
  }

  /**
   * Put a checkpoint with this JSON into the log, with the next `commit`. It says nothing of how far events
   * were seen: its time is that of the last one.
   */
  note(value: unknown): void {
    const { segment, timeUs } = this.#current!;
    const atUs = Math.max(timeUs, segment.acknowledged.lastTimeUs);
    const identity = { runId: this.#options.runId, sequence: UNNUMBERED };
    this.#notes.push(jsonBlock(value, BlockType.checkpoint, identity, atUs, atUs));
  }

  /** Throws ENOSPC when with this many bytes more, less would be free on the disk than is to be left free. */
  reserve(bytes: number): void {
    const { minFreeBytes = 0 } = this.#options;
    if (minFreeBytes === 0) return;
    const freeBytes = this.#freeBytes();
    const isBelow = freeBytes - bytes < minFreeBytes;
    this.stats[WriterStat.belowMinFree] = isBelow ? 1 : 0;
    if (!isBelow) return;
    const { path } = this;
    const message = `write ${path}: ${freeBytes} bytes are free on the disk, and --min-free leaves ${minFreeBytes}`;
    throw new SystemFailure('min-free', 'ENOSPC', message, { path });
  }

  /**
   * Make durable what was appended, with one fdatasync. Throws SystemFailure: then none of it counts as
   * written.
   */
  commit(): void {
    const { segment } = this.#current!;
    const before = segment.acknowledged;
    for (const note of this.#notes) this.append(note, 0, NO_FILTER);
    try {
      timeSync(this.clock, this.stats, () => segment.commit());
    } catch (error) {
      this.#broken = true;
      throw error;
    }
    this.#notes = [];
    const { stats } = this;
    const { bytes, blocks, events, sequence } = segment.acknowledged;
    stats[WriterStat.bytesWritten] += bytes - before.bytes;
    stats[WriterStat.blocks] += blocks - before.blocks;
    stats[WriterStat.durableEvents] += events - before.events;
    if (sequence > 0) stats[WriterStat.durableSequence] = sequence;
    this.#ending.finish();
  }

  /**
   * After a failure: have a file again that ends at what is acknowledged. Throws SystemFailure while that
   * cannot be had.
   */
  restore(): void {
    if (!this.#broken) return;
    const { segment } = this.#current!;
    if (segment.trusted) segment.cutBack();
    else {
      segment.letGo();
      this.#replace();
    }
    this.#broken = false;
  }

  /**
   * Go on in a new file, named by the time. When there cannot be one, recording goes on in the current file,
   * and a line says why; on a full disk it is `lateUs` then. `makesRoom` says whether to try again.
   * Everything appended must have been committed.
   */
  rotate(timeUs: number, makesRoom: (error: SystemFailure) => boolean = () => false): void {
    const current = this.#current!;
    const closing = current.segment.planClosing('rotation');
    const isLate = timeUs === this.lateUs;
    this.lateUs = undefined;
    const times = { timeUs, openedUs: isLate ? this.clock.wallUs() : timeUs };
    const next = this.#next(current, fileName(this.template, timeUs), times, closing, makesRoom);
    if (next === undefined) return;
    this.#use(next);
    this.#ending.add(current.segment, current.finalPath, closing);
    this.#ending.finish();
  }

  /**
   * Close properly. What cannot be closed is left live for the next start, and said. Everything must have
   * been committed.
   */
  close(): void {
    this.#close('stop', this.clock.wallUs());
  }

  /** Close after the parser died: what it had is lost, and a gap up to now says so. */
  closeAfterDeath(): void {
    const current = this.#current;
    if (current === undefined) return;
    const seenUntilUs = Math.max(current.timeUs, current.segment.acknowledged.lastTimeUs);
    try {
      this.#appendUnknown(GapCause.died, seenUntilUs, this.clock.wallUs());
      this.#close('unclean end');
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      this.#say('error', `${this.path}: the next start closes it: ${error.message}`);
    }
  }

  #close(reason: EndReason, closedUs?: number): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#commitNotes();
    this.#current = undefined;
    const { segment, finalPath } = current;
    this.#ending.add(segment, finalPath, segment.planClosing(reason, closedUs));
    this.#ending.finish();
    this.#ending.giveUp();
  }

  /** A gap of unknown size. A clock that was set back must not make it end before it begins. */
  #appendUnknown(cause: string, seenUntilUs: number, timeUs: number): void {
    const gap = unseenGap(cause, seenUntilUs, timeUs);
    this.append(gapBlock(gap, { runId: this.#options.runId, sequence: UNNUMBERED }), 0, NO_FILTER);
    this.commit();
  }

  /** At the end there is one attempt: a note must not keep a recorder from stopping. */
  #commitNotes(): void {
    if (!this.hasNotes) return;
    try {
      this.commit();
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      this.#say('warn', `${error.message}; the log does not say which files were removed last`);
    }
  }

  /** Infinite when the file system does not say: then writing tells. */
  #freeBytes(): number {
    try {
      return this.fs.freeBytes(dirname(this.path));
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      return Number.POSITIVE_INFINITY;
    }
  }

  /** The current descriptor is of no use any more: a new file that names what is acknowledged of it. */
  #replace(): void {
    const { segment, finalPath, timeUs } = this.#current!;
    const { bytes, chain } = segment.acknowledged;
    const previous = {
      file: basename(finalPath),
      acknowledgedBytes: bytes,
      chain: hex(chain),
      runId: this.#runId,
    };
    const name = fileName(this.template, timeUs);
    this.#use(this.#beginning.beginNumbered(name, timeUs, this.clock.wallUs(), previous));
    const { path } = segment.file;
    this.#say('warn', `${path}: abandoned after an error; recording continues in ${this.path}`);
    this.#ending.add(segment, finalPath, segment.planClosing('write error' satisfies EndReason));
    this.#ending.finish();
  }

  #use(file: OpenFile): void {
    this.#current = file;
    const { segment, openedUs } = file;
    const { bytes, blocks, sequence } = segment.acknowledged;
    const { stats } = this;
    stats[WriterStat.files]++;
    stats[WriterStat.bytesWritten] += bytes;
    stats[WriterStat.blocks] += blocks;
    const afterSequence = stats[WriterStat.durableSequence];
    if (sequence > 0) stats[WriterStat.durableSequence] = this.#sequence = sequence;
    this.emit({ type: 'opened', file: segment.file.path, openedUs, afterSequence });
  }

  /** The file to rotate to; undefined, and said once for each name, when there cannot be one. */
  #next(
    current: OpenFile,
    name: string,
    { timeUs, openedUs }: Pick<OpenFile, 'timeUs' | 'openedUs'>,
    closing: Closing,
    makesRoom: (error: SystemFailure) => boolean,
  ): OpenFile | undefined {
    const previous = {
      file: basename(current.finalPath),
      acknowledgedBytes: closing.fileBytes,
      chain: hex(closing.chain),
      runId: this.#runId,
    };
    let obstacle: string;
    try {
      if (isNameAgain(this.template, current.timeUs, timeUs))
        return this.#nextNumbered(name, timeUs, previous);
      if (name === fileName(this.template, current.timeUs))
        obstacle = 'the template gives the same name again';
      else if (this.#beginning.isTaken(name)) obstacle = 'a file of that name is there already';
      else return this.#beginning.begin(name, timeUs, openedUs, previous);
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      if (makesRoom(error)) return this.#next(current, name, { timeUs, openedUs }, closing, makesRoom);
      if (isFull(error)) this.lateUs = timeUs;
      obstacle = error.message;
    }
    this.stats[WriterStat.rotationsRefused]++;
    if (name !== this.#refusedName)
      this.#say('warn', `not rotated to ${name}: ${obstacle}; recording continues in ${this.path}`);
    this.#refusedName = name;
    return undefined;
  }

  /** For a time that the local clock shows twice: recording does not go on in the file of the first. */
  #nextNumbered(name: string, timeUs: number, previous: PreviousFile): OpenFile {
    const next = this.#beginning.beginNumbered(name, timeUs, timeUs, previous);
    const { finalPath } = next;
    const why = `${name} is there already, since local clocks show this time twice`;
    if (finalPath !== name)
      this.#say('warn', `${why}: recording to ${finalPath}; with %z in -f the names would differ`);
    return next;
  }

  #say(level: 'info' | 'warn' | 'error', message: string): void {
    this.emit({ type: 'log', level, message });
  }
}
