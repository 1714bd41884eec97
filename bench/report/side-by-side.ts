/** The side-by-side's results as tables, JSON and charts. */
import type { KillResult } from '../measure/kill.js';
import type { TrialResult } from '../measure/trial.js';
import type { KnownLoss } from '../programs/program.js';
import { barChart, lineChart } from './chart.js';
import { type Machine, machineLine } from './machine.js';
import type { ResultFolder } from './results.js';
import { type Cell, formatTable, percent } from './table.js';

export interface SideBySide {
  readonly machine: Machine;
  readonly bufferKiB: number;
  readonly rounds: number;
  readonly programs: readonly {
    readonly name: string;
    readonly version?: string;
    /** Why it took no part. */
    readonly obstacle?: string;
  }[];
  readonly floods: {
    readonly name: string;
    readonly summary?: string;
    readonly connections?: number;
    readonly turns?: number;
    readonly obstacle?: string;
  }[];
  readonly trials: TrialResult[];
  /** Beginnings only, at given rates. */
  readonly rates: TrialResult[];
  readonly kills: KillResult[];
}

/** A program's rounds on one flood. */
export interface Summary {
  readonly program: string;
  readonly rounds: number;
  /** Of the round with the median loss. */
  readonly sent: number;
  readonly recorded: number;
  readonly lost: number;
  readonly worstLost: number;
  readonly known: KnownLoss;
  /** Medians, per event that was recorded (the floor: received). */
  readonly userNsPerEvent: number;
  readonly systemNsPerEvent: number;
  readonly bytesPerEvent: number;
  readonly startCpuMs: number;
  readonly peakRssMiB: number;
}

/** Undefined when no round has numbers. */
export function summarise(trials: readonly TrialResult[]): Summary | undefined {
  const rounds = trials.filter(({ sent }) => sent > 0).sort((a, b) => a.lost - b.lost);
  if (rounds.length === 0) return undefined;
  const middle = rounds[Math.floor((rounds.length - 1) / 2)];
  const perEvent = (part: (trial: TrialResult) => number) =>
    median(rounds.map((round) => part(round) / round.recorded));
  return {
    program: middle.program,
    rounds: rounds.length,
    sent: middle.sent,
    recorded: middle.recorded,
    lost: middle.lost,
    worstLost: rounds[rounds.length - 1].lost,
    known: middle.known,
    userNsPerEvent: Math.round(perEvent(({ cpuUserMs }) => cpuUserMs * 1e6)),
    systemNsPerEvent: Math.round(perEvent(({ cpuSystemMs }) => cpuSystemMs * 1e6)),
    bytesPerEvent: Math.round(perEvent(({ bytesOnDisk }) => bytesOnDisk) * 100) / 100,
    startCpuMs: median(rounds.map(({ startCpuMs }) => startCpuMs)),
    peakRssMiB: median(rounds.map(({ peakRssMiB }) => peakRssMiB)),
  };
}

/** Write JSON and charts; answers the tables for the terminal. */
export function reportSideBySide(result: SideBySide, results: ResultFolder): string {
  const files = [results.writeJson('side-by-side.json', result)];
  const parts = [
    machineLine(result.machine),
    'CPU (of the whole process, its start included) and bytes are per event recorded; the floor: received.\n',
    formatTable(
      ['program', 'version'],
      result.programs.map(({ name, version, obstacle }) => [name, version ?? obstacle ?? '']),
    ),
  ];
  for (const flood of result.floods) {
    if (flood.obstacle !== undefined) {
      parts.push(`${flood.name}: left out: ${flood.obstacle}\n`);
      continue;
    }
    parts.push(floodTitle(result, flood), floodTable(result, flood.name));
  }
  if (result.rates.length > 0) {
    parts.push(
      `Events lost at a rate (connections begun in a second), socket buffer ${result.bufferKiB} KiB:`,
    );
    parts.push(rateTable(result.rates));
    files.push(results.writeSvg('loss-against-rate.svg', lossChart(result)));
  }
  if (result.kills.length > 0) {
    parts.push('kill -9 under load: of what had begun a second before, readable afterwards:');
    parts.push(killTable(result.kills));
  }
  if (result.trials.length > 0) files.push(results.writeSvg('cpu-per-event.svg', cpuChart(result)));
  parts.push(`Written: ${files.join(', ')}`);
  return parts.join('\n');
}

