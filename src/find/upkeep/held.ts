/** Legal holds, for commands that would put another file in the place of one. */
import { realReadDisk } from '../../base/disk/read-disk.js';
import { SystemFailure } from '../../base/errors.js';
import { Holds, holdsAbove } from '../../log/read/holds.js';

/** SystemFailure EBUSY when the file, or what a link leads to, is under hold. */
export function assertNotHeld(operation: string, path: string): void {
  const target = realReadDisk.realPath(path) ?? path;
  const facts = realReadDisk.stat(target);
  if (facts === undefined) return;
  const holds = new Holds(realReadDisk, holdsAbove(realReadDisk, target));
  holds.refresh();
  if (!holds.isHeld(target, facts) && !holds.isHeld(path, facts)) return;
  const what = `${path}: is under legal hold and stays as it is; name another file with -o`;
  throw new SystemFailure(operation, 'EBUSY', what, { path });
}
