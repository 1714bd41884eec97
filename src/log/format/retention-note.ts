/** What a checkpoint says of files that retention removes. */

export type RemovalReason = 'age' | 'bytes' | 'disk full';

/** What a checkpoint says of each file that is gone, or is about to be. */
export interface RemovedFile {
  /** Base name. */
  readonly file: string;
  readonly openedUs: number;
  readonly bytes: number;
  /** The hash by which the file after it names it, hex. */
  readonly chain: string;
  readonly reason: RemovalReason;
}

/**
 * The JSON of a checkpoint that retention wrote: what it is about to remove, durable before it does, or what
 * is gone for certain.
 */
export interface RetentionNote {
  readonly retention: { readonly atUs: number } & (
    | { readonly removing: readonly RemovedFile[]; readonly removed?: undefined }
    | { readonly removed: readonly RemovedFile[]; readonly removing?: undefined }
  );
}
