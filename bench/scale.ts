/**
 * `make bench-scale`: what an event costs at different rates, on one core and on two, and over a long replay.
 * Prints tables and writes bench/results/[local-]scale.json.
 *
 * `node dist/bench/scale.js [--events 5M] [--no-rates] [--keep]`: the length of the replay, as in 100M (some
 * minutes)
 */
import { parseArgs } from 'node:util';
import { makeFolder } from '../test/lab/folder.js';
import { Injector } from '../test/lab/inject.js';
import { raiseConntrackLimits } from '../test/lab/limits.js';
import { Namespace } from '../test/lab/namespace.js';
import { measureLongReplay } from './measure/long-replay.js';
import { measureRate, type RateLoad, type RateResult } from './measure/rate.js';
import { describeMachine } from './report/machine.js';
import { ResultFolder } from './report/results.js';
import { reportScale } from './report/scale.js';
import { countOption, needLab } from './run.js';

const { values: flags } = parseArgs({
  options: {
    events: { type: 'string', default: '5M' },
    'no-rates': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const replayEvents = countOption('events', flags.events.replace(/M$/, '000000'), 10_000_000_000);

const FLOOD_CONNECTIONS = 500_000;
const at = (ratePerSecond: number, seconds: number): RateLoad => ({
  name: String(ratePerSecond).replace(/000$/, ',000'),
  connections: (ratePerSecond * seconds) / 2,
  ratePerSecond,
});
const flood = { name: 'as fast as it goes', connections: FLOOD_CONNECTIONS };
const LOADS: readonly RateLoad[] = [
  { name: 'idle', connections: 0, seconds: 30 },
  at(1000, 10),
  at(10_000, 10),
  at(100_000, 8),
  { ...at(100_000, 8), name: '100,000, one core', cpus: '0' },
  flood,
  { ...flood, name: `${flood.name}, one core`, cpus: '0' },
];

needLab('bench-scale');
const folder = makeFolder('bench');
const rates: RateResult[] = [];
if (!flags['no-rates']) {
  raiseConntrackLimits(FLOOD_CONNECTIONS + 20_000);
  const namespace = new Namespace('scale');
  namespace.conntrackSysctls({ acct: 1, timestamp: 1 });
  const injector = await Injector.start(namespace);
  for (const load of LOADS) {
    rates.push(await measureRate(load, namespace, injector, folder));
    console.error(`${load.name}: done`);
  }
  await injector.stop();
  namespace.remove();
}
const replay = await measureLongReplay(replayEvents, folder);

console.log(reportScale({ machine: describeMachine(), rates, replay }, new ResultFolder(flags.keep)));
process.exit();
