/**
 * Bytes per event of the synthetic trace: recorded, squeezed, and what the ancestor's files of it come to,
 * packed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecordKind } from '../../src/event/batch.js';
import { ObservedProcess } from '../../test/lab/process.js';
import { generateTrace, type TraceEvent, type TraceOptions, traceDefaults } from '../generate/trace.js';
import { CaptureWriter, LegacySqueezedWriter, LegacyWriter, type TraceWriter } from '../generate/writers.js';
import { peakRssKiB } from './processes.js';

const LOOK_MS = 20;

export interface RecordedSize {
  /** New connections a second. */
  readonly rate: number;
  readonly events: number;
  /** Bytes per event. */
  readonly recorded: number;
  readonly squeezed: number;
  readonly ancestor: number;
  /** Undefined without xz. */
  readonly ancestorXz?: number;
}

export interface SqueezedSize {
  readonly events: number;
  readonly connections: number;
  /** Bytes per event. */
  readonly squeezed: number;
  readonly ancestor: number;
  readonly ancestorXz?: number;
  readonly cpuSecondsPerMillion: number;
  readonly peakRssMiB: number;
}

/** The trace as it is: its beginnings and ends are cut, as those of any file. */
export async function measureRecorded(trace: TraceOptions, folder: string): Promise<RecordedSize> {
  const files = filesIn(folder);
  write(trace, () => true, [new CaptureWriter(files.capture), new LegacyWriter(files.ancestor)]);
  await record(files);
  const { bytes } = await squeeze(files);
  const { events } = trace;
  const size: RecordedSize = {
    rate: trace.rate ?? traceDefaults.rate,
    events,
    recorded: bytesOf(files.log) / events,
    squeezed: bytes / events,
    ancestor: bytesOf(files.ancestor) / events,
    ...xzPart(await xzBytes(files.ancestor), events),
  };
  for (const file of Object.values(files)) rmSync(file, { force: true });
  return size;
}

/** Only connections that begin and end within the trace: the ancestor's squeezed files have no others. */
export async function measureSqueezed(trace: TraceOptions, folder: string): Promise<SqueezedSize> {
  const files = filesIn(folder);
  const ended = new Set<number>();
  const beginUs = trace.beginUs ?? traceDefaults.beginUs;
  generateTrace(trace, ({ kind, startUs }) => {
    if (kind === RecordKind.end && startUs >= beginUs) ended.add(startUs);
  });
  const isWhole = ({ startUs }: TraceEvent) => ended.has(startUs);
  const squeezed = new LegacySqueezedWriter(files.ancestor);
  const events = write(trace, isWhole, [new CaptureWriter(files.capture), squeezed]);
  await record(files);
  const { bytes, cpuSeconds, peakRssMiB } = await squeeze(files);
  const size: SqueezedSize = {
    events,
    connections: squeezed.connections,
    squeezed: bytes / events,
    ancestor: bytesOf(files.ancestor) / events,
    ...xzPart(await xzBytes(files.ancestor), events),
    cpuSecondsPerMillion: (cpuSeconds * 1e6) / events,
    peakRssMiB,
  };
  for (const file of Object.values(files)) rmSync(file, { force: true });
  return size;
}

function filesIn(folder: string) {
  const file = (name: string) => path.join(folder, name);
  return { capture: file('t.pcap'), ancestor: file('t.old'), log: file('t.ct'), squeezed: file('s.ct') };
}
type Files = ReturnType<typeof filesIn>;

/** Answers how many events were written. */
function write(
  trace: TraceOptions,
  wanted: (event: TraceEvent) => boolean,
  writers: readonly TraceWriter[],
): number {
  let events = 0;
  generateTrace(trace, (event) => {
    if (!wanted(event)) return;
    events++;
    for (const writer of writers) writer.write(event);
  });
  for (const writer of writers) writer.close();
  return events;
}

async function record({ log, capture }: Files): Promise<void> {
  await finished(['-C', '-f', log, '-p', 'all', '--replay', capture]);
  rmSync(capture);
}

async function squeeze({ log, squeezed }: Files) {
  const { cpuSeconds, peakRssMiB } = await finished(['-S', '-f', log, '-o', squeezed]);
  return { bytes: bytesOf(squeezed), cpuSeconds, peakRssMiB };
}

async function finished(args: readonly string[]): Promise<{ cpuSeconds: number; peakRssMiB: number }> {
  const recorder = await ObservedProcess.recorder(undefined, args);
  let peakKiB = 0;
  let ended = false;
  void recorder.exit.then(() => {
    ended = true;
  });
  while (!ended) {
    peakKiB = Math.max(peakKiB, peakRssKiB([recorder.pid]));
    await sleep(LOOK_MS);
  }
  const { code, stderr, cpuUserMs, cpuSystemMs } = await recorder.exit;
  if (code !== 0) throw new Error(`ctrecorder ${args[0]}: exit code ${code}: ${stderr}`);
  return { cpuSeconds: (cpuUserMs + cpuSystemMs) / 1000, peakRssMiB: Math.round(peakKiB / 1024) };
}

/** Undefined where xz is not installed. */
async function xzBytes(file: string): Promise<number | undefined> {
  if (spawnSync('xz', ['--version']).error !== undefined) return undefined;
  const input = openSync(file, 'r');
  const xz = spawn('xz', ['-6', '-c', '--threads=1'], { stdio: [input, 'pipe', 'inherit'] });
  closeSync(input);
  let bytes = 0;
  xz.stdout!.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(xz, 'close');
  return bytes;
}

function xzPart(bytes: number | undefined, events: number): { ancestorXz?: number } {
  return bytes === undefined ? {} : { ancestorXz: bytes / events };
}

function bytesOf(file: string): number {
  return statSync(file).size;
}
