/** Cost by rate, by cores, and over a long replay, as tables and JSON. */
import type { LongReplay } from '../measure/long-replay.js';
import type { RateResult } from '../measure/rate.js';
import { totalMs } from '../measure/threads.js';
import { type Machine, machineLine } from './machine.js';
import type { ResultFolder } from './results.js';
import { type Cell, formatTable } from './table.js';

export interface Scale {
  readonly machine: Machine;
  readonly rates: readonly RateResult[];
  readonly replay: LongReplay;
}

const RATE_HEADS = [
  'events a second',
  'events',
  'lost',
  'CPU',
  'CPU ns per event',
  'of it kernel',
  'main',
  'parser',
  'writer',
  'table',
  'rest',
  'peak MiB',
];
const REPLAY_HEADS = ['events', 'seconds', 'CPU ns per event', 'of it kernel', 'MiB resident'];

/** Write JSON; answers the tables for the terminal. */
export function reportScale(scale: Scale, results: ResultFolder): string {
  const { machine, rates, replay } = scale;
  const file = results.writeJson('scale.json', scale);
  return [
    machineLine(machine),
    'By rate, without the start; the threads in ns per event:',
    formatTable(RATE_HEADS, rates.map(rateRow)),
    `Replay of ${replay.events} events, ${replay.recorded} recorded, ${replay.bytesPerEvent.toFixed(2)} bytes per event:`,
    formatTable(REPLAY_HEADS, replay.parts.map(replayRow)),
    `Written: ${file}`,
  ].join('\n');
}

function rateRow({ name, events, lost, seconds, cpuMs, kernelShare, peakRssMiB }: RateResult): Cell[] {
  const total = totalMs(cpuMs);
  const share = `${(total / seconds / 10).toFixed(2)} %`;
  const perEvent = (ms: number) => (events === 0 ? '-' : Math.round((ms * 1e6) / events));
  const { main, parser, writer, table, rest } = cpuMs;
  const threads = [main, parser, writer, table, rest].map(perEvent);
  return [name, events, lost, share, perEvent(total), perEvent(total * kernelShare), ...threads, peakRssMiB];
}

function replayRow(part: LongReplay['parts'][number]): Cell[] {
  const { events, seconds, cpuNsPerEvent, kernelNsPerEvent, rssMiBMin, rssMiBMax } = part;
  const memory = `${Math.round(rssMiBMin)} to ${Math.round(rssMiBMax)}`;
  return [events, Math.round(seconds), Math.round(cpuNsPerEvent), Math.round(kernelNsPerEvent), memory];
}
