/** What the readers' modes are told by the command line, and what they answer. */
import type { Writable } from 'node:stream';
import type { Damage, GapRecord } from '../../log/read/source.js';

/** Where a query writes. Streams, so that a test can collect and the command line can give its own. */
export interface QueryOutput {
  /** Lines; backpressure is respected, EPIPE ends the query quietly. */
  readonly stdout: Writable;
  /** Header, gaps and damage, a line each. */
  readonly stderr: Writable;
}

/** `-L` */
export interface ListOptions {
  /** `-f`: path of a log, "-" or "/dev/stdin" for standard input. */
  readonly file: string;
  /** `-i`: addresses or address/prefix, IPv4 or IPv6, as the user wrote them; a row matches when any of its four addresses
   * is in any of them. Empty: all. */
  readonly networks: readonly string[];
  /** `-p`: ports 0 to 65535; a row matches when any of its four ports is any of them. Empty: all. */
  readonly ports: readonly number[];
  /** `-s`: pair starts with ends and list connections. */
  readonly squeeze: boolean;
  /** `-H`: no header lines on stderr. */
  readonly noHeader: boolean;
  /** `--json`: newline-delimited JSON (docs/json.md) instead of lines. */
  readonly json: boolean;
  /** `--show-snapshots`: list entries that were already open, letter O. */
  readonly showSnapshots: boolean;
  /** `--show-gaps`: a line where the recorder lost events. */
  readonly showGaps: boolean;
}

/** `-L` without any other letter but `-f`. */
export const defaultListOptions = {
  networks: [],
  ports: [],
  squeeze: false,
  noHeader: false,
  json: false,
  showSnapshots: false,
  showGaps: false,
} as const;

export interface ListResult {
  /** Lines printed on stdout (gap lines not counted). */
  readonly listed: number;
  readonly gaps: number;
  /** Damaged places that were skipped and reported on stderr. */
  readonly damaged: number;
  /** 0, or 1 when something was damaged. */
  readonly exitCode: 0 | 1;
}

/** `-S` */
export interface SqueezeOptions {
  /** `-f`: path of a log, "-" for standard input (then `output` is needed). */
  readonly file: string;
  /** `-o`: file to write, which must not exist; without it the input is replaced after verification. */
  readonly output?: string;
}

export interface SqueezeResult {
  /** The file that holds the connections now. */
  readonly file: string;
  /** True when the file was squeezed already and has been left as it is. */
  readonly alreadySqueezed: boolean;
  readonly connections: number;
  /** Of those: without a seen end, without a seen start. */
  readonly open: number;
  readonly startUnseen: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Damaged places of the input, one line each; not empty: the exit code is 1 and nothing was replaced. */
  readonly damage: readonly string[];
  readonly exitCode: 0 | 1;
}

/** `repair` */
export interface RepairOptions {
  /** Path of a log of format 3, not packed. */
  readonly file: string;
  /** `-o`: file to write, which must not exist. */
  readonly output: string;
}

export interface RepairResult {
  /** Path that was read. */
  readonly file: string;
  readonly output: string;
  /** Data blocks kept, and rows in them. */
  readonly blocks: number;
  readonly records: number;
  /** Data blocks that are missing by their numbers, and whether there may be others that nobody can count. */
  readonly lostBlocks: number;
  readonly lostUncounted: boolean;
  /** The first damaged places, and how many there are. */
  readonly damage: readonly Damage[];
  readonly damageCount: number;
  /** The first gaps that were put in, and how many there are. */
  readonly gaps: readonly GapRecord[];
  readonly gapCount: number;
}
