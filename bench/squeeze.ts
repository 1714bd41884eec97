/**
 * `make bench-squeeze`: bytes per event of the synthetic trace, recorded and squeezed, beside the ancestor's
 * files and `xz -6` of them; and what squeezing takes: as much per event when there are more of them, and as
 * much memory? Writes bench/results/[local-]squeeze.json.
 *
 * `node dist/bench/squeeze.js [--events 2M] [--seed 7] [--keep]`: events of the longest trace
 */
import { parseArgs } from 'node:util';
import { makeFolder } from '../test/lab/folder.js';
import { measureRecorded, measureSqueezed } from './measure/sizes.js';
import { describeMachine } from './report/machine.js';
import { ResultFolder } from './report/results.js';
import { reportSizes } from './report/sizes.js';
import { countOption } from './run.js';

const { values: flags } = parseArgs({
  options: {
    events: { type: 'string', default: '2M' },
    seed: { type: 'string', default: '7' },
    keep: { type: 'boolean', default: false },
  },
});
const events = countOption('events', flags.events.replace(/M$/, '000000'));
const seed = countOption('seed', flags.seed);

const RATES = [10, 100, 1000, 5000];
/** A rotation's worth, at low rates. */
const SECONDS_MAX = 3600;
const SQUEEZED_RATE = 5000;

const folder = makeFolder('bench');
const recorded = [];
for (const rate of RATES)
  recorded.push(
    await measureRecorded({ seed, rate, events: Math.min(events, 2 * rate * SECONDS_MAX) }, folder),
  );
const squeezed = [];
for (const length of [Math.ceil(events / 2), events])
  squeezed.push(await measureSqueezed({ seed, rate: SQUEEZED_RATE, events: length }, folder));

const results = new ResultFolder(flags.keep);
console.log(reportSizes({ machine: describeMachine(), recorded, squeezed }, results));
process.exit();
