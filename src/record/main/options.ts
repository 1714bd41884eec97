import { DEFAULT_FILE_MODE } from '../../base/disk/file-mode.js';
import type { RetentionOptions } from '../writer/writer-task.js';

/**
 * What a recording is told, from the command line. Units stand in names. Plain data: it is sent to the worker
 * threads.
 */
export interface RecorderOptions {
  /**
   * strftime template of the log file's name (`-f`); relative paths count from the working directory at
   * start.
   */
  readonly fileTemplate: string;
  /** Minutes between rotations (`-t`), 0 = never. */
  readonly rotateMinutes: number;
  /** Intervals count from local midnight, at which names change (`--rotate-local`); else in UTC. */
  readonly rotateLocal: boolean;
  /** IANA protocol numbers to record (`-p`), or "all". */
  readonly protocols: readonly number[] | 'all';
  /** Socket receive buffer as asked for with `-b`, in KiB. */
  readonly rcvbufKiB: number;
  /** Ring slots (`-B`). */
  readonly ringSlots: number;
  /** Whether the kernel keeps ends that do not fit into the buffer, in its conntrack table. */
  readonly reliable: boolean;
  /** It does not while more than this much of the table is used (`--reliable-max-table`). */
  readonly reliableMaxTablePercent: number;
  readonly flushIntervalMs: number;
  /**
   * Whether every file begins with the connections that are open then, and the kernel's table is compared
   * with the log.
   */
  readonly snapshot: boolean;
  readonly stopTimeoutMs: number;
  /** Mode of new log files (`--mode`). */
  readonly fileMode: number;
  /**
   * Nothing is written while less than this would be left free on the disk (`--min-free`), 0 = until it is
   * full.
   */
  readonly minFreeBytes: number;
  /**
   * What is kept of this recorder's finished files (`--keep-days`, `--keep-bytes`, `--hold`); without it,
   * all.
   */
  readonly retention?: RetentionOptions;
  /** Whose files these are, where it is not found out (`--identity`). */
  readonly identity?: string;
  /** File descriptor for one JSON line per durable group (`--progress-fd`). */
  readonly progressFd?: number;
  /** Nice value for all threads (`-N`), when given. */
  readonly nice?: number;
  /** User and group to become (`-U`, `-G`), by name or number. */
  readonly user?: string;
  readonly group?: string;
  /** pcap or pcapng file to record from instead of the kernel (`--replay`). */
  readonly replayFile?: string;
  readonly keepDuplicates: boolean;
  /** Where to keep the received messages as a capture (`--save-messages`), and at most how many bytes. */
  readonly saveMessagesFile?: string;
  readonly saveLimitBytes: number;
}

/** What applies where the command line says nothing. */
export const defaultRecorderOptions = {
  rotateMinutes: 0,
  rotateLocal: false,
  protocols: [6],
  rcvbufKiB: 8192,
  ringSlots: 16384,
  reliable: false,
  reliableMaxTablePercent: 80,
  flushIntervalMs: 1000,
  snapshot: true,
  stopTimeoutMs: 30_000,
  fileMode: DEFAULT_FILE_MODE,
  minFreeBytes: 0,
  keepDuplicates: false,
  saveLimitBytes: 64 * 1024 * 1024,
} as const;
