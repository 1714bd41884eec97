/** Messages between the lab and its traffic processes. */

/** What a service saw of one request: the tag that the request carried, and who it came from. */
export interface Seen {
  readonly tag: string;
  readonly address: string;
  readonly port: number;
}

export interface ServiceOptions {
  readonly addresses: readonly string[];
  readonly httpPort: number;
  /** UDP port that sends every datagram back, and one that never answers. */
  readonly echoPort?: number;
  readonly silentPort?: number;
}

export interface TrafficRequest {
  readonly kind: 'http' | 'udp-answered' | 'udp-silent';
  readonly from: string;
  /** Request i leaves from this port + i, so every connection is known beforehand. */
  readonly firstPort: number;
  readonly to: string;
  readonly toPort: number;
  readonly count: number;
  readonly concurrency: number;
}

export interface TrafficResult {
  readonly failed: number;
  readonly firstFailure: string;
}

/** The tag of a request: unique in a lab, as addresses and ports are never used twice. */
export function tagOf(address: string, port: number): string {
  return `${address}-${port}`;
}
