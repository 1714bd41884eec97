/** `make bench-compare`: prints how the last `make bench-micro` differs from the kept base. */
import { machineLine } from '../report/machine.js';
import { ResultFolder } from '../report/results.js';
import { BASE, compareMicro, LAST, type MicroResults } from './compare.js';

try {
  const base = new ResultFolder(true).readJson<MicroResults>(BASE, 'make one: make bench-micro KEEP=1');
  const last = new ResultFolder(false).readJson<MicroResults>(LAST, 'run make bench-micro first');
  console.log(`base: ${machineLine(base.machine)}\nnow:  ${machineLine(last.machine)}`);
  console.log(compareMicro(base.cases, last.cases));
} catch (error) {
  console.error(`bench-compare: ${(error as Error).message}`);
  process.exit(1);
}
