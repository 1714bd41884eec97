/** Bytes per event as tables and JSON. */
import type { RecordedSize, SqueezedSize } from '../measure/sizes.js';
import { type Machine, machineLine } from './machine.js';
import type { ResultFolder } from './results.js';
import { type Cell, formatTable } from './table.js';

export interface Sizes {
  readonly machine: Machine;
  readonly recorded: readonly RecordedSize[];
  readonly squeezed: readonly SqueezedSize[];
}

const RECORDED_HEADS = ['connections a second', 'events', 'recorded', 'squeezed', 'ancestor', 'xz -6 of it'];
const SQUEEZED_HEADS = [
  'events',
  'connections',
  'squeezed',
  "ancestor's squeezed",
  'xz -6 of it',
  'share',
  'CPU s per million events',
  'peak MiB',
];

/** Write JSON; answers the tables for the terminal. */
export function reportSizes(sizes: Sizes, results: ResultFolder): string {
  const file = results.writeJson('squeeze.json', sizes);
  return [
    machineLine(sizes.machine),
    'Bytes per event of a trace as it is:',
    formatTable(RECORDED_HEADS, sizes.recorded.map(recordedRow)),
    'Bytes per event, connections that begin and end in the trace only:',
    formatTable(SQUEEZED_HEADS, sizes.squeezed.map(squeezedRow)),
    `Written: ${file}`,
  ].join('\n');
}

function recordedRow({ rate, events, recorded, squeezed, ancestor, ancestorXz }: RecordedSize): Cell[] {
  return [rate, events, ...[recorded, squeezed, ancestor, ancestorXz].map(hundredths)];
}

function squeezedRow(size: SqueezedSize): Cell[] {
  const { events, connections, squeezed, ancestor, ancestorXz, cpuSecondsPerMillion, peakRssMiB } = size;
  const share = hundredths(ancestorXz === undefined ? undefined : squeezed / ancestorXz);
  const bytes = [squeezed, ancestor, ancestorXz].map(hundredths);
  return [events, connections, ...bytes, share, hundredths(cpuSecondsPerMillion), peakRssMiB];
}

function hundredths(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(2);
}
