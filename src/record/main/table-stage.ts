/**
 * The table worker as the main thread sees it: started once rights are reduced, so that it inherits
 * CAP_NET_ADMIN; told of every file; asked to compare the kernel's table with the log at the start, at every
 * rotation, and some quiet seconds after a loss. When it dies the recording goes on, and a new one begins
 * with the next file or loss.
 */
import type { Logger } from 'pino';
import { oneLine } from '../../base/failure.js';
import { RingMemory, RingState, STATE_WORD, TAIL_WORD } from '../ring/layout.js';
import type { RecordedFile } from '../table/follow.js';
import type { FromTable, TableTask, ToTable } from '../table/messages.js';
import { WorkerThread } from './worker.js';

/** After a loss the flood may go on: a dump in the middle of it helps nobody. */
const QUIET_AFTER_LOSS_MS = 5000;

export interface TableStageOptions extends Omit<TableTask, 'port'> {
  /** Put a mark into the log behind everything received so far; `marked` answers it. */
  readonly mark: (mark: number) => void;
}

export class TableStage {
  #worker: WorkerThread<FromTable> | undefined;
  #file: RecordedFile | undefined;
  /** Number of the mark that the worker waits for. */
  #mark = 0;
  #quiet: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    readonly options: TableStageOptions,
    readonly log: Logger,
  ) {}

  /** The recording goes on in this file. */
  fileOpened(file: RecordedFile): void {
    this.#file = file;
    if (this.#worker !== undefined) this.#tell({ type: 'file', file });
    this.#audit();
  }

  /** The kernel dropped events. */
  noteLoss(): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#audit(), QUIET_AFTER_LOSS_MS).unref();
  }

  /** Answers to marks of a worker that died are ignored. */
  marked(mark: number, sequence: number): void {
    if (mark === this.#mark) this.#tell({ type: 'marked', sequence });
  }

  /** End it; what it has not handed over is not recorded. Before the writer is stopped. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#quiet);
    const { control } = new RingMemory(this.options.snapshots);
    Atomics.store(control, STATE_WORD, RingState.closed);
    Atomics.notify(control, TAIL_WORD);
    this.#tell({ type: 'stop' });
    await this.#worker?.end();
  }

  #audit(): void {
    if (this.#stopped || this.#file === undefined) return;
    this.#worker ??= this.#start();
    this.#tell({ type: 'audit' });
  }

  #start(): WorkerThread<FromTable> {
    const { mark: _, ...task } = this.options;
    const worker = new WorkerThread<FromTable>(
      'table',
      (port): TableTask => ({ ...task, port }),
      (message) => this.#take(message),
    );
    worker.start();
    worker.done.catch((error) => {
      if (this.#stopped) return;
      this.log.error(
        `table worker: ${oneLine(error)}; recording continues; the next file begins with a new dump`,
      );
      this.#worker = undefined;
      void worker.end();
    });
    this.#mark++; // the mark of one before, if any, is not for this one
    worker.tell({ type: 'file', file: this.#file! } satisfies ToTable);
    return worker;
  }

  #take(message: FromTable): void {
    if (message.type === 'mark') this.options.mark(++this.#mark);
    else if (message.type === 'log') this.log[message.level](message.message);
  }

  #tell(message: ToTable): void {
    this.#worker?.tell(message);
  }
}
