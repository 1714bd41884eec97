/**
 * The table worker: takes orders from the main thread one after another, and reads the log in small portions
 * in between.
 */
import { setPriority } from 'node:os';
import type { MessagePort } from 'node:worker_threads';
import { counted } from '../../base/counted.js';
import { isSystemError, SystemFailure } from '../../base/errors.js';
import { gettid } from '../../base/libc/process.js';
import { tableUse } from '../conntrack/sysctls.js';
import { RingMemory } from '../ring/layout.js';
import { RingProducer } from '../ring/producer.js';
import { WriterStat } from '../writer/writer-stats.js';
import type { RecordedFile } from './follow.js';
import { TableKeeper } from './keeper.js';
import type { FromTable, TableTask, ToTable } from './messages.js';
import { StoppedError, TableRows } from './rows.js';

/** Events come first. Not 19: on a machine that is busy all the time an audit would take minutes. */
const NICE = 10;
/** Reading the log in portions of so many blocks keeps the wait before a snapshot short. */
const CATCH_UP_BLOCKS = 16;
const CATCH_UP_EVERY_MS = 5000;
/**
 * Open connections beyond this times what the kernel's table can hold are ends that were lost. Then the table
 * is compared at once, though nothing has been quiet: a flood that never ends must not fill the memory.
 */
const OPEN_PER_TABLE = 1.1;

export class TableService {
  readonly #port: MessagePort;
  readonly #writerStats: Float64Array;
  readonly #keeper: TableKeeper;
  /** Takes the answer to the mark that was asked for. */
  #marked: (sequence: number) => void = () => {};
  /** Orders in their sequence; each waits for the one before. */
  #orders: Promise<void> = Promise.resolve();
  #busy = 0;
  /** An audit waits for its turn: it serves whoever asks for one now. */
  #isAuditOrdered = false;
  /** Open connections after the last audit. */
  #countAudited = 0;
  #end!: (error?: unknown) => void;
  readonly #ended = new Promise<void>((resolve, reject) => {
    this.#end = (error) => (error === undefined ? resolve() : reject(error));
  });

  constructor(task: TableTask) {
    this.#port = task.port;
    this.#writerStats = new Float64Array(task.writerStats);
    const rows = new TableRows(
      new RingProducer(new RingMemory(task.snapshots)),
      new RingMemory(task.blocks).control,
      task.runId,
    );
    const mark = () => this.#mark();
    const onSnapshot = (entries: number, milliseconds: number) => {
      const what = `${entries} connections were open when the file began`;
      this.#say('info', `snapshot: ${what} (${Math.round(milliseconds)} ms)`);
    };
    this.#keeper = new TableKeeper({ protocols: task.protocols, mark, onSnapshot }, rows);
  }

  /** Until told to stop. Rejects when the log can no longer be followed: then a new worker starts over. */
  async run(): Promise<void> {
    becomeNice();
    const timer = setInterval(() => this.#catchUp(), CATCH_UP_EVERY_MS);
    this.#port.on('message', (message: ToTable) => this.#take(message));
    try {
      await this.#ended;
    } finally {
      clearInterval(timer);
      this.#keeper.close();
    }
  }

  #take(message: ToTable): void {
    switch (message.type) {
      case 'file':
        this.#addFile(message.file);
        break;
      case 'audit':
        if (!this.#isAuditOrdered) this.#order(() => this.#audit());
        this.#isAuditOrdered = true;
        break;
      case 'marked':
        this.#marked(message.sequence);
        break;
      case 'stop':
        this.#end();
        break;
    }
  }

  /** Known at once, because the order under way may have to read it. */
  #addFile(file: RecordedFile): void {
    try {
      this.#keeper.addFile(file);
    } catch (error) {
      this.#end(error);
    }
    this.#order(() => this.#keeper.enterNewestFile());
  }

  #order(work: () => Promise<void>): void {
    this.#busy++;
    this.#orders = this.#orders
      .then(work)
      .catch((error) => {
        if (!(error instanceof StoppedError)) this.#end(error);
      })
      .finally(() => {
        this.#busy--;
      });
  }

  async #audit(): Promise<void> {
    this.#isAuditOrdered = false;
    const startMs = performance.now();
    try {
      const { entries, found, derivedStarts, derivedEnds, dumpMs } = await this.#keeper.audit();
      this.#countAudited = this.#keeper.count;
      const seen = found > 0 ? `, ${found} were already open` : '';
      const missed = derivedStarts + derivedEnds;
      const what =
        missed > 0
          ? `, ${counted(derivedStarts, 'start')} and ${counted(derivedEnds, 'end')} without an event`
          : '';
      this.#say(
        missed > 0 ? 'warn' : 'info',
        `table: ${entries} entries${seen}${what} (dump ${dumpMs} ms, ${since(startMs)} in all)`,
      );
    } catch (error) {
      // The kernel refuses: that takes the comparison away, not the snapshots.
      if (!(error instanceof SystemFailure)) throw error;
      this.#say('warn', `table: ${error.message}; the table was not compared with the log`);
    }
  }

  #catchUp(): void {
    const sequence = this.#writerStats[WriterStat.durableSequence];
    if (this.#busy > 0 || sequence - this.#keeper.sequence < CATCH_UP_BLOCKS) return;
    this.#order(async () => {
      await this.#keeper.follow(sequence);
      if (this.#holdsLostEnds()) await this.#audit();
    });
  }

  #holdsLostEnds(): boolean {
    const possible = Math.max(tableUse().entriesMax, this.#countAudited);
    return this.#keeper.count > OPEN_PER_TABLE * possible;
  }

  #mark(): Promise<number> {
    return new Promise((resolve) => {
      this.#marked = resolve;
      this.#tell({ type: 'mark' });
    });
  }

  #say(level: 'info' | 'warn', message: string): void {
    this.#tell({ type: 'log', level, message });
  }

  #tell(message: FromTable): void {
    this.#port.postMessage(message);
  }
}

function since(startMs: number): string {
  return `${Math.round(performance.now() - startMs)} ms`;
}

/** A lower precedence needs no right. */
function becomeNice(): void {
  try {
    setPriority(gettid(), NICE);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
