/** What a squeezed file keeps of the file it stands for. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { DamageError } from '../errors.js';
import type { FileMeta } from '../log/file-meta.js';
import { ByteInput, FileFeed } from '../log/input.js';
import { readMeta, readPreamble } from '../log/reader.js';
import { scanBlocks } from '../log/scan.js';

/** Header facts of a format 3 file with its first and last hash; nothing for other formats, pipes and packed files. */
export async function readOrigin(path: string): Promise<Partial<FileMeta>> {
  // A pipe has been read already.
  if (path === '-' || !statSync(path).isFile()) return {};
  const input = new ByteInput(new FileFeed(path));
  try {
    await readPreamble(input, path);
    const { meta, block } = await readMeta(input, path);
    if (block === undefined) return {};
    const hex = (chain: Uint8Array) => Buffer.from(chain).toString('hex');
    const firstChain = hex(block.frame.chain);
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
