/**
 * A recorder of conntrack events as the benchmark sees it: how it is started, and how what it wrote is read
 * back.
 */
import type { Namespace } from '../../test/lab/namespace.js';
import type { ObservedProcess, ProcessExit } from '../../test/lab/process.js';
import type { Flow } from '../generate/flow.js';

/** Where a program runs, for one trial. */
export interface Site {
  readonly namespace: Namespace;
  /** For configurations and logs. */
  readonly folder: string;
  /** For what it records, and nothing else: its bytes are counted. */
  readonly output: string;
  /** Receive buffer of its netlink socket, KiB. */
  readonly bufferKiB: number;
  /** Layer-4 protocol of the flood. */
  readonly proto: number;
}

export interface Recording {
  readonly process: ObservedProcess;
  /** Read back all that was recorded, after the end. Absent for a program that keeps nothing. */
  readBack?(take: (isStart: boolean, flow: Flow) => void): Promise<void>;
  /** After the end: events that a program without a record says it received. */
  received?(exit: ProcessExit): number;
  /** After the end: what the program itself knew of its loss. */
  knownLoss(exit: ProcessExit): KnownLoss;
}

export interface KnownLoss {
  /** Events, when it has a number. */
  readonly events?: number;
  /** In a word or two, when it has none. */
  readonly note?: string;
}

/** What a program knew that only warns. */
export function warned(times: number): KnownLoss {
  if (times === 0) return { note: 'nothing' };
  return { note: times === 1 ? 'warned once' : `warned ${times} times` };
}

export interface Program {
  /** Short: it heads a row. */
  readonly name: string;
  /** Name and version, for a program without an obstacle. */
  version(): string;
  /** Why it takes no part in this run, one line; undefined when it does. */
  obstacle(): string | undefined;
  start(site: Site): Promise<Recording>;
}
