/**
 * A disk that can be made to stall: a file system of its own in a file, frozen for as long as is asked. Who
 * writes to it then waits as it waits for a disk that does not answer. Needs root, a loop device, mkfs.ext4
 * and fsfreeze.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { onExit } from '../../test/lab/cleanup.js';

const SIZE_BYTES = 256 * 1024 * 1024;

export class StallingDisk {
  readonly #undo: () => void;

  private constructor(
    /** Mounted here. */
    readonly folder: string,
  ) {
    this.#undo = onExit(() => this.#unmount());
  }

  /** @throws Error, one line, where there is no such thing. */
  static make(below: string): StallingDisk {
    const image = path.join(below, 'disk.img');
    const folder = path.join(below, 'disk');
    writeFileSync(image, '');
    truncateSync(image, SIZE_BYTES);
    mkdirSync(folder);
    run('mkfs.ext4', '-q', image);
    run('mount', '-o', 'loop', image, folder);
    return new StallingDisk(folder);
  }

  /** Nothing is written while `during` lasts. */
  async stall(during: () => Promise<void>): Promise<void> {
    run('fsfreeze', '--freeze', this.folder);
    try {
      await during();
    } finally {
      run('fsfreeze', '--unfreeze', this.folder);
    }
  }

  remove(): void {
    this.#undo();
    this.#unmount();
  }

  #unmount(): void {
    try {
      run('fsfreeze', '--unfreeze', this.folder);
    } catch {
      // It was not frozen.
    }
    run('umount', '--lazy', this.folder);
  }
}

function run(command: string, ...args: string[]): void {
  try {
    execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error(`${command}: ${(error as Error).message.trim().split('\n').at(-1)}`);
  }
}
