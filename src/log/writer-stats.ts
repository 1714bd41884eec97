/** Words of the writer's counters in its shared Float64Array (src/record/stats.ts). Written by the writer alone. */
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
} as const;
