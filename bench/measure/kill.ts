/** `kill -9` under load: of what was sent a second before, how much is readable afterwards? */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Flood } from '../generate/flood.js';
import type { Program } from '../programs/program.js';
import { tableEntries } from './inside.js';
import { TruthCount } from './truth.js';
import { Watch } from './watch.js';

export interface KillOptions {
  readonly folder: string;
  readonly bufferKiB: number;
  readonly ratePerSecond: number;
  /** Load before the second that is waited. */
  readonly loadSeconds: number;
}

export interface KillResult {
  readonly program: string;
  readonly ratePerSecond: number;
  /** Connections that had begun a second before the kill. */
  readonly begun: number;
  /** Of those, what its files say afterwards. */
  readonly readable: number;
  /** Of those, what the kernel had dropped for it by then: the buffer's fault, not the kill's. */
  readonly dropped: number;
  readonly failure?: string;
}

/** The flood must last longer than `loadSeconds` and a second. */
export async function killTrial(program: Program, flood: Flood, options: KillOptions): Promise<KillResult> {
  const { ratePerSecond, bufferKiB, loadSeconds } = options;
  const folder = mkdtempSync(path.join(options.folder, 'kill-'));
  const output = path.join(folder, 'output');
  mkdirSync(output);
  const { namespace, proto } = flood;
  let watch: Watch | undefined;
  try {
    const recording = await program.start({ namespace, folder, output, bufferKiB, proto });
    watch = new Watch(recording.process, namespace);
    if (recording.readBack === undefined) throw new Error('keeps nothing');
    await watch.ready();
    const creating = flood.create(ratePerSecond);
    await sleep(loadSeconds * 1000);
    const begun = tableEntries(recording.process.pid);
    const dropped = watch.kernelDrops;
    await sleep(1000);
    await watch.kill();
    await creating;
    const truth = new TruthCount(flood);
    await recording.readBack((isStart, flow) => truth.take(isStart, flow));
    return { program: program.name, ratePerSecond, begun, readable: truth.startsBelow(begun), dropped };
  } catch (error) {
    const failure = (error as Error).message;
    return { program: program.name, ratePerSecond, begun: 0, readable: 0, dropped: 0, failure };
  } finally {
    await watch?.kill();
    await flood.end();
    rmSync(folder, { recursive: true, force: true });
  }
}
