/** What the recorder costs at a steady rate of events: by thread, without its start. */
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Injector } from '../../test/lab/inject.js';
import type { Namespace } from '../../test/lab/namespace.js';
import { ObservedProcess, recorderEntry } from '../../test/lab/process.js';
import { lastNumber } from './summary.js';
import { cpuBetween, readThreads, type ThreadCpu } from './threads.js';
import { Watch } from './watch.js';

export interface RateLoad {
  readonly name: string;
  /** Connections created and then removed, two events each; 0: nothing happens for `seconds`. */
  readonly connections: number;
  /** Of events; undefined: as fast as the kernel takes them. */
  readonly ratePerSecond?: number;
  readonly seconds?: number;
  /** CPUs that it may use, as taskset takes them. */
  readonly cpus?: string;
}

export interface RateResult {
  readonly name: string;
  readonly events: number;
  readonly recorded: number;
  readonly lost: number;
  readonly seconds: number;
  readonly cpuMs: ThreadCpu;
  /** Part of it that was spent in the kernel. */
  readonly kernelShare: number;
  readonly peakRssMiB: number;
}

/** Compilers and collectors still work a while after the start. */
const REST_MS = 6000;

/** Leaves the namespace's table empty. */
export async function measureRate(
  load: RateLoad,
  namespace: Namespace,
  injector: Injector,
  folder: string,
): Promise<RateResult> {
  const file = path.join(folder, 'rate.ct');
  const command = [process.execPath, recorderEntry, '-C', '-F', '-f', file];
  const [program, ...args] = load.cpus === undefined ? command : ['taskset', '-c', load.cpus, ...command];
  const recorder = await ObservedProcess.start(namespace, program, args);
  const watch = new Watch(recorder, namespace);
  try {
    await recorder.says(/recording to/);
    await sleep(REST_MS);
    const before = readThreads(recorder.pid);
    const ticksBefore = ticks(recorder.pid);
    const beganMs = performance.now();
    await makeLoad(load, injector);
    if (load.connections > 0) await watch.caughtUp();
    const seconds = (performance.now() - beganMs) / 1000;
    const cpuMs = cpuBetween(recorder.pid, before, readThreads(recorder.pid));
    const { user, kernel } = ticks(recorder.pid);
    const kernelTicks = kernel - ticksBefore.kernel;
    const { stderr, code } = await watch.stop();
    if (code !== 0) throw new Error(`the recorder ended with exit code ${code}: ${stderr}`);
    return {
      name: load.name,
      events: 2 * load.connections,
      recorded: lastNumber(stderr, 'recorded'),
      lost: lastNumber(stderr, 'lost'),
      seconds,
      cpuMs,
      kernelShare: kernelTicks / Math.max(1, user - ticksBefore.user + kernelTicks),
      peakRssMiB: Math.round(watch.peakRssKiB / 1024),
    };
  } finally {
    await watch.kill();
    await injector.flush();
    rmSync(file, { force: true });
    rmSync(`${file}.part`, { force: true });
  }
}

async function makeLoad({ connections, ratePerSecond, seconds }: RateLoad, injector: Injector) {
  if (connections === 0) {
    await sleep((seconds ?? 0) * 1000);
    return;
  }
  await injector.create({ count: connections }, ratePerSecond);
  if (ratePerSecond === undefined) await injector.flush();
  else await injector.remove({ count: connections }, ratePerSecond);
}

/** CPU time of the process in steps of 10 ms. */
function ticks(pid: number): { user: number; kernel: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11]), kernel: Number(fields[12]) };
}
