/**
 * Folders of tests and benchmarks: all are made here, and gone when they are no longer needed, at the latest
 * when the process ends, however it ends (cleanup.ts). What a killed process left is taken away by the next
 * one that makes a folder.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { isAlive, onExit, owner } from './cleanup.js';

/** The maker follows, as `owner` says it, and what the folder is for. */
const NAME_PREFIX = 'ctrecorder-';
const NAME_PATTERN = /^ctrecorder-(\d+\.\d+)-/;
/** Somebody who was killed a moment ago may still have put a file into it. */
const REMOVE = { recursive: true, force: true, maxRetries: 5 } as const;

const forgets = new Map<string, () => void>();
const swept = new Set<string>();

/** A new folder in `parent`; `name` says what for. */
export function makeFolder(name: string, parent = tmpdir()): string {
  removeLeftovers(parent);
  const folder = mkdtempSync(join(parent, `${NAME_PREFIX}${owner}-${name}-`));
  forgets.set(
    folder,
    onExit(() => rmSync(folder, REMOVE)),
  );
  return folder;
}

/** Take away what `makeFolder` made, with all that is in it. */
export function removeFolder(folder: string): void {
  rmSync(folder, REMOVE);
  forgets.get(folder)?.();
  forgets.delete(folder);
}

/** Give `use` a new folder and take it away afterwards. */
export async function withFolder<T>(
  name: string,
  use: (folder: string) => Promise<T> | T,
  parent?: string,
): Promise<T> {
  const folder = makeFolder(name, parent);
  try {
    return await use(folder);
  } finally {
    removeFolder(folder);
  }
}

/** A new folder that goes when the test is over. */
export function temporaryDirectory(context: TestContext, name = 'test'): string {
  const folder = makeFolder(name);
  context.after(() => removeFolder(folder));
  return folder;
}

/** Once for each parent. */
function removeLeftovers(parent: string): void {
  if (swept.has(parent)) return;
  swept.add(parent);
  for (const name of readdirSync(parent)) {
    const maker = NAME_PATTERN.exec(name)?.[1];
    if (maker === undefined || isAlive(maker)) continue;
    const folder = join(parent, name);
    try {
      // What is mounted there may be frozen, and whoever touched it would hang.
      if (!readFileSync('/proc/self/mounts', 'utf8').includes(` ${folder}`)) rmSync(folder, REMOVE);
    } catch {
      // It is another user's.
    }
  }
}

/** What a folder holds, sorted, but for what is hidden, as the recorder's small file about itself is. */
export function visibleNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort();
}
