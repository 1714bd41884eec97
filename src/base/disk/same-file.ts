/**
 * A name is no proof: whatever had it a moment ago may be renamed, removed or replaced by now. A file that is
 * open is: nobody else gets its inode. Before a name is unlinked, renamed or linked, what stands there is
 * compared with what is open; a moment between the two remains, because the kernel takes only names there.
 */
import type { LogFile, ReadDisk } from './disk.js';

/** Whether the open file has this name itself, not through a link that stands there. */
export function standsAt(
  disk: Pick<ReadDisk, 'stat'>,
  path: string,
  { inode, device }: Pick<LogFile, 'inode' | 'device'>,
): boolean {
  const now = disk.stat(path);
  return now !== undefined && now.inode === inode && now.device === device;
}
