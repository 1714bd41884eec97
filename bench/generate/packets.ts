/**
 * Floods of real packets through the gateway, each by a sender of senders.ts.
 *
 * The kernel keeps no count of the entries that packets made (`insert` of /proc/net/stat/nf_conntrack is
 * ctnetlink's alone), so the truth is the table itself, in which every connection stays until the flood's
 * end.
 */
import { execFileSync } from 'node:child_process';
import type { Namespace } from '../../test/lab/namespace.js';
import { type Addressing, Cycles, Rows } from './addressing.js';
import { IPPROTO_TCP, IPPROTO_UDP } from './courses.js';
import { type Created, type Flood, settledCount } from './flood.js';
import { ANSWERING_NET, CLIENT_NET, type FloodGateway, PUBLIC_ADDRESS, SILENT_NET } from './flood-gateway.js';
import { emptyFlow, type Flow } from './flow.js';
import { PAGE_PORT, sendByHping, sendBySockets, sendByTrafgen } from './senders.js';

const DNS_PORT = 53;
const HTTP_PORT = 80;

interface Kind<A extends Addressing> {
  readonly summary: string;
  readonly proto: number;
  /** Every kind has clients of its own, so that floods of one gateway have no connection in common. */
  readonly addressing: A;
  /** Program that must be installed. */
  readonly program?: string;
  /** Send the first packet of every connection; answers how many the sender says it sent. */
  send(gateway: FloodGateway, connections: number, addressing: A): Promise<number>;
}

const through = 'through the masquerading gateway';
const kinds = {
  udp: byTrafgen('udp', 'UDP datagrams', IPPROTO_UDP, new Cycles(CLIENT_NET, SILENT_NET, DNS_PORT)),
  syn: byTrafgen('syn', 'TCP SYN', IPPROTO_TCP, new Cycles(CLIENT_NET + 0x1000, SILENT_NET, HTTP_PORT)),
  hping: kind({
    summary: `TCP SYN by hping3 ${through}, unanswered`,
    proto: IPPROTO_TCP,
    addressing: new Rows(CLIENT_NET + 0x2000, SILENT_NET, HTTP_PORT),
    program: 'hping3',
    send: sendByHping,
  }),
  'udp-sockets': kind({
    summary: `UDP datagrams of sockets ${through}, unanswered`,
    proto: IPPROTO_UDP,
    addressing: new Rows(CLIENT_NET + 0x3000, SILENT_NET, DNS_PORT),
    send: (gateway, connections, rows) => sendBySockets(gateway, connections, rows, 'udp-silent'),
  }),
  'tcp-sockets': kind({
    summary: `pages fetched ${through}, a TCP connection each`,
    proto: IPPROTO_TCP,
    addressing: new Rows(CLIENT_NET + 0x4000, ANSWERING_NET, PAGE_PORT),
    send: (gateway, connections, rows) => sendBySockets(gateway, connections, rows, 'http'),
  }),
};

function byTrafgen(packet: 'udp' | 'syn', what: string, proto: number, addressing: Cycles) {
  return kind({
    summary: `${what} by trafgen ${through}, unanswered`,
    proto,
    addressing,
    program: 'trafgen',
    send: (gateway, connections, cycles) => sendByTrafgen(gateway, connections, cycles, packet),
  });
}

export type PacketFloodName = keyof typeof kinds;

export const packetFloodNames = Object.keys(kinds) as PacketFloodName[];

/** The program that a flood needs and does not find; undefined when all is there. */
export function missingSender(name: PacketFloodName): string | undefined {
  const { program } = kinds[name];
  if (program === undefined) return undefined;
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return undefined;
  } catch {
    return program;
  }
}

export class PacketFlood implements Flood {
  readonly turns = 1;
  readonly #expected = emptyFlow();

  constructor(
    readonly gateway: FloodGateway,
    readonly name: PacketFloodName,
    readonly connections: number,
  ) {}

  get summary(): string {
    return kinds[this.name].summary;
  }

  get proto(): number {
    return kinds[this.name].proto;
  }

  get namespace(): Namespace {
    return this.gateway.namespace;
  }

  async create(): Promise<Created> {
    const startMs = performance.now();
    const sent = await kinds[this.name].send(this.gateway, this.connections);
    const seconds = (performance.now() - startMs) / 1000;
    return { sent, created: await settledCount(this.namespace, this.connections), seconds };
  }

  async end(): Promise<number> {
    return (await this.gateway.injector.flush()).seconds;
  }

  indexOf(flow: Flow): number {
    const { addressing } = kinds[this.name];
    const index = addressing.indexOf(flow);
    if (!(index >= 0 && index < this.connections)) return -1;
    const expected = this.#expected;
    addressing.fill(expected, index);
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

/** The kind with its addressing filled in. */
function kind<A extends Addressing>({ send, ...rest }: Kind<A>) {
  return {
    program: undefined,
    ...rest,
    send: (gateway: FloodGateway, connections: number) => send(gateway, connections, rest.addressing),
  };
}
