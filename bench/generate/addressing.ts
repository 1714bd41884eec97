/** Who talks to whom in a flood of packets: original tuples by index, and back. */
import type { Flow } from './flow.js';

export interface Addressing {
  /** Set the original addresses and ports of connection `index`. */
  fill(flow: Flow, index: number): void;
  /** The only index that can have these original addresses and ports; whether it has them tells `fill`. */
  indexOf(flow: Flow): number;
}

const FIRST_PORT = 1024;

/**
 * One row of connections after the other: each row is one client talking to one destination, its ports
 * counting up. For senders that know one source address and one destination at a time.
 */
export class Rows implements Addressing {
  /** Well below what a masquerade has for one destination. */
  static readonly ports = 5000;
  static readonly firstPort = FIRST_PORT;

  constructor(
    readonly clientNet: number,
    readonly serverNet: number,
    readonly serverPort: number,
  ) {}

  client(row: number): number {
    return this.clientNet + 1 + row;
  }

  server(row: number): number {
    return this.serverNet + 1 + row;
  }

  fill(flow: Flow, index: number): void {
    const row = Math.floor(index / Rows.ports);
    flow.origSrc = this.client(row);
    flow.origSrcPort = FIRST_PORT + (index % Rows.ports);
    flow.origDst = this.server(row);
    flow.origDstPort = this.serverPort;
  }

  indexOf(flow: Flow): number {
    return (flow.origSrc - this.client(0)) * Rows.ports + flow.origSrcPort - FIRST_PORT;
  }
}

/**
 * Client, destination and client's port each count up by one from packet to packet and start again at their
 * own ends, as trafgen's `dinc` does. The lengths of the cycles of destination and port share no factor, so
 * together they tell the index.
 */
export class Cycles implements Addressing {
  static readonly clients = 250;
  static readonly servers = 251;
  static readonly ports = 60_000;
  static readonly firstPort = FIRST_PORT;
  /** Above it tuples would come again. */
  static readonly connectionsMax = Cycles.servers * Cycles.ports;

  constructor(
    readonly clientNet: number,
    readonly serverNet: number,
    readonly serverPort: number,
  ) {}

  fill(flow: Flow, index: number): void {
    flow.origSrc = this.clientNet + 1 + (index % Cycles.clients);
    flow.origSrcPort = FIRST_PORT + (index % Cycles.ports);
    flow.origDst = this.serverNet + 1 + (index % Cycles.servers);
    flow.origDstPort = this.serverPort;
  }

  /** Chinese remainder: index = port cycle + ports x rounds, where the destination tells the rounds. */
  indexOf(flow: Flow): number {
    const { servers, ports } = Cycles;
    const inPorts = flow.origSrcPort - FIRST_PORT;
    const inServers = flow.origDst - this.serverNet - 1;
    const rounds = (((inServers - inPorts) % servers) + servers) * PORTS_INVERSE;
    return inPorts + ports * (rounds % servers);
  }
}

/** ports x this = 1 modulo servers. */
const PORTS_INVERSE = inverse(Cycles.ports, Cycles.servers);

function inverse(value: number, modulus: number): number {
  for (let candidate = 1; candidate < modulus; candidate++)
    if ((value * candidate) % modulus === 1) return candidate;
  throw new RangeError(`${value} and ${modulus} share a factor`);
}
