/**
 * `make bench-startup`: how long commands take that do next to nothing, beyond what Node itself takes for an
 * empty program. All in turn, round after round; writes bench/results/[local-]startup.json.
 *
 * `node dist/bench/startup.js [--rounds 15] [--base ENTRY] [--keep]`: ENTRY is the src/cli/main.js of another
 * build, to compare with
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { recorderEntry } from '../test/lab/process.js';
import { describeMachine, machineLine } from './report/machine.js';
import { ResultFolder } from './report/results.js';
import { formatTable } from './report/table.js';
import { countOption } from './run.js';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    base: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const rounds = countOption('rounds', flags.rounds, 1000);

const SMALL_FILE = fileURLToPath(new URL('../../test/fixtures/log/golden-3.0.ct', import.meta.url));
const COMMANDS = { '-h': ['-h'], '-V': ['-V'], '-L of a small file': ['-Lf', SMALL_FILE] };
const entries = { '': recorderEntry, ...(flags.base !== undefined && { ' (base)': flags.base }) };

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly ms: number[];
}

const bare: Case = { name: 'node -e 0', args: ['-e', '0'], ms: [] };
const cases = [
  bare,
  ...Object.entries(COMMANDS).flatMap(([command, args]) =>
    Object.entries(entries).map(
      ([build, entry]): Case => ({ name: command + build, args: [entry, ...args], ms: [] }),
    ),
  ),
];

for (let round = 0; round < rounds; round++) for (const one of cases) one.ms.push(runOnce(one));

const results = cases.map(({ name, ms }) => ({
  name,
  medianMs: tenths(median(ms)),
  shortestMs: tenths(Math.min(...ms)),
  beyondNodeMs: tenths(median(ms) - median(bare.ms)),
}));
const machine = describeMachine();
const startup = { machine, rounds, results };
console.log(machineLine(machine));
console.log(
  formatTable(
    ['program', 'median ms', 'shortest ms', 'median beyond node'],
    results.map((result) => [result.name, result.medianMs, result.shortestMs, result.beyondNodeMs]),
  ),
);
const file = new ResultFolder(flags.keep).writeJson('startup.json', startup);
console.log(`Written: ${file}`);

function runOnce({ name, args }: Case): number {
  const beganMs = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  if (status !== 0) throw new Error(`${name}: exit code ${status}: ${stderr}`);
  return performance.now() - beganMs;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
