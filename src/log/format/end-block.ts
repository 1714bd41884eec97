/**
 * The end block: JSON like the others, but its last key has a fixed length, so that a reader finds the block
 * from the end of the file. The last END_TAIL_BYTES bytes of a file that was closed properly are
 *
 *   "endOffset":"00000000001e8480"}      16 hex digits: where the end block starts
 */

/**
 * Why a file ended; "unclean end": its recorder died, and what was left of it or a later start closed the
 * file; "complete" marks files that no recorder wrote.
 */
export type EndReason = 'rotation' | 'stop' | 'write error' | 'unclean end' | 'complete';

export interface EndRecord {
  readonly reason: EndReason;
  /** Data blocks, and rows in them. */
  readonly blocks: number;
  readonly records: number;
  /** Smallest and largest time in the file; both 0 in a file without blocks. */
  readonly firstTimeUs: number;
  readonly lastTimeUs: number;
  /** When the recorder stopped; only with reason "stop": everything up to then has been seen. */
  readonly closedUs?: number;
  /** Where the index blocks start; absent in a file with more than the writer lists: read block by block. */
  readonly indexOffsets?: readonly number[];
  readonly endOffset: string;
}

export const END_TAIL_BYTES = 31;

export function endOffsetText(offsetBytes: number): string {
  return offsetBytes.toString(16).padStart(16, '0');
}

/**
 * Offset of the end block, from the last END_TAIL_BYTES bytes of a file; undefined when they are not such a
 * tail. Check what is there.
 */
export function parseEndTail(tail: Uint8Array): number | undefined {
  const match = /^"endOffset":"([0-9a-f]{16})"\}$/.exec(Buffer.from(tail).toString('latin1'));
  return match === null ? undefined : Number.parseInt(match[1], 16);
}
