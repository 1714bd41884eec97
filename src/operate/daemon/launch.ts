/**
 * The background: never forked. The launcher starts this program again, detached, with a channel between the
 * two; the child says that it records, or why it cannot, the launcher prints that and exits, and the child
 * gives the channel up.
 *
 *   launcher ──spawn──▶ child        rights limited, inherited descriptors closed
 *            ◀──log──── warnings
 *            ◀──ready── | failed     "groups joined, first file open" or the error
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { SystemFailure, UsageError } from '../../base/errors.js';
import type { ReadyInfo } from '../../record/main/recording.js';

const CHILD_MARK = 'CTRECORDER_LAUNCHED';
/** Where the child finds the descriptor of `--progress-fd`: behind standard streams and channel. */
export const CHILD_PROGRESS_FD = 4;
/** The same for the pid file, opened with the launcher's rights. */
export const CHILD_PIDFILE_FD = 5;

export type LaunchReport =
  | { readonly type: 'log'; readonly message: string }
  | { readonly type: 'ready'; readonly info: ReadyInfo }
  | { readonly type: 'failed'; readonly message: string; readonly usage: boolean };

/** The child's end of the channel. */
export interface Launcher {
  log(message: string): void;
  /** Last words: resolves when they are through and the channel is closed. */
  ready(info: ReadyInfo): Promise<void>;
  failed(message: string, usage: boolean): Promise<void>;
}

/** The launcher of this process, when it has one. Asked once. */
export function myLauncher(): Launcher | undefined {
  if (process.env[CHILD_MARK] === undefined || process.send === undefined) return undefined;
  delete process.env[CHILD_MARK];
  return {
    log: (message) => void send({ type: 'log', message }),
    ready: async (info) => {
      await send({ type: 'ready', info });
      process.disconnect?.();
    },
    failed: async (message, usage) => {
      await send({ type: 'failed', message, usage });
      process.disconnect?.();
    },
  };
}

/** Resolves also when nobody listens any more: the recorder does not depend on who started it. */
function send(report: LaunchReport): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!(report, undefined, undefined, () => resolve());
    else resolve();
  });
}

export interface LaunchOptions {
  /** Descriptor to hand over, as CHILD_PROGRESS_FD. */
  readonly progressFd?: number;
  /** The same, as CHILD_PIDFILE_FD. */
  readonly pidFileFd?: number;
  /** Whether the child keeps standard error. */
  readonly keepStderr: boolean;
  /** A line of the child for the terminal. */
  readonly say: (line: string) => void;
}

export interface Launched {
  readonly pid: number;
  readonly info: ReadyInfo;
}

/**
 * Start the child and wait for its word. Rejects with what it reports, or SystemFailure when it dies without
 * a word.
 */
export async function launch({ progressFd, pidFileFd, keepStderr, say }: LaunchOptions): Promise<Launched> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    env: { ...process.env, [CHILD_MARK]: '1' },
    stdio: [
      'ignore',
      'ignore',
      keepStderr ? 'inherit' : 'ignore',
      'ipc',
      progressFd ?? 'ignore',
      pidFileFd ?? 'ignore',
    ],
  });
  try {
    const info = await firstWord(child, say);
    return { pid: child.pid!, info };
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}

function firstWord(child: ChildProcess, say: (line: string) => void): Promise<ReadyInfo> {
  return new Promise((resolve, reject) => {
    // Whoever interrupts the launcher wants no recorder that nobody was told of.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const)
      process.once(signal, () => {
        child.kill('SIGTERM');
        reject(failure(`stopped by ${signal} while starting`));
      });
    child.on('message', (report: LaunchReport) => {
      if (report.type === 'log') say(report.message);
      else if (report.type === 'ready') resolve(report.info);
      else reject(report.usage ? new UsageError(report.message) : failure(report.message));
    });
    child.on('error', (cause) => reject(failure(`the recorder cannot be started: ${cause.message}`)));
    // "exit" may come before the last message has been read; "close" comes after it.
    child.on('close', (code, signal) =>
      reject(
        failure(`the recorder ended while starting (${signal ?? `exit code ${code}`}); try -F to see why`),
      ),
    );
  });
}

function failure(message: string): SystemFailure {
  return new SystemFailure('start recorder', 'ECHILD', message);
}