function floodTitle(
  { rounds, bufferKiB }: SideBySide,
  { name, summary, connections, turns = 1 }: SideBySide['floods'][number],
): string {
  return `Flood "${name}": ${connections} connections, ${summary}${turns > 1 ? `, ${turns} times` : ''}; median of ${rounds} rounds; socket buffer ${bufferKiB} KiB`;
}

function floodTable({ programs, trials }: SideBySide, flood: string): string {
  const rows = programs.flatMap(({ name, obstacle }): Cell[][] => {
    const absent = (why: string): Cell[][] => [[name, '-', '-', '-', '', '-', why]];
    if (obstacle !== undefined) return absent(obstacle.split(' (')[0]);
    const own = trials.filter((trial) => trial.flood === flood && trial.program === name);
    const summary = summarise(own);
    if (summary === undefined) return own.length === 0 ? [] : absent(own[0].failure ?? 'no numbers');
    const { sent, recorded, lost, worstLost, known } = summary;
    const losses = [sent, recorded, lost, percent(lost, sent), worstLost, knownText(known)];
    const { userNsPerEvent, systemNsPerEvent, startCpuMs, peakRssMiB, bytesPerEvent } = summary;
    const costs = [userNsPerEvent, systemNsPerEvent, startCpuMs, peakRssMiB];
    return [[name, ...losses, ...costs, bytesPerEvent === 0 ? '-' : bytesPerEvent]];
  });
  const losses = ['sent', 'recorded', 'lost', '', 'worst', 'it knew of'];
  const costs = ['user ns/ev', 'system ns/ev', 'start ms', 'peak MiB', 'bytes/ev'];
  return formatTable(['program', ...losses, ...costs], rows);
}

function rateTable(trials: readonly TrialResult[]): string {
  const rates = [...new Set(trials.map(({ ratePerSecond }) => ratePerSecond))];
  const programs = [...new Set(trials.map(({ program }) => program))];
  const rows = programs.map((program) => [
    program,
    ...rates.map((rate) => {
      const one = trials.find((trial) => trial.program === program && trial.ratePerSecond === rate)!;
      return one.failure ?? percent(one.lost, one.sent);
    }),
  ]);
  return formatTable(
    ['program', ...rates.map((rate) => (rate === undefined ? 'unthrottled' : `${rate}/s`))],
    rows,
  );
}

function killTable(kills: readonly KillResult[]): string {
  const rows = kills.map(({ program, begun, readable, dropped, failure }): Cell[] =>
    failure === undefined
      ? [program, begun, readable, percent(readable, begun), dropped]
      : [program, '-', '-', failure],
  );
  return formatTable(['program', 'begun', 'readable', '', 'dropped before'], rows);
}

/** Share lost against the rate that was really reached. */
function lossChart({ rates, bufferKiB }: SideBySide): string {
  const programs = [...new Set(rates.map(({ program }) => program))];
  return lineChart({
    title: 'Events lost against rate',
    subtitle: `connections begun through ctnetlink, socket buffer ${bufferKiB} KiB; the last point is unthrottled`,
    xLabel: 'events a second',
    yLabel: 'lost, %',
    xScale: 'log',
    series: programs.map((name) => ({
      name,
      points: rates
        .filter(({ program, sent }) => program === name && sent > 0)
        .map(({ createdPerSecond, lost, sent }) => [createdPerSecond, (100 * lost) / sent] as const),
    })),
  });
}

function cpuChart({ trials, floods, rounds, programs }: SideBySide): string {
  const flood = floods.find(({ name }) => trials.some((trial) => trial.flood === name))!;
  const summaries = programs.flatMap(({ name }) => {
    const own = trials.filter((trial) => trial.program === name && trial.flood === flood.name);
    return summarise(own) ?? [];
  });
  return barChart({
    title: 'CPU per recorded event',
    subtitle: `${flood.connections} connections, ${flood.summary}; median of ${rounds} rounds`,
    yLabel: 'nanoseconds per event',
    bars: summaries.map(({ program }) => program),
    stack: [
      { name: 'user', values: summaries.map(({ userNsPerEvent }) => userNsPerEvent) },
      { name: 'system', values: summaries.map(({ systemNsPerEvent }) => systemNsPerEvent) },
    ],
  });
}

function knownText({ events, note }: KnownLoss): Cell {
  return events ?? note ?? 'nothing';
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
