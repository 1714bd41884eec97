/**
 * `make bench-generators`: every flood generator alone, nobody recording: how fast it is, and whether the
 * kernel made an entry of each connection it says it sent.
 *
 * `node dist/bench/generators.js [--connections 300000] [--packets 200000] [--slow-packets 20000]`
 */
import { parseArgs } from 'node:util';
import { type FloodPlan, MAX_FLOOD_INDEX } from '../test/lab/flood.js';
import { raiseConntrackLimits } from '../test/lab/limits.js';
import { FloodGateway } from './generate/flood-gateway.js';
import { missingSender, PacketFlood, packetFloodNames } from './generate/packets.js';
import { describeMachine, machineLine } from './report/machine.js';
import { type Cell, formatTable } from './report/table.js';
import { countOption, needLab } from './run.js';

const { values: flags } = parseArgs({
  options: {
    connections: { type: 'string', default: '300000' },
    packets: { type: 'string', default: '200000' },
    'slow-packets': { type: 'string', default: '20000' },
  },
});
const connections = countOption('connections', flags.connections, MAX_FLOOD_INDEX);
const packets = countOption('packets', flags.packets);
const slowPackets = countOption('slow-packets', flags['slow-packets']);

needLab('bench-generators');
raiseConntrackLimits(Math.max(connections, packets, slowPackets) + 20_000);
const gateway = await FloodGateway.start();
const rows: Cell[][] = [];

const plans: Record<string, FloodPlan & { rate?: number }> = {
  'ctnetlink, TCP': { count: connections },
  'ctnetlink, UDP': { count: connections, proto: 17 },
  'ctnetlink, IPv6': { count: connections, family: 6 },
  'ctnetlink, zone 7': { count: connections, zone: 7 },
  'ctnetlink, 20,000 a second': { count: 40_000, rate: 20_000 },
};
for (const [name, { rate, ...plan }] of Object.entries(plans)) {
  const { seconds } = await gateway.injector.create(plan, rate);
  const created = gateway.namespace.conntrackCount();
  const ended = await gateway.injector.flush();
  rows.push([name, plan.count, created, perSecond(created, seconds), perSecond(created, ended.seconds)]);
}

for (const name of packetFloodNames) {
  const missing = missingSender(name);
  if (missing !== undefined) {
    rows.push([name, `left out: ${missing} is missing (make debs)`]);
    continue;
  }
  const flood = new PacketFlood(gateway, name, name === 'udp' || name === 'syn' ? packets : slowPackets);
  const { sent, created, seconds } = await flood.create();
  const endedSeconds = await flood.end();
  rows.push([name, sent, created, perSecond(created, seconds), perSecond(created, endedSeconds)]);
}

gateway.remove();
console.log(machineLine(describeMachine()));
console.log(formatTable(['generator', 'sent', 'in the table', 'created/s', 'ended/s'], rows));
process.exit();

function perSecond(count: number, seconds: number): number {
  return Math.round(count / seconds);
}
