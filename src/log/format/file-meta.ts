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
  /** Whose file it is (read/ownership.ts); files of before have none. */
  readonly identity?: string;
  /** Tells machines of one host name apart; not the machine's own id. */
  readonly machineId?: string;
  /** 1 for the first file of an identity, one more for each that continues it: an order without a clock. */
  readonly fileNumber?: number;
  /** The time that named the file; openedUs is later when it stands in for one that was given up. */
  readonly namedUs?: number;
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
  /** 16 hex digits; files of before do not say it. */
  readonly runId?: string;
}

/** How a file ends. */
export interface FileEnd {
  readonly lastFile: PreviousFile;
  /** What happened later was not seen, microseconds since the epoch. */
  readonly seenUntilUs: number;
}

/** What a new recording continues. */
export interface EarlierRecording {
  /** Undefined when it is only known that somebody recorded. */
  readonly lastFile: PreviousFile | undefined;
  readonly seenUntilUs: number;
  /** The highest number of a file so far, 0 without any. */
  readonly fileNumber: number;
}

/** Letters, digits, dot, underscore and dash, at most 64: also what `--identity` takes. */
export function isIdentity(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(value);
}
