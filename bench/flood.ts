/**
 * `make bench-flood`: a flood of connections, created and ended through ctnetlink as fast as the kernel takes
 * them, recorded by the real program. Prints what was lost, and CPU time and bytes per event. One event: a
 * start or an end.
 *
 * `node dist/bench/flood.js [--connections 500000] [--rounds 1] [--json] [-- RECORDER OPTIONS]`: each round
 * creates and ends them all
 */
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { MAX_FLOOD_INDEX } from '../test/lab/flood.js';
import { makeFolder } from '../test/lab/folder.js';
import { Injector } from '../test/lab/inject.js';
import { raiseConntrackLimits } from '../test/lab/limits.js';
import { withNamespaces } from '../test/lab/namespace.js';
import { ObservedProcess } from '../test/lab/process.js';
import { lastNumber } from './measure/summary.js';
import { cpuBetween, readThreads, type ThreadCpu, totalMs } from './measure/threads.js';
import { countOption, needLab } from './run.js';

const { values: flags, positionals } = parseArgs({
  options: {
    connections: { type: 'string', default: '500000' },
    rounds: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const connections = countOption('connections', flags.connections, MAX_FLOOD_INDEX);
const rounds = countOption('rounds', flags.rounds, 100);

needLab('bench-flood');
const folder = makeFolder('bench');
raiseConntrackLimits(connections + 20_000);

const result = await withNamespaces(['bench'], async (namespace) => {
  namespace.conntrackSysctls({ acct: 1, timestamp: 1 });
  const injector = await Injector.start(namespace);
  const args = ['-C', '-F', '-f', 'flood.ct', '-b', '8192', ...positionals];
  const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
  await recorder.says(/recording to/);
  const startCpuMs = recorder.cpuMs();
  let createSeconds = 0;
  let endSeconds = 0;
  const cpuByRound: string[] = [];
  let threads = readThreads(recorder.pid);
  for (let round = 0; round < rounds; round++) {
    createSeconds += (await injector.create({ count: connections })).seconds;
    endSeconds += (await injector.flush()).seconds;
    const now = readThreads(recorder.pid);
    cpuByRound.push(describe(cpuBetween(recorder.pid, threads, now)));
    threads = now;
  }
  const peakRssKiB = recorder.peakRssKiB();
  const exit = await recorder.stop();
  if (exit.code !== 0) throw new Error(`the recorder ended with exit code ${exit.code}: ${exit.stderr}`);
  const events = 2 * connections * rounds;
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
  const cpuMs = exit.cpuUserMs + exit.cpuSystemMs;
  return {
    node: process.version,
    kernel: release(),
    cores: availableParallelism(),
    recorderOptions: args.join(' '),
    events,
    lost: lastNumber(exit.stderr, 'lost'),
    recorded: lastNumber(exit.stderr, 'recorded'),
    createdPerSecond: Math.round((connections * rounds) / createSeconds),
    endedPerSecond: Math.round((connections * rounds) / endSeconds),
    cpuNsPerEvent: Math.round((cpuMs * 1e6) / events),
    cpuNsPerEventAfterStart: Math.round(((cpuMs - startCpuMs) * 1e6) / events),
    cpuUserMs: exit.cpuUserMs,
    cpuSystemMs: exit.cpuSystemMs,
    bytesPerEvent: Math.round((bytes / events) * 100) / 100,
    peakRssMiB: Math.round(peakRssKiB / 1024),
    ...Object.fromEntries(cpuByRound.map((text, round) => [`nsPerEventRound${round + 1}`, text])),
  };
});

if (flags.json) console.log(JSON.stringify(result, null, 2));
else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(24)} ${value}`);

/** Nanoseconds of CPU per event of one round. What a round leaves undone counts in the next. */
function describe(cpu: ThreadCpu): string {
  const ns = (ms: number) => Math.round((ms * 1e6) / (2 * connections));
  const byThread = Object.entries(cpu).map(([role, ms]) => `${role} ${ns(ms)}`);
  return `${ns(totalMs(cpu))} (${byThread.join(', ')})`;
}
