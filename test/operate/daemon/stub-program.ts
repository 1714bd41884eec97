/** Starts and watches the program of stub-recorder.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onExit } from '../../lab/cleanup.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';
import type { StubSettings } from './stub-recorder.js';

const entry = fileURLToPath(new URL('stub-recorder.js', import.meta.url));

/** Rights tests need root; in CI they run or fail. */
export const skipWithoutRoot =
  (process.platform === 'linux' && process.getuid?.() === 0) || process.env.CI === 'true'
    ? false
    : 'needs root on Linux';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A directory of its own and every process that was started in it; both gone after `close`. */
export class StubProgram {
  readonly directory = makeFolder('daemon');
  readonly #pids = new Set<number>();
  readonly #forget = onExit(() => this.#end());

  path(name: string): string {
    return join(this.directory, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  /** `extra` descriptors are inherited as 3, 4, ... */
  start(settings: StubSettings, extra: readonly (number | 'ignore')[] = []): ChildProcess {
    const child = spawn(process.execPath, [entry, JSON.stringify(settings)], {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe', ...extra],
    });
    if (child.pid !== undefined) this.#pids.add(child.pid);
    return child;
  }

  /** Run to the end of the started process: in the background that is the launcher. */
  async run(settings: StubSettings, extra: readonly (number | 'ignore')[] = []): Promise<Finished> {
    const child = this.start(settings, extra);
    let stdout = '';
    let stderr = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = (await once(child, 'close')) as [number | null];
    const pid = /process (\d+)$/m.exec(stdout)?.[1];
    if (pid !== undefined) this.#pids.add(Number(pid));
    return { code, stdout, stderr };
  }

  close(): void {
    this.#forget();
    this.#end();
    removeFolder(this.directory);
  }

  #end(): void {
    for (const pid of this.#pids) signal(pid, 'SIGKILL');
  }
}

/** False when there is no such process. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/**
 * Wait until `condition` holds; fails when `child` ends first. A hang ends with the test's own time limit.
 */
export async function until(condition: () => boolean, child?: ChildProcess): Promise<void> {
  while (!condition()) {
    if (child !== undefined && child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`);
    await sleep(10);
  }
}
