/** Who talks to whom: the clients behind the gateway, and the servers outside. */
import { type Random, Zipf } from './random.js';

const CLIENTS = 4000;
const CLIENT_SUBNETS = 64;
const SERVERS = 40_000;
/** Servers stand in /24 prefixes, the popular ones in few of them, as with content networks. */
const SERVER_PREFIXES = 1500;
const NAT_ADDRESSES = 8;
const CLIENT_EXPONENT = 0.9;
const SERVER_EXPONENT = 1;

/** 8.8.8.8, 1.1.1.1, 8.8.4.4, 9.9.9.9 */
const RESOLVERS = [0x08080808, 0x01010101, 0x08080404, 0x09090909];
/** Share of clients whose ephemeral ports count up, as Windows does; the others draw them, as Linux does. */
const WINDOWS_SHARE = 0.4;
const WINDOWS_PORTS = { first: 49152, count: 16384 };
const LINUX_PORTS = { first: 32768, count: 28232 };

/** Main port of a server: share of servers that have it. The rest is spread over 1024 to 65535. */
const SERVER_PORTS: readonly (readonly [port: number, share: number])[] = [
  [443, 0.75],
  [80, 0.1],
  [123, 0.05],
  [5228, 0.03],
  [993, 0.02],
];

export class Population {
  /** IPv4 addresses as u32, most significant byte first. */
  readonly clients: Uint32Array;
  readonly servers: Uint32Array;
  readonly serverPorts: Uint16Array;
  readonly natAddresses: Uint32Array;
  readonly #clientZipf: Zipf;
  readonly #serverZipf: Zipf;
  /** Next port of a client that counts up; 0 for one that draws. */
  readonly #nextPort: Uint32Array;

  constructor(readonly random: Random) {
    const subnets = Array.from({ length: CLIENT_SUBNETS }, (_, i) => 0x0a000000 + i * 256);
    this.clients = distinct(CLIENTS, () => subnets[random.below(CLIENT_SUBNETS)] + 1 + random.below(254));
    const prefixes = distinct(SERVER_PREFIXES, () => publicPrefix(random));
    this.servers = distinct(SERVERS, () => {
      const popular = Math.floor(random.unit() * random.unit() * SERVER_PREFIXES);
      return prefixes[popular] + random.below(256);
    });
    this.serverPorts = Uint16Array.from(this.servers, () => serverPort(random));
    // 203.0.113.0/24 is for documentation (RFC 5737).
    this.natAddresses = Uint32Array.from({ length: NAT_ADDRESSES }, (_, i) => 0xcb007101 + i);
    this.#nextPort = Uint32Array.from(this.clients, () =>
      random.unit() < WINDOWS_SHARE ? WINDOWS_PORTS.first + random.below(WINDOWS_PORTS.count) : 0,
    );
    this.#clientZipf = new Zipf(random, CLIENTS, CLIENT_EXPONENT);
    this.#serverZipf = new Zipf(random, SERVERS, SERVER_EXPONENT);
  }

  /** Index into `clients`. */
  drawClient(): number {
    return this.#clientZipf.draw();
  }

  /** Index into `servers` and `serverPorts`. */
  drawServer(): number {
    return this.#serverZipf.draw();
  }

  drawResolver(): number {
    return RESOLVERS[Math.floor(this.random.unit() * this.random.unit() * RESOLVERS.length)];
  }

  drawSourcePort(client: number): number {
    const next = this.#nextPort[client];
    if (next === 0) return LINUX_PORTS.first + this.random.below(LINUX_PORTS.count);
    this.#nextPort[client] = next === 65535 ? WINDOWS_PORTS.first : next + 1;
    return next;
  }

  /** A client keeps its public address, as with NF_NAT_RANGE_PERSISTENT. */
  natAddressOf(client: number): number {
    return this.natAddresses[client % NAT_ADDRESSES];
  }
}

function distinct(count: number, draw: () => number): Uint32Array {
  const values = new Set<number>();
  while (values.size < count) values.add(draw());
  return Uint32Array.from(values);
}

/** A /24 that is neither private, loopback, link-local, shared, multicast, nor for documentation. */
function publicPrefix(random: Random): number {
  for (;;) {
    const prefix = (0x01000000 + random.below(0xdf0000) * 256) >>> 0;
    const first = prefix >>> 24;
    const second = (prefix >>> 16) & 0xff;
    const reserved =
      first > 223 ||
      first === 10 ||
      first === 127 ||
      (first === 100 && second >= 64 && second < 128) ||
      (first === 169 && second === 254) ||
      (first === 172 && second >= 16 && second < 32) ||
      (first === 192 && (second === 168 || second === 0)) ||
      (first === 198 && (second === 18 || second === 19 || second === 51)) ||
      (first === 203 && second === 0);
    if (!reserved) return prefix;
  }
}

function serverPort(random: Random): number {
  let share = random.unit();
  for (const [port, portShare] of SERVER_PORTS) {
    if (share < portShare) return port;
    share -= portShare;
  }
  return 1024 + random.below(64512);
}
