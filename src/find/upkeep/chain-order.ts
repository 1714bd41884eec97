/**
 * Files as a shell gives them, put into the order of their chains: `nat.1.ct` comes before `nat.ct` there,
 * and files of two recorders are mixed. What has no header that can be read keeps its place behind them.
 */
import { realReadDisk } from '../../base/disk/read-disk.js';
import { SystemFailure } from '../../base/errors.js';
import type { FileMeta } from '../../log/format/file-meta.js';
import { byNumber } from '../../log/read/catalogue.js';
import { locate } from '../../log/read/open.js';
import { headerAt } from '../../log/read/own-files.js';

interface Placed {
  readonly file: string;
  readonly meta: FileMeta;
}

export function inChainOrder(files: readonly string[]): string[] {
  const placed: Placed[] = [];
  const others: string[] = [];
  for (const file of files) {
    const meta = headerOf(file);
    if (meta === undefined) others.push(file);
    else placed.push({ file, meta });
  }
  const groups = new Map<string, Placed[]>();
  const adopters = new Map<string, string>();
  for (const { meta } of placed)
    if (meta.identity !== undefined) adopters.set(configurationOf(meta), meta.identity);
  for (const one of placed) {
    const configuration = configurationOf(one.meta);
    const group = one.meta.identity ?? adopters.get(configuration) ?? configuration;
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  const sorted = [...groups.values()].flatMap((group) => group.sort((a, b) => byNumber(a.meta, b.meta)));
  return [...sorted.map(({ file }) => file), ...others];
}

/** Whether two files may belong to one chain; a file of before may be continued by one with an identity. */
export function maySucceed(earlier: Partial<FileMeta>, later: Partial<FileMeta>): boolean {
  if (earlier.identity !== undefined && later.identity !== undefined)
    return earlier.identity === later.identity;
  return configurationOf(earlier) === configurationOf(later);
}

function configurationOf({ hostname, template, protocols }: Partial<FileMeta>): string {
  return JSON.stringify([hostname, template, protocols]);
}

/** Undefined for pipes, compressed files, format 2, and what cannot be read: opening it says why. */
function headerOf(file: string): FileMeta | undefined {
  try {
    const { path, standardInput } = locate(file);
    if (standardInput || realReadDisk.stat(path)?.kind !== 'file') return undefined;
    return headerAt(realReadDisk, path);
  } catch (error) {
    if (!(error instanceof SystemFailure)) throw error;
    return undefined;
  }
}
