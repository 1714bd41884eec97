/**
 * What is left of a log that is to be repaired: where its intact data blocks stand, in the order of their
 * numbers, and what is known of those that are lost. Memory grows with the damage, not with the file.
 */

import { FileFeed } from '../../base/disk/input.js';
import { DamageError, PayloadDamage, SystemFailure } from '../../base/errors.js';
import { BlockType, isDataBlock } from '../../log/format/format.js';
import type { ScannedBlock } from '../../log/format/frame.js';
import { parseEnd } from '../../log/format/json-blocks.js';
import { openBytes } from '../../log/read/open.js';
import { type LogReader, openFormat3 } from '../../log/read/reader.js';
import type { Damage, LogHeader } from '../../log/read/source.js';

/** Blocks whose numbers follow each other, in the bytes [fromBytes, toBytes). */
export interface Stretch {
  readonly runId: bigint;
  readonly first: number;
  last: number;
  readonly fromBytes: number;
  toBytes: number;
}

export interface Survey {
  readonly header: LogHeader;
  /** Runs in the order in which they appear, in each the stretches by their first number. */
  readonly stretches: readonly Stretch[];
  /**
   * Numbers of the first and last data block as the end block has them; undefined when there is no intact
   * one.
   */
  readonly end: { readonly runId: bigint; readonly first: number; readonly last: number } | undefined;
  /** Of the header block: the first data block continues it. Undefined when the header block is damaged. */
  readonly headerChain: Uint8Array | undefined;
  /**
   * Smallest and largest time that any intact block header tells, those of lost blocks and of the end among
   * them.
   */
  readonly earliestUs: number;
  readonly latestUs: number;
}

/**
 * Read the file once. `note` gets what is damaged. Rejects with SystemFailure or DamageError, one line each.
 */
export async function survey(path: string, note: (damage: Damage) => void): Promise<Survey> {
  const reader = await openPlain(path);
  try {
    const { header, beginning } = reader;
    const headerChain = beginning.header?.frame.chain;
    const stretches: Stretch[] = [];
    let end: Survey['end'];
    let earliestUs = header.startUs > 0 ? header.startUs : Number.POSITIVE_INFINITY;
    let latestUs = 0;
    for await (const item of reader.blocks()) {
      if (item.type === 'damage') note(item.damage);
      else if (isDataBlock(item.frame.type)) extend(stretches, item);
      else if (item.frame.type === BlockType.end) end = endOf(item);
      // An end block without records has no times.
      if (item.frame === undefined || item.frame.maxTimeUs === 0) continue;
      earliestUs = Math.min(earliestUs, item.frame.minTimeUs);
      latestUs = Math.max(latestUs, item.frame.maxTimeUs);
    }
    if (earliestUs === Number.POSITIVE_INFINITY)
      throw new DamageError(
        'bad-header',
        { file: path, offsetBytes: 0 },
        'nothing in it is intact: there is nothing to repair',
      );
    return { header, headerChain, stretches: inOrder(stretches), end, earliestUs, latestUs };
  } finally {
    await reader.close();
  }
}

async function openPlain(path: string): Promise<LogReader> {
  const opened = await openBytes(path);
  const refused = (what: string) => new SystemFailure('repair', 'ENOTSUP', `${path}: ${what}`, { path });
  if (opened.format === 2) {
    await opened.source.close();
    throw refused('is of format 2, which has no checksums: "ctrecorder -S -o FILE" keeps what is readable');
  }
  try {
    if (!(opened.input.feed instanceof FileFeed)) throw refused('is compressed: uncompress it first');
    return await openFormat3(opened.input, path, false);
  } catch (error) {
    await opened.input.close();
    throw error;
  }
}

function extend(stretches: Stretch[], { frame, offsetBytes, bytes }: ScannedBlock): void {
  const { runId, sequence } = frame;
  const toBytes = offsetBytes + bytes.length;
  const current = stretches.at(-1);
  if (current?.runId === runId && current.last + 1 === sequence) {
    current.last = sequence;
    current.toBytes = toBytes;
  } else stretches.push({ runId, first: sequence, last: sequence, fromBytes: offsetBytes, toBytes });
}

function inOrder(stretches: readonly Stretch[]): Stretch[] {
  const runs = [...new Set(stretches.map(({ runId }) => runId))];
  const place = new Map(runs.map((runId, i) => [runId, i]));
  return [...stretches].sort((a, b) => place.get(a.runId)! - place.get(b.runId)! || a.first - b.first);
}

function endOf(block: ScannedBlock): Survey['end'] {
  const { runId, sequence } = block.frame;
  try {
    return { runId, first: sequence - parseEnd(block).blocks + 1, last: sequence };
  } catch (error) {
    if (error instanceof PayloadDamage) return undefined;
    throw error;
  }
}
