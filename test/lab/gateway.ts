/**
 * A NAT gateway with real traffic through it: three namespaces, joined by two veth pairs.
 *
 *     client 192.168.77.2, .3 ──── 192.168.77.1  gateway  198.51.100.1 ──── 198.51.100.80 server
 *            fd77::2, ::3     ──── fd77::1           2001:db8:100::1   ──── 2001:db8:100::80
 *
 * nftables masquerades what leaves (TCP and UDP get a random public port, so that the public port tells
 * nothing about the client's) and forwards the public TCP port 8080 to a page on the first client. Every
 * traffic method answers the exact connections it made; public ports come from what the server saw, not from
 * conntrack.
 */
import { type Connection, Proto, type Tuple } from './connection.js';
import { Helper } from './helper.js';
import { Injector } from './inject.js';
import { type ConntrackSysctls, Namespace } from './namespace.js';
import { type Seen, type ServiceOptions, type TrafficRequest, type TrafficResult, tagOf } from './traffic.js';

export type Family = 4 | 6;

export const addresses = {
  4: {
    clients: ['192.168.77.2', '192.168.77.3'],
    inside: '192.168.77.1',
    public: '198.51.100.1',
    server: '198.51.100.80',
    prefix: 24,
  },
  6: {
    clients: ['fd77::2', 'fd77::3'],
    inside: 'fd77::1',
    public: '2001:db8:100::1',
    server: '2001:db8:100::80',
    prefix: 64,
  },
} as const;

export const ports = { http: 80, echo: 5353, silent: 5354, forwarded: 8080, clientPage: 8000 } as const;

/**
 * Ports below are left to the system, ports above to the masquerade's range on the way out (they may overlap,
 * being others').
 */
const FIRST_PORT = 10_000;
const CONCURRENCY = 64;
/** Datagrams on their way to a port nobody reads fast: as many as surely fit into its socket buffer. */
const SILENT_CHUNK = 100;

export interface TrafficOptions {
  readonly family?: Family;
  /** 0 or 1: which of the client addresses. */
  readonly client?: 0 | 1;
}

export class Gateway {
  readonly client = new Namespace('client');
  readonly gateway = new Namespace('gateway');
  readonly server = new Namespace('server');
  readonly #firstFreePort = { inside: FIRST_PORT, outside: FIRST_PORT };
  #nextPingId = 1;
  #clientTraffic!: Helper<TrafficRequest, TrafficResult>;
  #serverTraffic!: Helper<TrafficRequest, TrafficResult>;
  #services!: Helper<'seen', Seen[]>;
  #clientPage!: Helper<'seen', Seen[]>;
  #injector: Injector | undefined;

  private constructor() {}

