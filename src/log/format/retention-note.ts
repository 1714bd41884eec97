/** What a checkpoint says of files that retention removed. */

export type RemovalReason = 'age' | 'bytes' | 'disk full';

/** What a checkpoint says of each file that is gone. */
export interface RemovedFile {
  /** Base name. */
  readonly file: string;
  readonly openedUs: number;
  readonly bytes: number;
  /** The hash by which the file after it names it, hex. */
  readonly chain: string;
  readonly reason: RemovalReason;
}

/** The JSON of a checkpoint that retention wrote. */
export interface RetentionNote {
  readonly retention: { readonly atUs: number; readonly removed: readonly RemovedFile[] };
}
