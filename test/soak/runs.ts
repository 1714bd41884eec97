/**
 * How often a property is tried: as often as its test says, and many times that in `make soak`. fast-check
 * prints the seed of a failure.
 */

/** Set by `make soak`. */
export const RUNS_FACTOR_VARIABLE = 'CTRECORDER_TEST_RUNS_FACTOR';
const factor = Number(process.env[RUNS_FACTOR_VARIABLE] ?? 1);

export function runs(count: number): number {
  return Math.ceil(count * factor);
}
