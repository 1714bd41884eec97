/**
 * What a squeezed or repaired file says of itself: all that was said of the file in whose place it stands.
 */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { ByteInput, FileFeed } from '../../base/disk/input.js';
import { DamageError } from '../../base/errors.js';
import type { FileMeta } from '../../log/format/file-meta.js';
import { hex } from '../../log/format/frame.js';
import { readBeginning } from '../../log/read/beginning.js';
import { scanBlocks } from '../../log/read/scan.js';
import type { LogHeader } from '../../log/read/source.js';

/**
 * Header of a file that stands in the place of another, under a run id of its own: its blocks are numbered
 * anew.
 */
export async function standInMeta(header: LogHeader, squeezed: boolean): Promise<FileMeta> {
  return {
    recorder: header.formatMajor === 2 ? 'ctrecorder 0.1.6' : '',
    hostname: header.hostname,
    bootId: '',
    openedUs: header.startUs,
    timeZone: '',
    minutesWest: header.minutesWest,
    dst: header.dst,
    utcOffsetSeconds: header.utcOffsetSeconds,
    protocols: header.protocols,
    template: '',
    ...(await readOrigin(header.file)),
    runId: randomBytes(8).toString('hex'),
    squeezed,
  };
}

/**
 * Header facts of a format 3 file with its first and last hash, or those of the file that it stands for
 * itself; nothing for other formats, pipes and packed files.
 */
async function readOrigin(path: string): Promise<Partial<FileMeta>> {
  // A pipe has been read already.
  if (path === '-' || !statSync(path).isFile()) return {};
  const input = new ByteInput(new FileFeed(path));
  try {
    const { meta, header } = await readBeginning(input, path);
    let first = header?.frame.chain;
    let last = first;
    for await (const item of scanBlocks(input, { wants: () => false })) {
      if (item.type === 'damage') continue;
      last = item.frame.chain;
      first ??= last;
    }
    if (first === undefined || last === undefined) return meta;
    return { origin: { file: basename(path), firstChain: hex(first), lastChain: hex(last) }, ...meta };
  } catch (error) {
    if (error instanceof DamageError) return {};
    throw error;
  } finally {
    await input.close();
  }
}
