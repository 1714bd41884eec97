/**
 * Files that get nothing more but their end: index and end block, and their final name. A rotation must not
 * wait for that: the file that follows is open already, and a step that fails is tried again at the writer's
 * next commit. Writer thread.
 */
import { dirname } from 'node:path';
import type { LogFileSystem } from '../../base/disk/disk.js';
import { renameNumbered } from '../../base/disk/file-system.js';
import { SystemFailure } from '../../base/errors.js';
import type { Clock } from '../../base/time/clock.js';
import { hex } from '../../log/format/frame.js';
import type { Closing, Segment } from '../../log/write/segment.js';
import { attemptAll } from './attempt-all.js';
import { timeSync, WriterStat } from './writer-stats.js';
import type { Emit } from './writer-task.js';

interface EndingFile {
  readonly segment: Segment;
  readonly finalPath: string;
  readonly closing: Closing;
  endWritten: boolean;
  renamedTo: string | undefined;
  /** Whether it was said that it cannot be closed yet. */
  reported: boolean;
}

export class EndingFiles {
  #files: EndingFile[] = [];

  constructor(
    readonly fs: LogFileSystem,
    readonly stats: Float64Array,
    readonly emit: Emit,
    readonly clock: Clock,
  ) {}

  /** A file that is to end so, and to get this name; `finish` begins with it. */
  add(segment: Segment, finalPath: string, closing: Closing): void {
    this.#files.push({
      segment,
      finalPath,
      closing,
      endWritten: false,
      renamedTo: undefined,
      reported: false,
    });
  }

  /** Close what is to be closed; what fails stays for the next call. */
  finish(): void {
    if (this.#files.length === 0) return;
    this.#files = this.#files.filter((file) => !this.#isDone(file));
    this.stats[WriterStat.filesUnfinished] = this.#files.length;
  }

  /** Nobody will try again: what is not closed yet is left live for the next start, and said. */
  giveUp(): void {
    for (const { segment } of this.#files) {
      const { path } = segment.file;
      this.#say('error', `${path}: could not be closed; its records are safe; the next start closes it`);
      segment.close();
    }
  }

  /** Try to close it. True when there is nothing left to do, also because the file is gone. */
  #isDone(file: EndingFile): boolean {
    const { segment, finalPath, closing } = file;
    const { path } = segment.file;
    try {
      this.#finish(file);
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      if (error.code === 'ENOENT') {
        this.#say('error', `${path}: is gone, and the ${segment.acknowledged.records} records in it`);
        attemptAll(() => segment.close());
        return true;
      }
      if (!file.reported) this.#say('warn', `${path}: cannot be closed yet, ${error.message}`);
      file.reported = true;
      return false;
    }
    this.stats[WriterStat.bytesWritten] += closing.fileBytes - segment.acknowledged.bytes;
    if (file.renamedTo !== finalPath)
      this.#say('warn', `${finalPath} is there already: ${path} became ${file.renamedTo}`);
    this.emit({ type: 'closed', file: file.renamedTo!, chain: hex(closing.chain) });
    return true;
  }

  /** Each step once, in order, however often this is called. */
  #finish(file: EndingFile): void {
    const { segment, closing, finalPath } = file;
    const { fs } = this;
    if (!file.endWritten) {
      if (!segment.trusted || segment.file.fd < 0) segment.reopen();
      segment.cutBack();
      timeSync(this.clock, this.stats, () => segment.writeClosing(closing));
      file.endWritten = true;
    }
    file.renamedTo ??= renameNumbered(fs, segment.file.path, finalPath);
    fs.syncDirectory(dirname(finalPath));
    // The lock lasts until the file has its final name: nobody takes it for left behind.
    attemptAll(() => segment.close());
  }

  #say(level: 'warn' | 'error', message: string): void {
    this.emit({ type: 'log', level, message });
  }
}
