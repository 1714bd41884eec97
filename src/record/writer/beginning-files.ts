/**
 * Files from nothing to the first block that is durable: name, lock, header, the gap before it. A file that
 * cannot be begun leaves nothing behind. Writer thread.
 */
import { dirname } from 'node:path';
import type { LogFileSystem } from '../../base/disk/disk.js';
import { numbered } from '../../base/disk/numbered.js';
import { standsAt } from '../../base/disk/same-file.js';
import { SystemFailure } from '../../base/errors.js';
import type { Clock } from '../../base/time/clock.js';
import type { GapRecord } from '../../event/gap.js';
import { gapBlock } from '../../log/format/block.js';
import type { PreviousFile } from '../../log/format/file-meta.js';
import { LIVE_SUFFIX } from '../../log/format/format.js';
import type { Recorder } from '../../log/read/ownership.js';
import { Segment } from '../../log/write/segment.js';
import { attemptAll } from './attempt-all.js';
import { fileMeta } from './writer-meta.js';
import { timeSync } from './writer-stats.js';
import type { WriterOptions } from './writer-task.js';

const NO_FILTER = new Uint8Array(0);

export interface OpenFile {
  readonly segment: Segment;
  /** What it is to be called when it is closed. */
  readonly finalPath: string;
  /** The time that named it, and when it was opened: later when it stands in for one that was given up. */
  readonly timeUs: number;
  readonly openedUs: number;
}

export class BeginningFiles {
  /** Of the newest file of this identity. */
  fileNumber = 0;

  constructor(
    readonly options: WriterOptions,
    readonly recorder: () => Recorder,
    readonly fs: LogFileSystem,
    readonly stats: Float64Array,
    readonly clock: Clock,
  ) {}

  /** A file of this name, or of that with a number where it is taken. Throws SystemFailure. */
  beginNumbered(
    name: string,
    timeUs: number,
    openedUs: number,
    previous: PreviousFile | undefined,
    absence?: GapRecord,
  ): OpenFile {
    for (let number = 0; ; number++) {
      const finalPath = numbered(name, number);
      if (this.isTaken(finalPath)) continue;
      try {
        return this.begin(finalPath, timeUs, openedUs, previous, absence);
      } catch (error) {
        // Somebody else was faster.
        if (!(error instanceof SystemFailure && error.operation === 'create' && error.code === 'EEXIST'))
          throw error;
      }
    }
  }

  /**
   * A new live file, locked, its header, the gap before the run's first file, and its name durable. Throws
   * SystemFailure and leaves nothing behind.
   */
  begin(
    finalPath: string,
    timeUs: number,
    openedUs: number,
    previous: PreviousFile | undefined,
    absence?: GapRecord,
  ): OpenFile {
    const { fs } = this;
    const path = finalPath + LIVE_SUFFIX;
    fs.makeDirectory(dirname(path));
    const file = fs.create(path);
    try {
      if (!fs.lock(file))
        throw new SystemFailure('lock', 'EAGAIN', `${path}: is locked by another program`, file);
      const segment = Segment.begin(
        fs,
        file,
        fileMeta(this.options, this.recorder(), {
          openedUs,
          namedUs: timeUs,
          fileNumber: this.fileNumber + 1,
          previous,
        }),
      );
      if (absence !== undefined) {
        const identity = { runId: this.options.runId, sequence: 1 };
        segment.appendFrame(gapBlock(absence, identity), 0, NO_FILTER);
      }
      timeSync(this.clock, this.stats, () => segment.commit());
      fs.syncDirectory(dirname(path));
      this.fileNumber++;
      return { segment, finalPath, timeUs, openedUs };
    } catch (error) {
      attemptAll(
        () => {
          if (standsAt(fs, path, file)) fs.remove(path);
        },
        () => fs.close(file),
      );
      throw error;
    }
  }

  /** Whether something has this name, live or finished. */
  isTaken(finalPath: string): boolean {
    return this.fs.exists(finalPath) || this.fs.exists(finalPath + LIVE_SUFFIX);
  }
}
