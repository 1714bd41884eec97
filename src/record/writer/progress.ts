/**
 * `--progress-fd`: a JSON line to a descriptor whenever events became durable. Whoever reads may be slow,
 * stopped or gone: no write may wait for them, so one is begun only when there is room, and a line that finds
 * none makes way for the next, which says more. Writer's thread, once per group.
 */
import { writeSync } from 'node:fs';
import { errnoCode } from '../../base/errors.js';
import { hasRoom } from '../../base/libc/file.js';
import { WriterStat } from './writer-stats.js';
import type { Emit } from './writer-task.js';

export class Progress {
  #fd: number | undefined;
  readonly #run: string;
  /** Not written yet: the rest of a line that was begun, and the newest one. */
  #rest = '';
  #line = '';

  constructor(
    fd: number,
    runId: bigint,
    readonly stats: Float64Array,
    readonly emit: Emit,
  ) {
    this.#fd = fd;
    this.#run = runId.toString(16).padStart(16, '0');
  }

  /** What the counters say is durable. */
  report(): void {
    const [sequence, events] = [this.stats[WriterStat.durableSequence], this.stats[WriterStat.durableEvents]];
    this.#line = `${JSON.stringify({ run: this.#run, sequence, events })}\n`;
    this.flush();
  }

  /** Write what waits, as far as there is room for it. */
  flush(): void {
    const fd = this.#fd;
    try {
      while (fd !== undefined && (this.#rest !== '' || this.#line !== '') && hasRoom(fd)) {
        if (this.#rest === '') [this.#rest, this.#line] = [this.#line, ''];
        this.#rest = this.#rest.slice(writeSync(fd, this.#rest));
      }
    } catch (error) {
      const code = errnoCode(error);
      if (code === undefined) throw error;
      if (code === 'EAGAIN') return;
      const message = `--progress-fd ${fd}: ${code}, no more progress is written`;
      this.emit({ type: 'log', level: 'warn', message });
      this.#fd = undefined;
    }
  }
}
