import type { DamageError, SystemFailure } from '../../base/errors.js';
import type { FileMeta } from '../../log/format/file-meta.js';
import type { RemovedFile } from '../../log/format/retention-note.js';
import type { Damage } from '../../log/read/source.js';
import type { GapSum } from '../output/gap-text.js';

export interface CheckReport {
  readonly file: string;
  /** Lines for standard output: a verdict, then a line per damage and what is still readable. */
  readonly lines: readonly string[];
  readonly sound: boolean;
  /** Why nothing of the file could be checked; then there are no lines. */
  readonly failure?: SystemFailure | DamageError;
}

export interface CheckedFile {
  readonly file: string;
  readonly live: boolean;
  readonly damage: Damage[];
  damageCount: number;
  meta: Partial<FileMeta>;
  closed: boolean;
  closedAs: string;
  blocks: number;
  records: number;
  starts: number;
  ends: number;
  /** Starts and ends without an event: found by comparing table dumps. */
  derived: number;
  readonly gaps: GapSum;
  /** Hash after the block that ends at an offset, of the last blocks: the next file names one of them. */
  readonly chains: Map<number, Uint8Array>;
  /** What it tells of files that retention removed. */
  readonly removed: RemovedFile[];
  /** What it tells of files that were about to be removed then. */
  readonly announced: RemovedFile[];
  /** Lines that are not about damage. */
  readonly notes: string[];
}