  /** Build the network and start its services. @throws Error where it cannot be built: see `labObstacle`. */
  static async start(sysctls: ConntrackSysctls = { acct: 1, timestamp: 1 }): Promise<Gateway> {
    const lab = new Gateway();
    try {
      lab.#build(sysctls);
      [lab.#services, lab.#clientPage, lab.#clientTraffic, lab.#serverTraffic] = await Promise.all([
        Helper.start<'seen', Seen[]>(lab.server, 'service-process', {
          addresses: [addresses[4].server, addresses[6].server],
          httpPort: ports.http,
          echoPort: ports.echo,
          silentPort: ports.silent,
        } satisfies ServiceOptions),
        Helper.start<'seen', Seen[]>(lab.client, 'service-process', {
          addresses: [addresses[4].clients[0], addresses[6].clients[0]],
          httpPort: ports.clientPage,
        } satisfies ServiceOptions),
        Helper.start<TrafficRequest, TrafficResult>(lab.client, 'client-process'),
        Helper.start<TrafficRequest, TrafficResult>(lab.server, 'client-process'),
      ]);
      return lab;
    } catch (error) {
      lab.remove();
      throw error;
    }
  }

  /** Fetch a page from the server `count` times, each over a connection of its own. */
  fetch(count: number, options: TrafficOptions = {}): Promise<Connection[]> {
    return this.#masqueraded('http', Proto.tcp, ports.http, count, options);
  }

  /** Send `count` datagrams that are answered, each from a port of its own. */
  udpAnswered(count: number, options: TrafficOptions = {}): Promise<Connection[]> {
    return this.#masqueraded('udp-answered', Proto.udp, ports.echo, count, options);
  }

  /** Send `count` datagrams that nobody answers. */
  async udpUnanswered(count: number, options: TrafficOptions = {}): Promise<Connection[]> {
    const connections: Connection[] = [];
    for (let left = count; left > 0; left -= SILENT_CHUNK) {
      const chunk = Math.min(left, SILENT_CHUNK);
      connections.push(...(await this.#masqueraded('udp-silent', Proto.udp, ports.silent, chunk, options)));
    }
    return connections;
  }

  /** Send `count` echo requests, each with an id (so: a conntrack entry) of its own. */
  ping(count: number, { family = 4, client = 0 }: TrafficOptions = {}): Connection[] {
    const { clients, server, public: publicAddress } = addresses[family];
    const [proto, request, reply] = family === 4 ? [Proto.icmp, 8, 0] : [Proto.icmpv6, 128, 129];
    const connections: Connection[] = [];
    for (let i = 0; i < count; i++) {
      const id = this.#nextPingId++;
      this.client.run('ping', ['-c1', '-W5', '-e', String(id), '-I', clients[client], server]);
      connections.push({
        proto,
        orig: { src: clients[client], sport: id, dst: server, dport: request << 8 },
        reply: { src: server, sport: id, dst: publicAddress, dport: reply << 8 },
      });
    }
    return connections;
  }

  /** Fetch the first client's page from outside, through the port forward. */
  async fetchForwarded(count: number, { family = 4 }: TrafficOptions = {}): Promise<Connection[]> {
    const { clients, server, public: publicAddress } = addresses[family];
    const firstPort = this.#takePorts('outside', count);
    await this.#perform(this.#serverTraffic, {
      kind: 'http',
      from: server,
      firstPort,
      to: publicAddress,
      toPort: ports.forwarded,
      count,
      concurrency: CONCURRENCY,
    });
    await this.#seenBy(this.#clientPage, count);
    return Array.from({ length: count }, (_, i) => ({
      proto: Proto.tcp,
      orig: { src: server, sport: firstPort + i, dst: publicAddress, dport: ports.forwarded },
      reply: { src: clients[0], sport: ports.clientPage, dst: server, dport: firstPort + i },
    }));
  }

  /** End every entry now instead of at its timeout (two minutes for a closed TCP connection). */
  async endAll(): Promise<void> {
    this.#injector ??= await Injector.start(this.gateway);
    await this.#injector.flush();
  }

  remove(): void {
    for (const namespace of [this.client, this.gateway, this.server]) namespace.remove();
  }

  async #masqueraded(
    kind: TrafficRequest['kind'],
    proto: number,
    toPort: number,
    count: number,
    { family = 4, client = 0 }: TrafficOptions,
  ): Promise<Connection[]> {
    const { clients, server, public: publicAddress } = addresses[family];
    const from = clients[client];
    const firstPort = this.#takePorts('inside', count);
    const request = { kind, from, firstPort, to: server, toPort, count, concurrency: CONCURRENCY };
    await this.#perform(this.#clientTraffic, request);
    const seen = await this.#seenBy(this.#services, count);
    return Array.from({ length: count }, (_, i) => {
      const orig: Tuple = { src: from, sport: firstPort + i, dst: server, dport: toPort };
      const witness = seen.get(tagOf(from, firstPort + i));
      if (witness?.address !== publicAddress)
        throw new Error(`lab: the server saw ${witness?.address ?? 'nobody'} instead of ${publicAddress}`);
      return {
        proto,
        orig,
        reply: { src: server, sport: toPort, dst: publicAddress, dport: witness.port },
      };
    });
  }

  async #perform(helper: Helper<TrafficRequest, TrafficResult>, request: TrafficRequest): Promise<void> {
    const { failed, firstFailure } = await helper.ask(request);
    if (failed > 0)
      throw new Error(`lab: ${failed} of ${request.count} ${request.kind} requests failed: ${firstFailure}`);
  }

  /**
   * What the service saw, once it has seen `count` requests; an unanswered datagram may still be on its way.
   */
  async #seenBy(service: Helper<'seen', Seen[]>, count: number): Promise<Map<string, Seen>> {
    const seen = new Map<string, Seen>();
    const deadlineMs = Date.now() + 10_000;
    for (;;) {
      for (const one of await service.ask('seen')) seen.set(one.tag, one);
      if (seen.size >= count) return seen;
      if (Date.now() > deadlineMs) throw new Error(`lab: ${seen.size} of ${count} requests arrived`);
    }
  }

  /** Ports are never used twice in a lab, so every connection's original tuple is unique. */
  #takePorts(side: 'inside' | 'outside', count: number): number {
    const first = this.#firstFreePort[side];
    this.#firstFreePort[side] += count;
    if (this.#firstFreePort[side] > 65_536)
      throw new RangeError('lab: out of source ports; start another gateway');
    return first;
  }

  #build(sysctls: ConntrackSysctls): void {
    const { client, gateway, server } = this;
    // Duplicate address detection would hold back every IPv6 address for a second.
    for (const namespace of [client, gateway, server])
      namespace.sysctl('net.ipv6.conf.default.accept_dad', 0);
    gateway.sysctl('net.ipv4.ip_forward', 1);
    gateway.sysctl('net.ipv6.conf.all.forwarding', 1);
    gateway.conntrackSysctls(sysctls);
    // A public port may come again after endAll: the server must not still hold it in TIME_WAIT.
    server.sysctl('net.ipv4.tcp_max_tw_buckets', 0);
    gateway.ip(`link add inside type veth peer name uplink netns ${client.name}`);
    gateway.ip(`link add outside type veth peer name uplink netns ${server.name}`);
    for (const family of [4, 6] as const) {
      const { clients, inside, public: publicAddress, server: serverAddress, prefix } = addresses[family];
      for (const address of clients) client.ip(`addr add ${address}/${prefix} dev uplink`);
      gateway.ip(`addr add ${inside}/${prefix} dev inside`);
      gateway.ip(`addr add ${publicAddress}/${prefix} dev outside`);
      server.ip(`addr add ${serverAddress}/${prefix} dev uplink`);
    }
    for (const [namespace, link] of [
      [client, 'uplink'],
      [server, 'uplink'],
      [gateway, 'inside'],
      [gateway, 'outside'],
    ] as const) {
      namespace.ip(`link set ${link} up`);
    }
    for (const family of [4, 6] as const) {
      client.ip(`-${family} route add default via ${addresses[family].inside}`);
    }
    // A new link takes up to a second before it carries IPv6. Without rules nothing is tracked, so these
    // leave no entries.
    client.run('ping', ['-c1', '-w10', addresses[6].inside]);
    gateway.run('ping', ['-c1', '-w10', addresses[6].server]);
    gateway.run('nft', ['-f', '-'], ruleset);
  }
}

function natTable(family: Family): string {
  const { clients, public: publicAddress } = addresses[family];
  const [table, target] =
    family === 4
      ? ['ip', `${clients[0]}:${ports.clientPage}`]
      : ['ip6', `[${clients[0]}]:${ports.clientPage}`];
  return `table ${table} nat {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ${table} daddr ${publicAddress} tcp dport ${ports.forwarded} dnat to ${target}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "outside" meta l4proto { tcp, udp } masquerade to :20000-59999 fully-random
    oifname "outside" masquerade
  }
}
`;
}

/** The gateway's rules, as `nft -f` takes them. */
export const ruleset = natTable(4) + natTable(6);
