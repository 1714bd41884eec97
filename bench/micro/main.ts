/**
 * `make bench-micro`: how long the small pieces of the recorder's work take, by the package `benchmark`.
 * Prints a table and writes bench/results/local-micro.json, or with --keep base-micro.json, the base that
 * `make bench-compare` compares with.
 *
 * `node dist/bench/micro/main.js [--only PART OF NAME] [--seconds 0.5] [--keep]`
 */
import { parseArgs } from 'node:util';
import Benchmark from 'benchmark';
import { describeMachine, machineLine } from '../report/machine.js';
import { ResultFolder } from '../report/results.js';
import { formatTable } from '../report/table.js';
import { blockCases } from './block.js';
import type { MicroCase } from './case.js';
import { BASE, LAST, type MicroResult, type MicroResults } from './compare.js';
import { decodeCases } from './decode.js';
import { listingCases } from './listing.js';
import { ringCases } from './ring.js';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '0.5' },
    keep: { type: 'boolean', default: false },
  },
});
/** For each case, beside what the package needs to find out how often to call it. */
const maxTime = Number(flags.seconds);
if (!(maxTime > 0)) {
  console.error(`--seconds ${flags.seconds}: give a number of seconds`);
  process.exit(2);
}

const cases = [...(await decodeCases()), ...ringCases(), ...blockCases(), ...listingCases()];
const results: MicroResults = {
  machine: describeMachine(),
  cases: cases.filter(({ name }) => name.includes(flags.only)).map(measure),
};
console.log(machineLine(results.machine));
console.log(
  formatTable(
    ['case', 'ns', 'per', '+-'],
    results.cases.map(({ name, unit, nsPerUnit, marginPercent }) => [
      name,
      nsPerUnit,
      unit,
      `${marginPercent} %`,
    ]),
  ),
);
const file = new ResultFolder(flags.keep).writeJson(flags.keep ? BASE : LAST, results);
console.log(`Written: ${file}`);

/**
 * The best sample stands for the case: what else the machine does can only make one slower. The margin tells
 * how much it did.
 */
function measure({ name, unit, unitsPerRun, run }: MicroCase): MicroResult {
  const benchmark = new Benchmark(name, run, { maxTime }).run();
  if (benchmark.error) throw benchmark.error;
  const { rme, sample } = benchmark.stats;
  console.error(`${name}: ${sample.length} samples`);
  return {
    name,
    unit,
    nsPerUnit: Number(((Math.min(...sample) * 1e9) / unitsPerRun).toPrecision(4)),
    marginPercent: Number(rme.toPrecision(2)),
  };
}
