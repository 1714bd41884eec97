/**
 * `make bench-buffers`: rate x -b x -B, with bursts, with a recorder that stands still and with a disk that
 * does. Prints what was lost and how full the ring became; writes bench/results/[local-]buffers.json and
 * charts. docs/tuning.md has the rule.
 *
 * `node dist/bench/buffers.js [--quick] [--keep]`
 */
import { parseArgs } from 'node:util';
import { makeFolder } from '../test/lab/folder.js';
import { Injector } from '../test/lab/inject.js';
import { raiseConntrackLimits } from '../test/lab/limits.js';
import { Namespace } from '../test/lab/namespace.js';
import { type BufferResult, type Load, measureBuffers } from './measure/buffers.js';
import { StallingDisk } from './measure/disk.js';
import { type BufferMatrix, reportBuffers } from './report/buffers.js';
import { describeMachine } from './report/machine.js';
import { ResultFolder } from './report/results.js';
import { needLab } from './run.js';

const { values: flags } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, keep: { type: 'boolean', default: false } },
});

const at = (ratePerSecond: number, seconds: number) => ({ ratePerSecond, events: ratePerSecond * seconds });
const LOADS: readonly Load[] = [
  { name: '20,000/s', ...at(20_000, 1) },
  { name: '20,000/s, recorder stands still for 250 ms', ...at(20_000, 1), stall: stop(250) },
  { name: '100,000/s', ...at(100_000, 1) },
  { name: '100,000/s, recorder stands still for 100 ms', ...at(100_000, 1), stall: stop(100) },
  { name: '100,000/s, disk stands still for 1.5 s', ...at(100_000, 2.5), stall: { what: 'disk', ms: 1500 } },
  { name: 'burst of 200,000', events: 200_000 },
];
const RCVBUF_KIB = flags.quick ? [256, 8192] : [256, 1024, 2048, 8192, 32_768];
const RING_SLOTS = flags.quick ? [1024, 16_384] : [1024, 4096, 16_384, 65_536];

needLab('bench-buffers');
const disk = StallingDisk.make(makeFolder('bench'));
raiseConntrackLimits(Math.max(...LOADS.map(({ events }) => events)) + 20_000);
const namespace = new Namespace('buffers');
namespace.conntrackSysctls({ acct: 1, timestamp: 1 });
const injector = await Injector.start(namespace);

const cells: BufferResult[] = [];
for (const load of LOADS)
  for (const rcvbufKiB of RCVBUF_KIB)
    for (const ringSlots of RING_SLOTS) {
      const cell = await measureBuffers(load, { rcvbufKiB, ringSlots }, namespace, injector, disk);
      console.error(
        `${load.name}, -b ${rcvbufKiB} -B ${ringSlots}: ${cell.lost} lost, ring ${cell.ringHighWaterSlots}`,
      );
      cells.push(cell);
    }
namespace.remove();
disk.remove();

const matrix: BufferMatrix = { machine: describeMachine(), loads: LOADS, cells };
console.log(reportBuffers(matrix, new ResultFolder(flags.keep)));
process.exit();

function stop(ms: number): NonNullable<Load['stall']> {
  return { what: 'recorder', ms };
}
