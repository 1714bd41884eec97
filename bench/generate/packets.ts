/**
 * Floods of real packets through the gateway: by the tools operators use (trafgen, hping3) and by sockets. Each is bounded in
 * count and time, leaves only from the lab's client, and goes only where the lab's server is.
 *
 * The kernel keeps no count of the entries that packets made (`insert` of /proc/net/stat/nf_conntrack is ctnetlink's alone), so
 * the truth is the table itself, in which every connection stays until the flood's end.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Helper } from '../../test/lab/helper.js';
import type { Namespace } from '../../test/lab/namespace.js';
import { type Addressing, Cycles, Rows } from './addressing.js';
import { IPPROTO_TCP, IPPROTO_UDP } from './courses.js';
import { type Created, type Flood, settledCount } from './flood.js';
import { ANSWERING_NET, CLIENT_NET, type FloodGateway, PUBLIC_ADDRESS, SILENT_NET } from './flood-gateway.js';
import { emptyFlow, type Flow, formatAddress } from './flow.js';
import type { SocketRequest, SocketResult } from './socket-sender.js';

const SENDER_SECONDS_MAX = 60;
const DNS_PORT = 53;
const HTTP_PORT = 80;
/** Free on every address of the server, whose own page has port 80. */
const ACCEPTED_PORT = 8081;
/** The microseconds hping3 waits between packets; its --flood does not stop at a count. */
const HPING_INTERVAL = 'u1';
/** Names a sender's own port ranges, so that floods of one gateway never share a client. */
const ClientNet = { udp: CLIENT_NET, syn: CLIENT_NET + 0x1000, hping: CLIENT_NET + 0x2000 } as const;
const SocketNet = { udp: CLIENT_NET + 0x3000, tcp: CLIENT_NET + 0x4000 } as const;

export const packetFloods = {
  udp: (gateway, connections) =>
    new PacketFlood(gateway, {
      name: 'udp',
      summary: 'UDP datagrams by trafgen through the masquerading gateway, unanswered',
      proto: IPPROTO_UDP,
      connections,
      addressing: new Cycles(ClientNet.udp, SILENT_NET, DNS_PORT),
      send: () => trafgen(gateway, connections, ClientNet.udp, 'udp', DNS_PORT),
    }),
  syn: (gateway, connections) =>
    new PacketFlood(gateway, {
      name: 'syn',
      summary: 'TCP SYN by trafgen through the masquerading gateway, unanswered',
      proto: IPPROTO_TCP,
      connections,
      addressing: new Cycles(ClientNet.syn, SILENT_NET, HTTP_PORT),
      send: () => trafgen(gateway, connections, ClientNet.syn, 'tcp', HTTP_PORT),
    }),
  hping: (gateway, connections) => {
    const rows = new Rows(ClientNet.hping, SILENT_NET, HTTP_PORT);
    return new PacketFlood(gateway, {
      name: 'hping',
      summary: 'TCP SYN by hping3 through the masquerading gateway, unanswered',
      proto: IPPROTO_TCP,
      connections,
      addressing: rows,
      send: () => hping(gateway, connections, rows),
    });
  },
  'udp-sockets': (gateway, connections) => socketFlood(gateway, connections, 'udp', IPPROTO_UDP, SILENT_NET),
  'tcp-sockets': (gateway, connections) =>
    socketFlood(gateway, connections, 'tcp', IPPROTO_TCP, ANSWERING_NET),
} as const satisfies Record<string, (gateway: FloodGateway, connections: number) => Flood>;

export type PacketFloodName = keyof typeof packetFloods;

/** The program a packet flood needs and does not find; undefined when all is there. */
export function missingSender(name: PacketFloodName): string | undefined {
  const program = { udp: 'trafgen', syn: 'trafgen', hping: 'hping3' }[name as string];
  if (program === undefined) return undefined;
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return undefined;
  } catch {
    return program;
  }
}

interface PacketFloodSpec {
  readonly name: string;
  readonly summary: string;
  readonly proto: number;
  readonly connections: number;
  readonly addressing: Addressing;
  /** Send the first packet of every connection; answers how many the sender says it sent. */
  send(): Promise<number>;
}

class PacketFlood implements Flood {
  readonly name: string;
  readonly summary: string;
  readonly proto: number;
  readonly connections: number;
  readonly #expected = emptyFlow();

  constructor(
    readonly gateway: FloodGateway,
    readonly spec: PacketFloodSpec,
  ) {
    this.name = spec.name;
    this.summary = spec.summary;
    this.proto = spec.proto;
    this.connections = spec.connections;
  }

  get namespace(): Namespace {
    return this.gateway.namespace;
  }

