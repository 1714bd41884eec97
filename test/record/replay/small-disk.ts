/** A file system that is soon full. */
import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { onExit } from '../../lab/cleanup.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';

const mayMount = process.platform === 'linux' && process.getuid?.() === 0;

export const smallDisk = {
  /** For `skip`; in CI it is tried whatever we are. */
  obstacle: mayMount || process.env.CI === 'true' ? false : 'a tmpfs needs root on Linux',

  /** Mount a tmpfs of `size` (as in 64k), which goes when the test is over; answers its path. */
  mount(context: TestContext, size: string): string {
    const path = makeFolder('disk');
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]);
    const remove = () => {
      execFileSync('umount', [path]);
      removeFolder(path);
    };
    const forget = onExit(remove);
    context.after(() => {
      forget();
      remove();
    });
    return path;
  },
} as const;
