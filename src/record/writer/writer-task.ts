/** What the writer worker is told and what it says. Plain data: it crosses between threads. */

import type { MessagePort } from 'node:worker_threads';
import type { Host } from '../../base/process/host.js';
import type { RemovalReason } from '../../log/format/retention-note.js';
import type { StageEvent } from '../stage/thread.js';

export interface WriterOptions {
  /** strftime template of the file names; a relative one counts from the working directory. */
  readonly template: string;
  /** IANA protocol numbers, or "all". */
  readonly protocols: readonly number[] | 'all';
  readonly runId: bigint;
  readonly host: Host;
  /** `--identity` */
  readonly identity?: string;
  /** As in "ctrecorder 1.0.0". */
  readonly recorder: string;
  /** Records from the kernel, so that the time since an earlier recording is a gap. */
  readonly live: boolean;
  /** Descriptor that gets one JSON line after each durable group. */
  readonly progressFd?: number;
  /** Mode of new files; directories get x where r is. */
  readonly fileMode?: number;
  /** Nothing is written while less than this would be left free on the disk. */
  readonly minFreeBytes?: number;
  /** Without it, and without a limit in it, nothing is ever removed. */
  readonly retention?: RetentionOptions;
}

export interface RetentionOptions {
  readonly keepDays?: number;
  readonly keepBytes?: number;
  /** Files under legal hold: paths, or base names, which hold every file of that name. */
  readonly holds: readonly string[];
  /** `--trust-clock`: age goes by the wall clock even where that stepped or contradicts the log. */
  readonly trustClock?: boolean;
}

export interface WriterTask {
  /** The block ring (src/record/stage/blocks.ts). */
  readonly ring: SharedArrayBuffer;
  /** A second one, for the blocks of the table keeper. */
  readonly snapshots: SharedArrayBuffer;
  /** Counters, see WriterStat. */
  readonly stats: SharedArrayBuffer;
  readonly port: MessagePort;
  readonly options: WriterOptions;
}

export type WriterEvent =
  | StageEvent
  /**
   * A file was opened for recording: its live path, when (microseconds since the epoch), and the number of
   * the last data block before.
   */
  | {
      readonly type: 'opened';
      readonly file: string;
      readonly openedUs: number;
      readonly afterSequence: number;
    }
  /** A file was closed and has its final path; `chain` is its last hash, hex: the anchor outside the file. */
  | { readonly type: 'closed'; readonly file: string; readonly chain: string }
  /** Retention removed a finished file; `chain` is its last hash. */
  | {
      readonly type: 'removed';
      readonly file: string;
      readonly bytes: number;
      readonly chain: string;
      readonly reason: RemovalReason;
    }
  /** Everything before the flush message of this number is durable, up to the data block of this sequence. */
  | { readonly type: 'flushed'; readonly mark: number; readonly sequence: number };

export type Emit = (event: WriterEvent) => void;
