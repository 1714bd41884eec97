/**
 * Counters that the threads show each other: one shared Float64Array per stage, written by that stage alone,
 * read by anybody. A count is exact up to 2^53 and may be a moment old.
 */

/** Words of the parser's counters. */
export const ParserStat = {
  recorded: 0,
  starts: 1,
  ends: 2,
  updates: 3,
  malformed: 4,
  truncated: 5,
  unknownAttributes: 6,
  /** Messages that did not come from the kernel */
  foreignSender: 7,
  otherProtocol: 8,
  gaps: 9,
  lost: 10,
  /** 1 while the parser waits for the writer */
  waitingForWriter: 11,
  /** Events that the kernel sent again: recorded once */
  repeats: 12,
  /** Messages that could be read in part only: recorded with what was readable */
  partial: 13,
} as const;
