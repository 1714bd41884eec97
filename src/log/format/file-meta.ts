/** What a format 3 file says about itself: the JSON payload of its header block. */

export interface FileMeta {
  /** As in "ctrecorder 1.0.0". */
  readonly recorder: string;
  readonly hostname: string;
  readonly bootId: string;
  /** 16 hex digits; blocks are known by (run id, sequence). */
  readonly runId: string;
  readonly openedUs: number;
  /** IANA zone name or TZ string of the recording host. */
  readonly timeZone: string;
  readonly minutesWest: number;
  readonly dst: number;
  readonly utcOffsetSeconds: number;
  /** IANA protocol numbers, or "all". */
  readonly protocols: readonly number[] | 'all';
  /** Name template the file was made from, absolute; empty for files that no recorder made. */
  readonly template: string;
  readonly squeezed: boolean;
  /** The file before this one in the chain. */
  readonly previous?: PreviousFile;
  /** A squeezed or repaired file stands in the place of this one. */
  readonly origin?: { readonly file: string; readonly firstChain: string; readonly lastChain: string };
}

export interface PreviousFile {
  /** Base name. */
  readonly file: string;
  /** Readers ignore what lies behind this offset in it. */
  readonly acknowledgedBytes: number;
  /** Its last hash, hex. */
  readonly chain: string;
}

/** The recording that a new one continues. */
export interface EarlierRecording {
  readonly lastFile: PreviousFile;
  /** What happened later was not seen, microseconds since the epoch. */
  readonly seenUntilUs: number;
}
