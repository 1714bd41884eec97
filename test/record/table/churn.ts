/** Entries that come and go, the same tuples again and again, and what each file must say of them. */
import { RecordKind } from '../../../src/event/batch.js';
import type { Injector } from '../../lab/inject.js';
import { connectionsOf, hasSnapshot, rowsOf } from './recording.js';

export interface Churn {
  /** All tuples in use; index `first` is the first. */
  readonly first: number;
  readonly tuples: number;
  /** Entries made and ended together. */
  readonly chunk: number;
  /** Chunks alive at once. */
  readonly alive: number;
  /** Chunks made in all. */
  readonly chunks: number;
  /** Starts a second, and as many ends. */
  readonly ratePerSecond: number;
}

/** Make the entries of every chunk and end them again, each `alive` chunks later; none is left. */
export async function churn(plan: Churn, creator: Injector, remover: Injector): Promise<void> {
  const { first, tuples, chunk, alive, chunks, ratePerSecond } = plan;
  const chunkPlan = (n: number) => ({ first: first + ((n * chunk) % tuples), count: chunk });
  for (let n = 0; n < chunks + alive; n++)
    await Promise.all([
      n < chunks && creator.create(chunkPlan(n), ratePerSecond),
      n >= alive && remover.remove(chunkPlan(n - alive), ratePerSecond),
    ]);
}

/** Follows the events of the files, one after another, and holds what a file says alone against them. */
export class FilesCheck {
  readonly findings: string[] = [];
  /** Starts and ends that events told. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Rows without an event. */
  derived = 0;
  /** Files that answer on their own. */
  complete = 0;
  /** 1 for what is open behind the last file. */
  readonly #open: Uint8Array;

  constructor(
    readonly count: number,
    /** Entries that were there before the recorder; when they started it may not know. */
    readonly isOlder: (index: number) => boolean,
  ) {
    this.starts = new Uint32Array(count);
    this.ends = new Uint32Array(count);
    this.#open = Uint8Array.from({ length: count }, (_, index) => (isOlder(index) ? 1 : 0));
  }

  async add(file: string, isFirst: boolean): Promise<void> {
    const isComplete = isFirst || hasSnapshot(file);
    if (isComplete) this.complete++;
    const openBefore = this.#open.slice();
    const started = new Uint32Array(this.count);
    for await (const { index, kind, derived } of rowsOf(file)) {
      if (derived) this.derived++;
      else if (kind === RecordKind.start) {
        started[index]++;
        if (this.#open[index] === 1) this.#find(file, index, 'started twice');
        this.#open[index] = 1;
      } else if (kind === RecordKind.end) {
        this.ends[index]++;
        if (this.#open[index] === 0) this.#find(file, index, 'ended twice');
        this.#open[index] = 0;
      }
    }
    const listed = new Uint32Array(this.count);
    const listedOpen = new Uint32Array(this.count);
    for (const { index, start, end } of connectionsOf(file)) {
      listed[index]++;
      if (end === '-') listedOpen[index]++;
      if (start === '-' && isComplete && !this.isOlder(index))
        this.#find(file, index, 'is without its start');
    }
    for (let index = 0; index < this.count; index++) {
      this.starts[index] += started[index];
      const most = started[index] + openBefore[index];
      // Without a snapshot the file may not know of what neither started nor ended in it.
      const isUnknown = !isComplete && started[index] === 0 && this.#open[index] === 1 && listed[index] === 0;
      if (isUnknown) continue;
      if (listed[index] !== most) this.#find(file, index, `is listed ${listed[index]} times, not ${most}`);
      if (listedOpen[index] !== this.#open[index])
        this.#find(file, index, `is listed as open ${listedOpen[index]} times, not ${this.#open[index]}`);
    }
  }

  #find(file: string, index: number, what: string): void {
    this.findings.push(`${file}: ${index} ${what}`);
  }
}
