/**
 * What the table keeper costs a running recorder: how long dump, comparison and records take at a full table,
 * with 50,000 events a second beside it, and memory and CPU with and without it.
 *
 * `node dist/bench/table-live.js [--entries 500000] [--json] [-- RECORDER OPTIONS]`
 */
import { parseArgs } from 'node:util';
import { makeFolder, removeFolder } from '../test/lab/folder.js';
import { Injector } from '../test/lab/inject.js';
import { raiseConntrackLimits } from '../test/lab/limits.js';
import { labObstacle, withNamespaces } from '../test/lab/namespace.js';
import { ObservedProcess } from '../test/lab/process.js';

const { values: flags, positionals } = parseArgs({
  options: { entries: { type: 'string', default: '500000' }, json: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const entries = Number(flags.entries);
const CHUNK = 5000;
const RATE = 25_000;
const SECONDS = 15;

const obstacle = labObstacle();
if (obstacle !== undefined) {
  console.error(`bench: ${obstacle}`);
  process.exit(1);
}
raiseConntrackLimits(entries + 50_000);

const results = [await measure(), await measure('--no-snapshot')];
if (flags.json) console.log(JSON.stringify(results, null, 2));
else for (const result of results) console.log(result);

async function measure(...more: string[]): Promise<Record<string, string | number>> {
  const folder = makeFolder('bench');
  try {
    return await withNamespaces(['bench'], async (namespace) => {
      namespace.conntrackSysctls({ acct: 1, timestamp: 1, events: 1 });
      const injectors = [await Injector.start(namespace), await Injector.start(namespace)];
      if (entries > 0) await injectors[0].create({ count: entries });
      const args = ['-C', '-F', '-f', 'log-%H%M%S.ct', '--log-format', 'json', ...more, ...positionals];
      const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
      await recorder.says(/recording to/);
      if (more.length === 0) await recorder.says(/table: /);
      const afterFirstMiB = Math.round(recorder.peakRssKiB() / 1024);
      const startCpuMs = recorder.cpuMs();
      // As many starts as ends, each connection a second long; a new file in the middle.
      const chunks = (SECONDS * RATE) / CHUNK;
      const alive = RATE / CHUNK;
      for (let n = 0; n < chunks; n++) {
        if (n === Math.floor(chunks / 3)) recorder.signal('SIGHUP');
        const first = entries + (n % (2 * alive)) * CHUNK;
        const before = entries + ((n + alive) % (2 * alive)) * CHUNK;
        await Promise.all([
          injectors[0].create({ first, count: CHUNK }, RATE),
          n >= alive && injectors[1].remove({ first: before, count: CHUNK }, RATE),
        ]);
      }
      if (more.length === 0)
        await recorder.until(() => recorder.stderr.split('table: ').length > 2, 'a second audit');
      const cpuMs = recorder.cpuMs() - startCpuMs;
      const peakRssMiB = Math.round(recorder.peakRssKiB() / 1024);
      const { stderr } = await recorder.stop();
      const events = (2 * chunks - alive) * CHUNK;
      return {
        options: more.join(' '),
        entries,
        firstAudit: stderr.match(/table: ([^"]*)/)?.[1] ?? '',
        secondAudit: [...stderr.matchAll(/table: ([^"]*)/g)].at(1)?.[1] ?? '',
        snapshot: stderr.match(/snapshot: ([^"]*)/)?.[1] ?? '',
        events,
        lost: Number([...stderr.matchAll(/"lost":(\d+)/g)].at(-1)?.[1]),
        cpuNsPerEvent: Math.round((cpuMs * 1e6) / events),
        afterFirstMiB,
        peakRssMiB,
      };
    });
  } finally {
    removeFolder(folder);
  }
}
