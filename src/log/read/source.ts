/**
 * What every reader of a log sees, whatever the file's format: a header, then items in file order. Format 3
 * (src/log/read/reader.ts) and the ancestor's format 2 (src/log/read/legacy.ts) both give this shape; queries
 * know nothing else.
 */

import { counted } from '../../base/counted.js';
import type { DamageCode } from '../../base/errors.js';
import type { EventBatch } from '../../event/batch.js';
import type { GapRecord } from '../../event/gap.js';

export interface LogHeader {
  /** Path as given, "-" for standard input. */
  readonly file: string;
  readonly formatMajor: number;
  readonly formatMinor: number;
  readonly squeezed: boolean;
  /**
   * IANA protocol numbers that were recorded; "all" when nothing was filtered. One number: list lines carry
   * no proto=NAME.
   */
  readonly protocols: readonly number[] | 'all';
  readonly hostname: string;
  /** Opening time of the file, microseconds since the epoch. */
  readonly startUs: number;
  /**
   * Time zone of the recording host: minutes west of Greenwich and whether daylight saving was on (as struct
   * timezone).
   */
  readonly minutesWest: number;
  readonly dst: number;
  /** Seconds east of UTC when the file was opened. */
  readonly utcOffsetSeconds: number;
  /** Header lines in print order, `.name: value`, as `-H` prints them (the ancestor's for format 2). */
  readonly lines: readonly string[];
}

export interface Damage {
  readonly code: DamageCode;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** What was found, one line without the file name. */
  readonly what: string;
}

/** `offset 388, 7 bytes: what`; damage between two bytes has no length to tell. */
export function damageText({ offsetBytes, lengthBytes, what }: Damage): string {
  const length = lengthBytes === 0 ? '' : `, ${counted(lengthBytes, 'byte')}`;
  return `offset ${offsetBytes}${length}: ${what}`;
}

export type LogItem =
  /** Rows in recorded order. The batch is borrowed: valid until the next item is asked for. */
  | { readonly type: 'records'; readonly batch: EventBatch }
  | { readonly type: 'gap'; readonly gap: GapRecord }
  | { readonly type: 'clock-step'; readonly atUs: number; readonly stepUs: number }
  /** What the recorder did that is not an event, with the times of its block: FORMAT.md, checkpoints. */
  | {
      readonly type: 'checkpoint';
      readonly value: Readonly<Record<string, unknown>>;
      readonly fromUs: number;
      readonly toUs: number;
    }
  /** Something was unreadable and has been skipped. */
  | { readonly type: 'damage'; readonly damage: Damage };

/** How the caller wants the items. */
export interface Selection {
  /**
   * The snapshot of what was open when the file was opened comes first; in the file it stands a moment after
   * the events that followed. Not of a pipe, which can be read only once.
   */
  readonly openFirst?: boolean;
}

export interface LogSource {
  readonly header: LogHeader;
  /**
   * True when the file was closed properly (format 3: an end block; format 2 cannot say and answers true).
   */
  readonly closed: boolean;
  items(selection?: Selection): AsyncGenerator<LogItem, void, void>;
  close(): Promise<void>;
}
