/**
 * `make bench`: this recorder and the others, one after another on the same floods in the same run, in rounds
 * that alternate, so that what the machine does besides hits them all. Prints tables; writes
 * bench/results/[local-]side-by-side.json and charts.
 *
 * What counts is what a program's own files hold afterwards, compared with the list of what was sent.
 */
import { parseArgs } from 'node:util';
import { MAX_FLOOD_INDEX } from '../test/lab/flood.js';
import { makeFolder } from '../test/lab/folder.js';
import { raiseConntrackLimits } from '../test/lab/limits.js';
import type { Flood } from './generate/flood.js';
import { FloodGateway } from './generate/flood-gateway.js';
import { InjectedFlood } from './generate/injected.js';
import { missingSender, PacketFlood, type PacketFloodName, packetFloodNames } from './generate/packets.js';
import { type KillResult, killTrial } from './measure/kill.js';
import { type TrialResult, trial } from './measure/trial.js';
import { ConntrackTool } from './programs/conntrack.js';
import { Ancestor, Ctrecorder } from './programs/ctrecorder.js';
import { Floor } from './programs/floor.js';
import { Natlog } from './programs/natlog.js';
import type { Program } from './programs/program.js';
import { Ulogd } from './programs/ulogd.js';
import { describeMachine } from './report/machine.js';
import { ResultFolder } from './report/results.js';
import { reportSideBySide, type SideBySide } from './report/side-by-side.js';
import { countOption, listOption, needLab } from './run.js';

const USAGE = `usage: side-by-side.js [options]
  --connections N   of the ctnetlink flood (500000)
  --packets N       connections of a packet flood (200000; sockets and hping3 20000)
  --rounds N        (3)
  --buffer KIB      socket buffer of every program (8192)
  --floods LIST     inject, inject-long, ${packetFloodNames.join(', ')} (inject,inject-long,udp)
  --programs LIST   parts of their names (all)
  --rates LIST      connections a second for loss against rate, "none" (5000,20000,50000,100000)
  --no-kill         leave out the kill -9 trials
  --keep            write results without the prefix local-, to be committed
The ancestor takes part when ANCESTOR names its program.`;
const SLOW_FLOODS: readonly string[] = ['hping', 'udp-sockets', 'tcp-sockets'];
const SLOW_PACKETS_MAX = 20_000;
const LONG_TURNS = 6;
const RATE_SECONDS = 2;
const KILL_RATE = 20_000;
const KILL_LOAD_SECONDS = 1.5;
/** Loads that fast senders reach anyway are not a rate. */
const UNTHROTTLED_STARTS = 200_000;

