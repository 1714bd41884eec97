/** The buffer matrix as tables, JSON and charts. */
import { type BufferResult, heldBySocket, type Load } from '../measure/buffers.js';
import { lineChart } from './chart.js';
import { type Machine, machineLine } from './machine.js';
import type { ResultFolder } from './results.js';
import { cellText, formatTable } from './table.js';

export interface BufferMatrix {
  readonly machine: Machine;
  readonly loads: readonly Load[];
  readonly cells: readonly BufferResult[];
}

/** What one chart or table leaves fixed: the defaults, where they were measured. */
const DEFAULT_RCVBUF_KIB = 8192;
const DEFAULT_RING_SLOTS = 16_384;

/** Write JSON and charts; answers the tables for the terminal. */
export function reportBuffers(matrix: BufferMatrix, results: ResultFolder): string {
  const files = [
    results.writeJson('buffers.json', matrix),
    results.writeSvg('loss-against-rcvbuf.svg', lossAgainstRcvbuf(matrix)),
    results.writeSvg('loss-against-ring.svg', lossAgainstRing(matrix)),
    results.writeSvg('ring-high-water.svg', highWaterAgainstRing(matrix)),
  ];
  const wrong = matrix.cells.filter(({ events, recorded, lost }) => recorded + lost !== events);
  return [
    machineLine(matrix.machine),
    `Events lost by -b (with -B ${DEFAULT_RING_SLOTS}); in brackets what the rule says:`,
    table(matrix, 'rcvbufKiB', byRcvbuf(matrix), lossText),
    `Events lost by -B (with -b ${DEFAULT_RCVBUF_KIB}); in brackets what the rule says:`,
    table(matrix, 'ringSlots', byRing(matrix), lossText),
    `The most slots of the ring in use at once, by -B (with -b ${DEFAULT_RCVBUF_KIB}):`,
    table(matrix, 'ringSlots', byRing(matrix), ({ ringHighWaterSlots }) => cellText(ringHighWaterSlots)),
    wrong.length === 0
      ? `Recorded + lost = sent in all ${matrix.cells.length} runs.`
      : `Recorded + lost differs from sent in ${wrong.length} of ${matrix.cells.length} runs.`,
    `Written: ${files.join(', ')}`,
  ].join('\n');
}

function byRcvbuf({ cells }: BufferMatrix): BufferResult[] {
  return cells.filter(({ ringSlots }) => ringSlots === DEFAULT_RING_SLOTS);
}

function byRing({ cells }: BufferMatrix): BufferResult[] {
  return cells.filter(({ rcvbufKiB }) => rcvbufKiB === DEFAULT_RCVBUF_KIB);
}

function table(
  { loads }: BufferMatrix,
  size: 'rcvbufKiB' | 'ringSlots',
  cells: readonly BufferResult[],
  show: (cell: BufferResult) => string,
): string {
  const sizes = [...new Set(cells.map((cell) => cell[size]))];
  const heads = sizes.map((value) => (size === 'ringSlots' ? `-B ${value}` : `-b ${value}`));
  const held = sizes.map((value) => `(${cellText(heldBySocket(value))} events)`);
  const rows = loads.map(({ name }) => [
    name,
    ...sizes.map((value) => show(cells.find((cell) => cell.load === name && cell[size] === value)!)),
  ]);
  return formatTable(['load', ...heads], size === 'rcvbufKiB' ? [['', ...held], ...rows] : rows);
}

function lossText({ lost, expectedLost }: BufferResult): string {
  return expectedLost === undefined ? cellText(lost) : `${cellText(lost)} (${cellText(expectedLost)})`;
}

function lossAgainstRcvbuf(matrix: BufferMatrix): string {
  return lineChart({
    title: 'Events lost against the socket buffer (-b)',
    subtitle: `-B ${DEFAULT_RING_SLOTS}; an event costs 1,280 bytes of twice the buffer`,
    xLabel: '-b, KiB',
    yLabel: 'events lost',
    ...against(matrix, 'rcvbufKiB', byRcvbuf(matrix), ({ lost }) => lost),
  });
}

function lossAgainstRing(matrix: BufferMatrix): string {
  return lineChart({
    title: 'Events lost against the ring (-B)',
    subtitle: `-b ${DEFAULT_RCVBUF_KIB}; the ring holds what the disk has not taken, not what the recorder has not received`,
    xLabel: '-B, slots',
    yLabel: 'events lost',
    ...against(matrix, 'ringSlots', byRing(matrix), ({ lost }) => lost),
  });
}

function highWaterAgainstRing(matrix: BufferMatrix): string {
  return lineChart({
    title: 'The most slots of the ring in use at once',
    subtitle: `-b ${DEFAULT_RCVBUF_KIB}`,
    xLabel: '-B, slots',
    yLabel: 'slots in use',
    yScale: 'log',
    ...against(matrix, 'ringSlots', byRing(matrix), ({ ringHighWaterSlots }) => ringHighWaterSlots),
  });
}

function against(
  { loads }: BufferMatrix,
  size: 'rcvbufKiB' | 'ringSlots',
  cells: readonly BufferResult[],
  value: (cell: BufferResult) => number,
) {
  return {
    xScale: 'log' as const,
    xTicks: [...new Set(cells.map((cell) => cell[size]))],
    series: loads.map(({ name }) => ({
      name,
      points: cells.filter(({ load }) => load === name).map((cell) => [cell[size], value(cell)] as const),
    })),
  };
}
