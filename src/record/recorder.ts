/** The recorder: wires socket (or replay), ring, parser worker and writer worker, and stops them in order. */
import type { Logger } from 'pino';
import type { RecorderOptions } from './options.js';

export interface ReadyInfo {
  /** Path of the open (live) file, as named on disk. */
  readonly file: string;
  readonly rcvbufBytes: number;
  readonly ringSlots: number;
}

export interface RecordSummary {
  readonly received: number;
  readonly recorded: number;
  readonly lost: number;
  readonly bytesWritten: number;
  readonly files: number;
  /** What was not saved when the stop took too long; empty when all is well. */
  readonly unsaved: string;
}

export interface Recorder {
  /** Groups joined and first file open; rejects with SystemFailure or UsageError. */
  readonly ready: Promise<ReadyInfo>;
  /** Everything durable and closed after `stop` (or the end of a replay); rejects when a stage died. */
  readonly done: Promise<RecordSummary>;
  /** SIGHUP */
  rotate(): void;
  /** SIGUSR1: make durable now, then log statistics. */
  flush(): void;
  /** SIGTERM, SIGINT, SIGQUIT: leave the groups, drain, flush, close, rename. */
  stop(): void;
}

export function startRecorder(_options: RecorderOptions, _log: Logger): Recorder {
  throw new Error('startRecorder is being built');
}
