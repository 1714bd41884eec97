/** What a squeezed file keeps of the file it stands for. */
import { basename } from 'node:path';
import { DamageError } from '../errors.js';
import { readBeginning } from '../log/beginning.js';
import type { FileMeta } from '../log/file-meta.js';
import { ByteInput, FileFeed } from '../log/input.js';
import { scanBlocks } from '../log/scan.js';
import { hex } from '../log/segment.js';

/** Header facts of a format 3 file with its first and last hash; nothing for other formats, pipes and packed files. */
export async function readOrigin(path: string): Promise<Partial<FileMeta>> {
  if (path === '-') return {};
  const input = new ByteInput(new FileFeed(path));
  try {
    const { meta, header } = await readBeginning(input, path);
    if (header === undefined) return {};
    const firstChain = hex(header.frame.chain);
    let lastChain = firstChain;
    for await (const item of scanBlocks(input, { wants: () => false }))
      if (item.type === 'block') lastChain = hex(item.frame.chain);
    return { ...meta, origin: { file: basename(path), firstChain, lastChain } };
  } catch (error) {
    if (error instanceof DamageError) return {};
    throw error;
  } finally {
    await input.close();
  }
}
