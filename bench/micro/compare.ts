/** The last run of the micro-benchmarks against the base that is kept in the repository. */
import type { Results } from '../report/results.js';
import { type Cell, formatTable } from '../report/table.js';

export const LAST = 'micro.json';
export const BASE = 'base-micro.json';

export interface MicroResult {
  readonly name: string;
  readonly unit: string;
  /** Of the best sample. */
  readonly nsPerUnit: number;
  /** Relative margin of error of all samples, 95 %. */
  readonly marginPercent: number;
}

export interface MicroResults extends Results {
  readonly cases: readonly MicroResult[];
}

/** Runs on one machine differ by so much without a reason. */
const NOISE_PERCENT = 10;

/**
 * A case a line: base, now, and their ratio, with a word where they differ by more than noise and both
 * margins.
 */
export function compareMicro(base: readonly MicroResult[], now: readonly MicroResult[]): string {
  const names = [...new Set([...base, ...now].map(({ name }) => name))];
  const rows = names.map((name): Cell[] => {
    const was = base.find((one) => one.name === name);
    const is = now.find((one) => one.name === name);
    if (was === undefined) return [name, '-', is!.nsPerUnit, '-', is!.unit, 'new'];
    if (is === undefined) return [name, was.nsPerUnit, '-', '-', was.unit, 'not run'];
    const ratio = is.nsPerUnit / was.nsPerUnit;
    return [name, was.nsPerUnit, is.nsPerUnit, ratio.toFixed(2), is.unit, verdict(ratio, was, is)];
  });
  return formatTable(['case', 'base ns', 'now ns', 'now/base', 'per', ''], rows);
}

function verdict(ratio: number, base: MicroResult, now: MicroResult): string {
  const tolerance = (NOISE_PERCENT + base.marginPercent + now.marginPercent) / 100;
  if (ratio > 1 + tolerance) return 'slower';
  return ratio < 1 / (1 + tolerance) ? 'faster' : '';
}
