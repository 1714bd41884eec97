/** One program, one flood: what was lost and what it cost. Whatever the program does, there is a result. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { ProcessExit } from '../../test/lab/process.js';
import type { Created, Flood } from '../generate/flood.js';
import type { KnownLoss, Program, Recording, Site } from '../programs/program.js';
import { TruthCount } from './truth.js';
import { Watch } from './watch.js';

export interface TrialOptions {
  /** Where the trial's own folder is made. */
  readonly folder: string;
  readonly bufferKiB: number;
  /** Undefined: as fast as it goes. */
  readonly ratePerSecond?: number;
  /** Only the beginnings: the connections end after the program. */
  readonly startsOnly?: boolean;
}

export interface TrialResult {
  readonly program: string;
  readonly flood: string;
  readonly ratePerSecond?: number;
  /** Why there are no numbers, when there are none. */
  readonly failure?: string;
  /** Events: a connection's start, and its end unless only starts were looked at. */
  readonly sent: number;
  /** Of those, what it recorded (the floor: received). */
  readonly recorded: number;
  readonly lost: number;
  /** Recorded more than once, and recorded without having happened. */
  readonly repeated: number;
  readonly foreign: number;
  readonly known: KnownLoss;
  /** What the kernel dropped for its socket, as seen from outside while it ran. */
  readonly kernelDrops: number;
  readonly createdPerSecond: number;
  /** Of the whole process, its start included. */
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  /** User and system time of its start. */
  readonly startCpuMs: number;
  readonly peakRssMiB: number;
  readonly bytesOnDisk: number;
  /** Exit code, 128 + signal number. */
  readonly exitCode: number;
}

/** Of a program that never ran. */
export const NO_NUMBERS = {
  sent: 0,
  recorded: 0,
  lost: 0,
  repeated: 0,
  foreign: 0,
  known: {},
  kernelDrops: 0,
  createdPerSecond: 0,
  cpuUserMs: 0,
  cpuSystemMs: 0,
  startCpuMs: 0,
  peakRssMiB: 0,
  bytesOnDisk: 0,
  exitCode: 0,
} as const;

/** Runs the trial and leaves the table empty. Rejects only when the flood itself cannot be made. */
export async function trial(program: Program, flood: Flood, options: TrialOptions): Promise<TrialResult> {
  const folder = mkdtempSync(path.join(options.folder, 'trial-'));
  const output = path.join(folder, 'output');
  mkdirSync(output);
  const { namespace, proto } = flood;
  const site: Site = { namespace, folder, output, bufferKiB: options.bufferKiB, proto };
  try {
    return await run(program, flood, site, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(
  program: Program,
  flood: Flood,
  site: Site,
  { ratePerSecond, startsOnly = false }: TrialOptions,
): Promise<TrialResult> {
  let recording: Recording;
  let watch: Watch | undefined;
  try {
    recording = await program.start(site);
    watch = new Watch(recording.process, flood.namespace);
    await watch.ready();
  } catch (error) {
    await watch?.kill();
    return failed(program, flood, (error as Error).message, ratePerSecond);
  }
  const created = await makeTurns(flood, ratePerSecond, startsOnly);
  const caughtUp = await watch.caughtUp();
  const exit = await watch.stop();
  if (startsOnly) await flood.end();

  const truth = new TruthCount(flood);
  await recording.readBack?.((isStart, flow) => truth.take(isStart, flow));
  return {
    ...summary(program, flood, created, startsOnly ? 1 : 2, recording, truth, exit),
    ...(ratePerSecond !== undefined && { ratePerSecond }),
    ...(!caughtUp && { failure: 'still busy a minute after the flood' }),
    kernelDrops: watch.kernelDrops,
    startCpuMs: watch.startCpuMs,
    peakRssMiB: Math.round(watch.peakRssKiB / 1024),
    bytesOnDisk: folderBytes(site.output),
  };
}

/** All turns of the flood; the last one's connections stay when only starts are looked at. */
async function makeTurns(
  flood: Flood,
  ratePerSecond: number | undefined,
  startsOnly: boolean,
): Promise<Created> {
  const all = { sent: 0, created: 0, seconds: 0 };
  for (let turn = 0; turn < flood.turns; turn++) {
    const { sent, created, seconds } = await flood.create(ratePerSecond);
    all.sent += sent;
    all.created += created;
    all.seconds += seconds;
    if (!startsOnly) await flood.end();
  }
  return all;
}

function summary(
  program: Program,
  flood: Flood,
  { created, seconds }: Created,
  eventsPerConnection: number,
  recording: Recording,
  truth: TruthCount,
  exit: ProcessExit,
) {
  const sent = created * eventsPerConnection;
  const recorded = recording.received?.(exit) ?? truth.starts + truth.ends;
  return {
    program: program.name,
    flood: flood.name,
    sent,
    recorded,
    lost: sent - recorded,
    repeated: truth.repeated,
    foreign: truth.foreign,
    known: recording.knownLoss(exit),
    createdPerSecond: Math.round(created / seconds),
    cpuUserMs: Math.round(exit.cpuUserMs),
    cpuSystemMs: Math.round(exit.cpuSystemMs),
    exitCode: exit.code,
  };
}

function failed(
  program: Program,
  flood: Flood,
  failure: string,
  ratePerSecond: number | undefined,
): TrialResult {
  return {
    program: program.name,
    flood: flood.name,
    ...(ratePerSecond !== undefined && { ratePerSecond }),
    failure,
    ...NO_NUMBERS,
  };
}

function folderBytes(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
}
