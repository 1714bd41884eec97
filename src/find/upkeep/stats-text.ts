/**
 * Statistics as short aligned lines, or as JSON; docs/json.md describes every key, and a test holds the two
 * together.
 */

import { counted } from '../../base/counted.js';
import { printableJson } from '../../base/printable.js';
import { rfc3339, type TimeWriter } from '../../base/time/time-text.js';
import { TimeSource } from '../../event/batch.js';
import { protocolName } from '../../event/protocols.js';
import type { LogHeader } from '../../log/read/source.js';
import type { LogStats } from './stats.js';

const TERM_COLUMNS = 14;
const timeSourceNames = Object.keys(TimeSource);

/** What is summed up: a file, or all of them. */
export type StatsOf = { readonly file: string; readonly header: LogHeader } | undefined;

/** One JSON object, in one line. */
export function statsJson(of: StatsOf, stats: LogStats): string {
  const { gaps, firstUs, lastUs } = stats;
  const object = {
    file: of?.file ?? null,
    files: stats.files,
    ...(of && { format: formatOf(of.header), squeezed: of.header.squeezed }),
    closed: stats.unclosed === 0,
    firstTime: hasTimes(stats) ? rfc3339(firstUs) : null,
    lastTime: hasTimes(stats) ? rfc3339(lastUs) : null,
    bytes: stats.bytes,
    bytesPerEvent: stats.events > 0 && stats.connections === 0 ? rounded(stats.bytes / stats.events) : null,
    blocks: stats.blocks,
    records: stats.records,
    events: stats.events,
    starts: stats.starts,
    ends: stats.ends,
    derivedStarts: stats.derivedStarts,
    derivedEnds: stats.derivedEnds,
    snapshots: stats.snapshots,
    connections: stats.connections,
    gaps: gaps.count,
    lost: gaps.lost,
    lostAtMost: gaps.lostAtMost,
    gapsUnknown: gaps.unknown,
    damaged: stats.damaged,
    protocols: named(stats.byProtocol, protocolName),
    timeSources: named(stats.byTimeSource, timeSourceName),
  };
  return printableJson(JSON.stringify(object));
}

/** A heading and lines that say what there is. Times are local. */
export function statsLines(of: StatsOf, stats: LogStats, times: TimeWriter): string[] {
  const { events, starts, ends, connections, snapshots, derivedStarts, derivedEnds, gaps, damaged } = stats;
  const lines: [term: string, text: string][] = [
    ['format', of === undefined ? '' : `${formatOf(of.header)}${of.header.squeezed ? ', squeezed' : ''}`],
    ['time', hasTimes(stats) ? `${times.text(stats.firstUs)} to ${times.text(stats.lastUs)}` : ''],
    [
      'events',
      connections > 0 && events === 0
        ? ''
        : `${events} (${counted(starts, 'start')}, ${counted(ends, 'end')})`,
    ],
    ['connections', connections > 0 ? String(connections) : ''],
    ['snapshots', snapshots > 0 ? String(snapshots) : ''],
    [
      'derived',
      derivedStarts + derivedEnds > 0
        ? `${counted(derivedStarts, 'start')} and ${counted(derivedEnds, 'end')} without an event`
        : '',
    ],
    ['lost', gaps.text() || 'nothing'],
    ['size', sizeText(stats)],
    ['protocols', listed(stats.byProtocol, protocolName)],
    ['time sources', listed(stats.byTimeSource, timeSourceName)],
    ['closed', stats.unclosed === 0 ? '' : 'no: still being written, left behind or cut off'],
    ['damage', damaged > 0 ? `${counted(damaged, 'place')}; ctrecorder test names them` : 'none'],
  ];
  const body = lines.filter(([, text]) => text !== '');
  const heading = of?.file ?? `sum of ${stats.files} files`;
  return [heading, ...body.map(([term, text]) => `  ${term.padEnd(TERM_COLUMNS)}${text}`)];
}

function formatOf({ formatMajor, formatMinor }: LogHeader): string {
  return `${formatMajor}.${formatMinor}`;
}

function hasTimes({ lastUs }: LogStats): boolean {
  return lastUs > 0;
}

function sizeText({ bytes, blocks, events, connections }: LogStats): string {
  const blockText = blocks === 0 ? '' : ` in ${counted(blocks, 'block')}`;
  const size = `${bytes} bytes${blockText}`;
  if (events > 0 && connections === 0) return `${size}, ${rounded(bytes / events)} bytes per event`;
  if (connections > 0 && events === 0) return `${size}, ${rounded(bytes / connections)} bytes per connection`;
  return size;
}

function named(counts: Float64Array, nameOf: (index: number) => string): Record<string, number> {
  const found = [...counts.entries()].filter(([, count]) => count > 0);
  return Object.fromEntries(found.map(([index, count]) => [nameOf(index), count]));
}

/** `tcp 40, udp 18` */
function listed(counts: Float64Array, nameOf: (index: number) => string): string {
  return Object.entries(named(counts, nameOf))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function timeSourceName(source: number): string {
  return timeSourceNames[source] ?? String(source);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
