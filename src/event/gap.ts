/** Gaps: what a recorder knows it could not see, and why. */

/** Their indexes cross between threads, as those of LOSS_CAUSES. */
export const CERTAINTIES = ['exact', 'at-most', 'unknown'] as const;
export type GapCertainty = (typeof CERTAINTIES)[number];
/** Indexes in CERTAINTIES. */
export const Certainty = { exact: 0, atMost: 1, unknown: 2 } as const;

export interface GapRecord {
  /** Last event surely seen before and first event surely seen after, microseconds since the epoch. */
  readonly fromUs: number;
  readonly toUs: number;
  /** Events lost; meaningless when certainty is "unknown". */
  readonly lost: number;
  readonly certainty: GapCertainty;
  readonly cause: string;
  /** The fullest that socket buffer and ring were found so far; only of what the kernel dropped. */
  readonly queueHighWaterBytes?: number;
  readonly ringHighWaterSlots?: number;
}

/**
 * Why messages are missing, from what explains least to what explains most: a gap that grows takes the
 * strongest cause.
 */
export const LOSS_CAUSES = [
  'buffer too small',
  'reader stalled',
  'parser stalled',
  'disk stalled',
  'damaged capture',
] as const;

/** Indexes in LOSS_CAUSES. */
export const LossCause = {
  /** The reader ran as it should; more came at once than the buffer holds. */
  bufferTooSmall: 0,
  /** The main thread did not get to run (stopped, or no CPU). */
  readerStalled: 1,
  /** The ring was full, and nobody waited for the disk: no CPU for the parser. */
  parserStalled: 2,
  /** The ring was full because the writer waited for the disk. */
  diskStalled: 3,
  /** The rest of a replayed capture cannot be read. */
  damagedCapture: 4,
} as const;

/** Causes of gaps whose size nobody knows. */
export const GapCause = {
  notRunning: 'recorder not running',
  died: 'recorder died',
  damagedFile: 'damaged file',
} as const;

/**
 * A gap of unknown size from the last time that was surely seen up to now. Where the clock went back in
 * between, it reaches from the smaller to the larger; it always has a length.
 */
export function unseenGap(cause: string, seenUntilUs: number, nowUs: number): GapRecord {
  const fromUs = Math.min(seenUntilUs, nowUs);
  return unknownGap(cause, fromUs, Math.max(seenUntilUs, nowUs, fromUs + 1));
}

export function unknownGap(cause: string, fromUs: number, toUs: number): GapRecord {
  return { fromUs, toUs, lost: 0, certainty: 'unknown', cause };
}
