/** The built program as a user runs it. */
import { execFile, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run to the end, without a terminal. `input` is standard input. */
export function ctrecorder(args: readonly string[], input: string | Buffer = ''): Finished {
  const done: SpawnSyncReturns<string> = spawnSync(process.execPath, [program, ...args], {
    input,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, TZ: 'UTC' },
  });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** The same without blocking, so that many can run. */
export function ctrecorderAsync(args: readonly string[]): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { encoding: 'utf8', timeout: 60_000, env: { ...process.env, TZ: 'UTC' } },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}
