/**
 * A small disk of its own: an ext4 image, mounted through a loop device. Needs root, e2fsprogs and
 * util-linux.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { onExit } from './cleanup.js';
import { makeFolder, removeFolder } from './folder.js';

const DISK_BYTES = 64 << 20;

export class LoopDisk {
  /** Where it is mounted. */
  readonly folder: string;
  readonly #home = makeFolder('disk');
  readonly #forget: () => void;
  #frozen = false;
  #mounted = false;

  /** @throws Error with what the program said that failed. */
  constructor() {
    this.folder = path.join(this.#home, 'mounted');
    this.#forget = onExit(() => this.#remove());
    try {
      const image = path.join(this.#home, 'image');
      mkdirSync(this.folder);
      writeFileSync(image, '');
      truncateSync(image, DISK_BYTES);
      run('mkfs.ext4', '-q', image);
      run('mount', '-o', 'loop', image, this.folder);
      this.#mounted = true;
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** From now on every write and sync hangs, until `thaw`. */
  freeze(): void {
    run('fsfreeze', '--freeze', this.folder);
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    run('fsfreeze', '--unfreeze', this.folder);
  }

  /** Nobody may use it any more. */
  remove(): void {
    this.#forget();
    this.#remove();
  }

  #remove(): void {
    if (this.#frozen) this.thaw();
    // Lazily: a process that hung in a write to it may take a moment to die.
    if (this.#mounted) run('umount', '--lazy', this.folder);
    removeFolder(this.#home);
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'pipe' });
}