const { values: flags } = parseArgs({
  options: {
    connections: { type: 'string', default: '500000' },
    packets: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    buffer: { type: 'string', default: '8192' },
    floods: { type: 'string', default: 'inject,inject-long,udp' },
    programs: { type: 'string', default: '' },
    rates: { type: 'string', default: '5000,20000,50000,100000' },
    'no-kill': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (flags.help) {
  console.log(USAGE);
  process.exit();
}
const connections = countOption('connections', flags.connections, MAX_FLOOD_INDEX);
const packets = countOption('packets', flags.packets);
const rounds = countOption('rounds', flags.rounds, 100);
const bufferKiB = countOption('buffer', flags.buffer, 2 ** 20);
const floodNames = listOption(flags.floods);
const unknown = floodNames.find((name) => !['inject', 'inject-long', ...packetFloodNames].includes(name));
if (unknown !== undefined) {
  console.error(`--floods ${unknown}: there is no such flood\n${USAGE}`);
  process.exit(2);
}
const rates = flags.rates === 'none' ? [] : listOption(flags.rates).map((rate) => countOption('rates', rate));

needLab('bench');
const folder = makeFolder('bench');
/** The others of ulogd2's outputs are for the table of the first flood only: they receive as LOGEMU does. */
const moreOutputs = ['GPRINT', 'JSON', 'XML'].map((output) => new Ulogd(output as 'GPRINT'));
const everyProgram: readonly Program[] = [
  new Ctrecorder(),
  new Floor(folder),
  new Ancestor(process.env.ANCESTOR),
  new Ulogd('LOGEMU'),
  ...moreOutputs,
  new ConntrackTool(),
  new Natlog(),
];
const wanted = listOption(flags.programs);
const chosen = everyProgram.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
const able = chosen.filter((program) => program.obstacle() === undefined);
const mainPrograms = able.filter((program) => !(moreOutputs as readonly Program[]).includes(program));
/** The others lose nine of ten events of a short flood. */
const longPrograms = mainPrograms.filter(
  (program) => !(program instanceof ConntrackTool || program instanceof Natlog),
);

raiseConntrackLimits(Math.max(connections, packets, UNTHROTTLED_STARTS, ...rates.map(startsAt)) + 20_000);
const gateway = await FloodGateway.start();
const result: SideBySide = {
  machine: describeMachine(),
  bufferKiB,
  rounds,
  programs: chosen.map((program) => {
    const obstacle = program.obstacle();
    return obstacle === undefined
      ? { name: program.name, version: program.version() }
      : { name: program.name, obstacle };
  }),
  floods: [],
  trials: [],
  rates: [],
  kills: [],
};

for (const name of floodNames) await compare(name);
for (const rate of rates) await compareAtRate(rate);
if (rates.length > 0) await compareAtRate(undefined);
if (!flags['no-kill']) await compareKills();
gateway.remove();

const results = new ResultFolder(flags.keep);
console.log(reportSideBySide(result, results));
process.exit();

/** All programs on one flood, in rounds; each round begins with another program. */
async function compare(name: string): Promise<void> {
  const flood = floodOf(name);
  if (typeof flood === 'string') {
    result.floods.push({ name, obstacle: flood });
    return;
  }
  const { summary, connections, turns } = flood;
  result.floods.push({ name, summary, connections, turns });
  const programs = result.floods.length === 1 ? able : turns > 1 ? longPrograms : mainPrograms;
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < programs.length; i++) {
      const program = programs[(i + round) % programs.length];
      const one = await trial(program, flood, { folder, bufferKiB });
      say(`${name}, round ${round + 1} of ${rounds}`, one);
      result.trials.push(one);
    }
}

/** Beginnings only, at a rate or as fast as it goes, one round. */
async function compareAtRate(ratePerSecond: number | undefined): Promise<void> {
  const count = ratePerSecond === undefined ? UNTHROTTLED_STARTS : startsAt(ratePerSecond);
  const flood = new InjectedFlood(gateway.namespace, gateway.injector, count);
  for (const program of mainPrograms) {
    const rate = ratePerSecond === undefined ? {} : { ratePerSecond };
    const one = await trial(program, flood, { folder, bufferKiB, startsOnly: true, ...rate });
    say(`${ratePerSecond ?? 'unthrottled'} a second`, one);
    result.rates.push(one);
  }
}

async function compareKills(): Promise<void> {
  const count = KILL_RATE * (KILL_LOAD_SECONDS + 2);
  const flood = new InjectedFlood(gateway.namespace, gateway.injector, count);
  for (const program of mainPrograms) {
    const options = { folder, bufferKiB, ratePerSecond: KILL_RATE, loadSeconds: KILL_LOAD_SECONDS };
    const one: KillResult = await killTrial(program, flood, options);
    console.error(`kill -9: ${one.program}: ${one.failure ?? `${one.readable} of ${one.begun}`}`);
    result.kills.push(one);
  }
}

/** The flood, or why it cannot be made. */
function floodOf(name: string): Flood | string {
  if (name === 'inject') return new InjectedFlood(gateway.namespace, gateway.injector, connections);
  if (name === 'inject-long')
    return new InjectedFlood(gateway.namespace, gateway.injector, connections, LONG_TURNS);
  const packetFlood = name as PacketFloodName;
  const missing = missingSender(packetFlood);
  if (missing !== undefined) return `${missing} is missing (make debs)`;
  const count = SLOW_FLOODS.includes(name) ? Math.min(packets, SLOW_PACKETS_MAX) : packets;
  return new PacketFlood(gateway, packetFlood, count);
}

function startsAt(ratePerSecond: number): number {
  return ratePerSecond * RATE_SECONDS;
}

function say(what: string, { program, failure, sent, lost }: TrialResult): void {
  console.error(`${what}: ${program}: ${failure ?? `${lost} of ${sent} lost`}`);
}
