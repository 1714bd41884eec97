/** The table worker: takes orders from the main thread one after another, and reads the log in small portions in between. */
import { setPriority } from 'node:os';
import type { MessagePort } from 'node:worker_threads';
import { errnoCode } from '../errors.js';
import { WriterStat } from '../log/writer-stats.js';
import { gettid } from '../netlink/libc.js';
import { RingMemory } from '../ring/layout.js';
import { RingProducer } from '../ring/producer.js';
import { TableKeeper } from './keeper.js';
import type { FromTable, TableTask, ToTable } from './messages.js';
import { StoppedError, TableRows } from './rows.js';

/** Events come first: this thread gets what CPU they leave. */
const NICE = 19;
/** Reading the log in portions of so many blocks keeps the wait before a snapshot short. */
const CATCH_UP_BLOCKS = 16;
const CATCH_UP_EVERY_MS = 5000;

export class TableService {
  readonly #port: MessagePort;
  readonly #writerStats: Float64Array;
  readonly #keeper: TableKeeper;
  readonly #marks = new Map<number, (sequence: number) => void>();
  #lastMark = 0;
  /** Orders in their sequence; each waits for the one before. */
  #orders: Promise<void> = Promise.resolve();
  #busy = 0;
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
    this.#keeper = new TableKeeper({ protocols: task.protocols, mark: () => this.#mark() }, rows);
  }

  /** Until told to stop. Rejects when the log can no longer be followed: then a new worker begins anew. */
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
        this.#keeper.addFile(message.path, message.openedUs);
        this.#order(() => this.#snapshot());
        break;
      case 'audit':
        this.#order(() => this.#audit());
        break;
      case 'marked':
        this.#marks.get(message.mark)?.(message.sequence);
        this.#marks.delete(message.mark);
        break;
      case 'stop':
        this.#end();
        break;
    }
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

  async #snapshot(): Promise<void> {
    const startMs = performance.now();
    const entries = await this.#keeper.snapshot();
    if (entries === undefined) return;
    this.#say(
      'info',
      `snapshot: ${entries} connections are open at the beginning of the file (${since(startMs)})`,
    );
  }

  async #audit(): Promise<void> {
    const startMs = performance.now();
    const { entries, found, derivedStarts, derivedEnds, dumpMs } = await this.#keeper.audit();
    const seen = found > 0 ? `, ${found} were open before` : '';
    const missed = derivedStarts + derivedEnds;
    const what = missed > 0 ? `, ${derivedStarts} starts and ${derivedEnds} ends that no event told` : '';
    this.#say(
      missed > 0 ? 'warn' : 'info',
      `table: ${entries} entries${seen}${what} (dump ${dumpMs} ms, in all ${since(startMs)})`,
    );
  }

  #catchUp(): void {
    const sequence = this.#writerStats[WriterStat.durableSequence];
    if (this.#busy > 0 || sequence - this.#keeper.sequence < CATCH_UP_BLOCKS) return;
    this.#order(() => this.#keeper.catchUp(sequence));
  }

  #mark(): Promise<number> {
    const mark = ++this.#lastMark;
    return new Promise((resolve) => {
      this.#marks.set(mark, resolve);
      this.#tell({ type: 'mark', mark });
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
    if (errnoCode(error) === 'UNKNOWN') throw error;
  }
}
