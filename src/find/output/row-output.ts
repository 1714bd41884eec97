/** The formats in which rows are printed: a file each, and a line in `outputs`. */
import type { Zone } from '../../base/time/zone.js';
import type { EventBatch } from '../../event/batch.js';
import type { GapRecord } from '../../event/gap.js';
import type { LogHeader } from '../../log/read/source.js';
import type { OutputBuffer } from './output-buffer.js';

export interface RowOutput {
  /** Before the first row of a batch is written. */
  load(batch: EventBatch): void;
  /**
   * Write rows of the loaded batch until the buffer has no room for another: `rows[from]` to `rows[to - 1]`,
   * or without `rows` the rows `from` to `to - 1`. Answers the first that was not written, or `to`.
   */
  write(
    out: OutputBuffer,
    batch: EventBatch,
    rows: Uint32Array | undefined,
    from: number,
    to: number,
  ): number;
  /** Where the recorder lost events. */
  gap(gap: GapRecord): string;
}

/** A format is loaded when it is asked for: a short listing is over sooner without the others. */
export const outputs = {
  lines: async (header, zone) =>
    new (await import('./lines.js')).LineWriter(
      zone,
      header.protocols === 'all' || header.protocols.length !== 1,
    ),
  json: async (header) => new (await import('./json.js')).JsonWriter(header.file),
} satisfies Record<string, (header: LogHeader, zone: Zone) => Promise<RowOutput>>;

export type OutputFormat = keyof typeof outputs;
