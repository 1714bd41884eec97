/**
 * File systems that tests make: mounted on a folder of their own, unmounted and removed also when the test
 * fails or is killed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onExit } from '../../lab/cleanup.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';

/** In CI it must work, elsewhere it needs root. */
export const mayMount =
  process.env.CI === 'true' || (process.platform === 'linux' && process.getuid?.() === 0);

/** Says to the program that it runs in the namespace. */
const INSIDE = 'CTRECORDER_TEST_MOUNTS';

/**
 * Run the test file that calls this first in a mount namespace of its own. Whoever makes a namespace
 * elsewhere meanwhile would otherwise keep a copy of each mount, and with it a file system that a test has
 * unmounted.
 */
export function enterMountNamespace(testFile: string): void {
  if (!mayMount || process.env[INSIDE] !== undefined) return;
  // When this process is killed, the one inside is told to clean up and end.
  const namespace = ['--mount', '--propagation', 'private', 'setpriv', '--pdeathsig', 'TERM'];
  const command = [...namespace, process.execPath, ...process.execArgv, fileURLToPath(testFile)];
  const { status } = spawnSync('unshare', command, {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  process.exit(status ?? 1);
}

const EXT4_BYTES = 64 * 2 ** 20;

/** A folder, and what is mounted in it. */
export class Mounts {
  readonly folder = makeFolder('mounts');
  readonly #mounted: string[] = [];
  readonly #frozen = new Set<string>();
  readonly #forget = onExit(() => this.#remove());

  /** Give `use` such a folder and take everything away again. */
  static async with(use: (mounts: Mounts) => Promise<unknown>): Promise<void> {
    const mounts = new Mounts();
    try {
      await use(mounts);
    } finally {
      mounts.#forget();
      mounts.#remove();
    }
  }

  /** An empty file system in memory; answers where it is. */
  tmpfs(name: string, options: string): string {
    return this.mount(name, ['-t', 'tmpfs', '-o', options, 'tmpfs']);
  }

  /**
   * An ext4 file system in a sparse file, mounted through a loop device; answers where it is and its image.
   */
  ext4(name: string, options = ''): { at: string; image: string } {
    const image = join(this.folder, `${name}.img`);
    writeFileSync(image, '');
    truncateSync(image, EXT4_BYTES);
    run('mkfs.ext4', '-q', image);
    return { at: this.mount(name, ['-o', `loop${options}`, image]), image };
  }

  mount(name: string, args: readonly string[]): string {
    const at = join(this.folder, name);
    mkdirSync(at, { recursive: true });
    run('mount', ...args, at);
    this.#mounted.push(at);
    return at;
  }

  /** Unmount what is mounted there now; throws when somebody has a file open on it. */
  unmount(at: string): void {
    run('umount', at);
    this.#mounted.splice(this.#mounted.lastIndexOf(at), 1);
  }

  /**
   * Nothing is written on the frozen file system, and whoever tries waits, until the returned function is
   * called.
   */
  freeze(at: string): () => void {
    run('fsfreeze', '--freeze', at);
    this.#frozen.add(at);
    return () => {
      run('fsfreeze', '--unfreeze', at);
      this.#frozen.delete(at);
    };
  }

  #remove(): void {
    const attempt = (undo: () => void) => {
      try {
        undo();
      } catch (error) {
        console.error(`mounts: could not clean up: ${(error as Error).message}`);
      }
    };
    for (const at of this.#frozen) attempt(() => run('fsfreeze', '--unfreeze', at));
    // Not "busy" when a test left something open.
    for (const at of this.#mounted.reverse()) attempt(() => run('umount', '--lazy', at));
    attempt(() => removeFolder(this.folder));
  }
}

/** Check an ext4 file system that is not mounted, and mend it. */
export function mend(image: string): void {
  const { status, stdout } = spawnSync('fsck.ext4', ['-p', '-f', image], { encoding: 'utf8' });
  const MENDED = 1;
  if (status !== 0 && status !== MENDED) throw new Error(`fsck ended with ${status}: ${stdout}`);
}

/** The loop device of an image that is mounted, as in "loop0". */
export function loopOf(image: string): string {
  const line = execFileSync('losetup', ['--associated', image], { encoding: 'utf8' });
  return /^\/dev\/(loop\d+):/.exec(line)![1];
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'pipe' });
}

/** Fill a file system to the last block; answers the file to remove. */
export function fill(at: string): string {
  const ballast = join(at, 'ballast');
  try {
    writeFileSync(ballast, new Uint8Array(statfsSync(at).bavail * statfsSync(at).bsize + 2 ** 20));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    return ballast;
  }
  throw new Error(`${at}: is larger than it says`);
}
