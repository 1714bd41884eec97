export interface ReadyInfo {
  /** Path of the open (live) file, as named on disk. */
  readonly file: string;
  /** Socket buffer that was granted, in the unit of `-b`; 0 in a replay. */
  readonly rcvbufBytes: number;
  readonly ringSlots: number;
}

export interface RecordSummary {
  /** Messages from the kernel or the capture. */
  readonly received: number;
  /** Events in the files. */
  readonly recorded: number;
  /** Dropped by the kernel. */
  readonly lost: number;
  /** Of those, failed attempts to deliver: when there are any, `lost` is an upper bound. */
  readonly deliveryFailures: number;
  /** Events that the kernel sent again, not recorded again. */
  readonly repeats: number;
  /** Messages that could be read in part only. */
  readonly partial: number;
  readonly bytesWritten: number;
  readonly files: number;
  /** What was not saved when the stop took too long; empty when all is well. */
  readonly unsaved: string;
}

export interface Recorder {
  /**
   * Groups joined and first file open (in a replay: the workers are up); rejects with SystemFailure or
   * UsageError.
   */
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
