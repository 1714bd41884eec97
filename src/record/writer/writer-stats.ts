import type { Clock } from '../../base/time/clock.js';

/**
 * Words of the writer's counters in its shared Float64Array (src/record/parser/parser-stats.ts). Written by
 * the writer alone.
 */
export const WriterStat = {
  /** Durable bytes in all files of this run, structure included */
  bytesWritten: 0,
  /** Durable data blocks */
  blocks: 1,
  /** Files begun */
  files: 2,
  /** Number of the last durable data block */
  durableSequence: 3,
  /** Durable events: rows that the kernel's events gave, not those found in its table */
  durableEvents: 4,
  syncs: 5,
  syncMaxMs: 6,
  /** Failed writes and syncs, repeated ones included */
  errors: 7,
  /** 1 while nothing can be written and blocks are kept */
  stalled: 8,
  /** Rotations that could not be done: recording went on in the current file */
  rotationsRefused: 9,
  /** Finished files that could not be closed and renamed yet */
  filesUnfinished: 10,
  /**
   * Since when the group or file that is being worked on has kept the writer, milliseconds since the epoch; 0
   * = it waits for work
   */
  busySinceMs: 16,
  /** 1 while less is free on the disk than `--min-free` leaves */
  belowMinFree: 17,
  /** Finished files that retention removed, and bytes in them */
  filesRemoved: 18,
  bytesRemoved: 19,
  /** 1 while nothing is removed by age, because the wall clock is in doubt */
  clockInDoubt: 20,
  /** Holds that fit no file now */
  holdsUnmatched: 21,
  /** Finished files packed in a way that retention cannot read */
  filesUncounted: 22,
} as const;

const NOTICEABLE_MS = 1000;

/** What keeps the writer from writing, for the end of a line; empty when nothing does. */
export function diskState(stats: Float64Array): string {
  const sinceMs = stats[WriterStat.busySinceMs];
  const busyMs = sinceMs === 0 ? 0 : Date.now() - sinceMs;
  const time = `${(busyMs / 1000).toFixed(0)} s`;
  if (stats[WriterStat.stalled] === 1) {
    const why =
      stats[WriterStat.belowMinFree] === 1 ? 'less is free than --min-free leaves' : 'writing fails';
    return `; stalled for ${time}, ${why}`;
  }
  return busyMs < NOTICEABLE_MS ? '' : `; the disk has not answered for ${time}`;
}

/** Do a sync, count it, and note how long the longest took. */
export function timeSync(clock: Clock, stats: Float64Array, sync: () => void): void {
  const startMs = clock.monotonicMs();
  sync();
  stats[WriterStat.syncs]++;
  stats[WriterStat.syncMaxMs] = Math.max(stats[WriterStat.syncMaxMs], clock.monotonicMs() - startMs);
}