  async create(): Promise<Created> {
    const startMs = performance.now();
    const sent = await this.spec.send();
    const seconds = (performance.now() - startMs) / 1000;
    return { sent, created: await settledCount(this.namespace, this.connections), seconds };
  }

  async end(): Promise<number> {
    return (await this.gateway.injector.flush()).seconds;
  }

  indexOf(flow: Flow): number {
    const index = this.spec.addressing.indexOf(flow);
    if (!(index >= 0 && index < this.connections)) return -1;
    const expected = this.#expected;
    this.spec.addressing.fill(expected, index);
    const fits =
      flow.proto === this.proto &&
      flow.origSrc === expected.origSrc &&
      flow.origSrcPort === expected.origSrcPort &&
      flow.origDst === expected.origDst &&
      flow.origDstPort === expected.origDstPort &&
      flow.replySrc === expected.origDst &&
      flow.replySrcPort === expected.origDstPort &&
      flow.replyDst === PUBLIC_ADDRESS;
    return fits ? index : -1;
  }
}

async function trafgen(
  gateway: FloodGateway,
  count: number,
  clientNet: number,
  transport: 'udp' | 'tcp',
  port: number,
): Promise<number> {
  if (count > Cycles.connectionsMax)
    throw new RangeError(`trafgen: at most ${Cycles.connectionsMax} packets`);
  const link = gateway.linkAddresses();
  const { clients, servers, ports, firstPort } = Cycles;
  const flags = transport === 'tcp' ? ', syn' : '';
  const packet = `{
  eth(da=${link.gateway}, sa=${link.client}),
  ipv4(ttl=64, sa=${formatAddress(clientNet)}, sa[3]=dinc(1, ${clients}),
    da=${formatAddress(SILENT_NET)}, da[3]=dinc(1, ${servers})),
  ${transport}(sp=dinc(${firstPort}, ${firstPort + ports - 1}), dp=${port}${flags})
}
`;
  const args = ['--dev', 'uplink', '--conf', '-', '--num', String(count), '--cpus', '1'];
  return reported(gateway.lab.client, 'trafgen', args, /(\d+) packets outgoing/, packet);
}

async function hping(gateway: FloodGateway, count: number, rows: Rows): Promise<number> {
  const rowCount = Math.ceil(count / Rows.ports);
  const sent = await Promise.all(
    Array.from({ length: rowCount }, (_, row) => {
      const rowPackets = Math.min(Rows.ports, count - row * Rows.ports);
      const args = ['-q', '-n', '-S', '-i', HPING_INTERVAL, '-c', String(rowPackets)];
      args.push('-a', formatAddress(rows.client(row)), '-s', String(Rows.firstPort));
      args.push('-p', String(rows.serverPort), formatAddress(rows.server(row)));
      return reported(gateway.lab.client, 'hping3', args, /(\d+) packets transmitted/);
    }),
  );
  return sent.reduce((sum, packets) => sum + packets, 0);
}

/** Run a sender to its end and answer the count it reports. hping3 exits with 1 when nobody answered, so that is no failure. */
async function reported(
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

function socketFlood(
  gateway: FloodGateway,
  connections: number,
  transport: 'udp' | 'tcp',
  proto: number,
  serverNet: number,
): PacketFlood {
  const rows = new Rows(SocketNet[transport], serverNet, transport === 'udp' ? DNS_PORT : ACCEPTED_PORT);
  return new PacketFlood(gateway, {
    name: `${transport}-sockets`,
    summary:
      transport === 'udp'
        ? 'UDP datagrams from sockets through the masquerading gateway, unanswered'
        : 'TCP connections of sockets through the masquerading gateway, opened and closed',
    proto,
    connections,
    addressing: rows,
    send: async () => {
      const server =
        transport === 'tcp' &&
        (await Helper.start(gateway.lab.server, '../../bench/generate/socket-server', ACCEPTED_PORT));
      const sender = await Helper.start<SocketRequest, SocketResult>(
        gateway.lab.client,
        '../../bench/generate/socket-sender',
      );
      try {
        let sent = 0;
        for (let row = 0; row * Rows.ports < connections; row++) {
          const { done, failed, firstFailure } = await sender.ask({
            transport,
            from: formatAddress(rows.client(row)),
            firstPort: Rows.firstPort,
            to: formatAddress(rows.server(row)),
            toPort: rows.serverPort,
            count: Math.min(Rows.ports, connections - row * Rows.ports),
          });
          if (failed > 0)
            throw new Error(`${transport}-sockets: ${failed} failed, the first: ${firstFailure}`);
          sent += done;
        }
        // The last answers to closed sockets are still on their way.
        await sleep(50);
        return sent;
      } finally {
        await sender.stop();
        if (server) await server.stop();
      }
    },
  });
}
