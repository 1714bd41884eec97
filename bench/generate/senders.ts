/**
 * Who sends the packets: tools that operators use, and sockets. Each sender is bounded in count and time,
 * runs in the lab's client, and reaches nothing but the lab's server. All answer how many connections they
 * say they sent.
 */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Helper } from '../../test/lab/helper.js';
import type { Namespace } from '../../test/lab/namespace.js';
import type { ServiceOptions, TrafficRequest, TrafficResult } from '../../test/lab/traffic.js';
import { Cycles, Rows } from './addressing.js';
import type { FloodGateway } from './flood-gateway.js';
import { formatAddress } from './flow.js';

/**
 * Where a page is to be had, on every address that answers; the lab's own page has port 80 of one of them.
 */
export const PAGE_PORT = 8081;

const SENDER_SECONDS_MAX = 60;
const SOCKETS_AT_ONCE = 64;

/** Raw frames, about 150,000 a second here. */
export async function sendByTrafgen(
  gateway: FloodGateway,
  count: number,
  cycles: Cycles,
  what: 'udp' | 'syn',
): Promise<number> {
  if (count > Cycles.connectionsMax)
    throw new RangeError(`trafgen: at most ${Cycles.connectionsMax} different packets`);
  const link = gateway.linkAddresses();
  const ports = `sp=dinc(${Cycles.firstPort}, ${Cycles.firstPort + Cycles.ports - 1}), dp=${cycles.serverPort}`;
  const packet = `{
  eth(da=${link.gateway}, sa=${link.client}),
  ipv4(ttl=64, sa=${formatAddress(cycles.clientNet)}, sa[3]=dinc(1, ${Cycles.clients}),
    da=${formatAddress(cycles.serverNet)}, da[3]=dinc(1, ${Cycles.servers})),
  ${what === 'udp' ? `udp(${ports})` : `tcp(${ports}, syn)`}
}
`;
  const args = ['--dev', 'uplink', '--conf', '-', '--num', String(count), '--cpus', '1'];
  return reportedCount(gateway.lab.client, 'trafgen', args, /(\d+) packets outgoing/, packet);
}

/**
 * Rows side by side, a process each: one sends about 12,000 a second here, and its --flood knows no count.
 */
export async function sendByHping(gateway: FloodGateway, count: number, rows: Rows): Promise<number> {
  const sent = await Promise.all(
    rowCounts(count).map((rowCount, row) => {
      const pace = ['-q', '-n', '-i', 'u1', '-c', String(rowCount)];
      const from = ['-a', formatAddress(rows.client(row)), '-s', String(Rows.firstPort)];
      const to = ['-S', '-p', String(rows.serverPort), formatAddress(rows.server(row))];
      const args = [...pace, ...from, ...to];
      return reportedCount(gateway.lab.client, 'hping3', args, /(\d+) packets transmitted/);
    }),
  );
  return sent.reduce((sum, packets) => sum + packets, 0);
}

/** Row after row, by the lab's own client, a socket for each connection. */
export async function sendBySockets(
  gateway: FloodGateway,
  count: number,
  rows: Rows,
  kind: 'udp-silent' | 'http',
): Promise<number> {
  const { client, server } = gateway.lab;
  const pages: ServiceOptions = { addresses: ['0.0.0.0'], httpPort: PAGE_PORT };
  const service = kind === 'http' && (await Helper.start(server, 'service-process', pages));
  const traffic = await Helper.start<TrafficRequest, TrafficResult>(client, 'client-process');
  try {
    for (const [row, rowCount] of rowCounts(count).entries()) {
      const { failed, firstFailure } = await traffic.ask({
        kind,
        from: formatAddress(rows.client(row)),
        firstPort: Rows.firstPort,
        to: formatAddress(rows.server(row)),
        toPort: rows.serverPort,
        count: rowCount,
        concurrency: SOCKETS_AT_ONCE,
      });
      if (failed > 0) throw new Error(`sockets: ${failed} failed, the first: ${firstFailure}`);
    }
    return count;
  } finally {
    await traffic.stop();
    if (service) await service.stop();
  }
}

/** Connections of each row; only the last is not full. */
function rowCounts(count: number): number[] {
  const rows = Math.ceil(count / Rows.ports);
  return Array.from({ length: rows }, (_, row) => Math.min(Rows.ports, count - row * Rows.ports));
}

/**
 * Run a sender to its end and answer the count it reports. Its exit code is no help: hping3's is 1 when
 * nobody answered.
 */
async function reportedCount(
  namespace: Namespace,
  program: string,
  args: readonly string[],
  pattern: RegExp,
  input = '',
): Promise<number> {
  const child = namespace.spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr] as Readable[])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  child.stdin!.on('error', () => {}); // it ended without reading: its output says why
  child.stdin!.end(input);
  const timer = setTimeout(() => child.kill('SIGKILL'), SENDER_SECONDS_MAX * 1000);
  await once(child, 'close');
  clearTimeout(timer);
  const count = pattern.exec(output)?.[1];
  if (count === undefined) throw new Error(`${program} sent nothing: ${output.trim().split('\n').at(-1)}`);
  return Number(count);
}
