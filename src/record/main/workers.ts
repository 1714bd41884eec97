/**
 * The parser's and the writer's thread of a recording. Together they end properly, or one of them dies, and
 * then the recording does: why is told once, by the one that died first.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type RingMemory, RingState, STATE_WORD } from '../ring/layout.js';
import type { WriterEvent } from '../writer/writer-task.js';
import type { WorkerThread } from './worker.js';
import { announceDeath, deathOf, type StageName } from './worker-death.js';

/** Threads are given this long to end. */
const END_MS_MAX = 2000;

export class Workers {
  /** Resolves when both ended properly, rejects with the death to tell when one died. */
  readonly done: Promise<unknown>;
  readonly #writerDone: Promise<unknown>;

  /** `messages` and `blocks`: the rings before the parser and before the writer. */
  constructor(
    readonly parser: WorkerThread<WriterEvent>,
    readonly writer: WorkerThread<WriterEvent>,
    readonly messages: RingMemory,
    readonly blocks: RingMemory,
  ) {
    this.#writerDone = this.#ended('writer', writer);
    this.done = Promise.all([this.#writerDone, this.#ended('parser', parser)]);
    this.done.catch(() => {}); // whoever waits for something else races with it
  }

  start(): void {
    this.writer.start();
    this.parser.start();
  }

  /** What the promise gives, unless a worker dies before: then it rejects with that. */
  async orDeath<T>(promise: Promise<T>): Promise<T> {
    const death = this.done.then(() => new Promise<never>(() => {}));
    return Promise.race([promise, death]);
  }

  /** Until the writer has made durable what it was given, or died; no longer than this. */
  async writerEnds(limitMs: number): Promise<void> {
    await isSettledWithin(limitMs, this.#writerDone);
  }

  /** End both threads. False when one hangs in a system call and does not end. */
  async end(): Promise<boolean> {
    return isSettledWithin(END_MS_MAX, Promise.all([this.writer.end(), this.parser.end()]));
  }

  /** Rejects with the death to tell: the parser dies of a dead writer too, whose own reason that is. */
  async #ended(name: StageName, worker: WorkerThread<WriterEvent>): Promise<void> {
    try {
      await worker.done;
    } catch (error) {
      announceDeath(name, this.messages, this.blocks);
      if (name === 'parser' && Atomics.load(this.blocks.control, STATE_WORD) === RingState.failed)
        await this.#writerDone;
      throw deathOf(name, error);
    }
  }
}

async function isSettledWithin(limitMs: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(limitMs, false, { signal: timer.signal }).catch(() => false);
  const settled = promise.then(
    () => true,
    () => true,
  );
  const isSettled = await Promise.race([settled, late]);
  timer.abort();
  return isSettled;
}
