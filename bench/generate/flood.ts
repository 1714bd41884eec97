/**
 * What a program under test is exposed to: connections that begin all together and end all together, each
 * known beforehand by its index, so that what a program recorded is compared with what was sent and not with
 * what somebody counted.
 */
import type { Namespace } from '../../test/lab/namespace.js';
import type { Flow } from './flow.js';

export interface Created {
  /** Connections that the sender says it sent. */
  readonly sent: number;
  /** Entries in the kernel's table afterwards: what there is to be recorded, whoever listens. */
  readonly created: number;
  readonly seconds: number;
}

export interface Flood {
  readonly name: string;
  /** What makes it, for a reader of the results. */
  readonly summary: string;
  /** Where the events are: the programs under test run there. */
  readonly namespace: Namespace;
  readonly proto: number;
  readonly connections: number;
  /** How often a trial makes and ends them all: what a program spends once weighs less, the more often. */
  readonly turns: number;
  /** Make all connections, one NEW event each; at the rate, or as fast as it goes. */
  create(ratePerSecond?: number): Promise<Created>;
  /** End all connections, one DESTROY event each. Answers the seconds it took. */
  end(): Promise<number>;
  /** Index of the connection that has these tuples; -1 when it is none of the flood's. */
  indexOf(flow: Flow): number;
}

/**
 * The kernel works on packets for a moment after the last was sent: the table's entries, when there are
 * enough or no more come.
 */
export async function settledCount(namespace: Namespace, expected: number): Promise<number> {
  const QUIET_LOOKS = 10;
  let before = -1;
  for (let quiet = 0; quiet < QUIET_LOOKS; ) {
    const count = namespace.conntrackCount();
    if (count >= expected) return count;
    quiet = count === before ? quiet + 1 : 0;
    before = count;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return before;
}
