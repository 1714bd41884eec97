/**
 * What a recording makes of its own process. Linux keeps rights and priority by thread, and a thread inherits
 * what its maker has at that time. So the order of the start matters: worker threads and libuv's pool come
 * first, since they need no rights and lose all; then the socket, which needs them; then the process becomes
 * its user, and whatever file is opened after that belongs to that user.
 */
import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import { exitNow } from '../../base/libc/process.js';
import { preferThisThread, setPriority } from '../../base/process/priority.js';
import { reduceRights } from '../../base/process/rights.js';
import type { RecorderOptions } from './options.js';

/** Have libuv's pool make its threads, by any work for it. */
export async function startThreadPool(): Promise<void> {
  await stat('/');
}

/**
 * Take the priority and the rights that the options ask for; a replay keeps its rights. Throws UsageError (no
 * such user) or SystemFailure.
 */
export function settleProcess(options: RecorderOptions, log: Logger): void {
  const { nice, user, group, replayFile } = options;
  const isReplay = replayFile !== undefined;
  if (nice !== undefined) setPriority(nice);
  else if (!isReplay) preferThisThread();
  if (isReplay) return;
  if (user === undefined && group === undefined)
    log.info('running with the rights it was started with; -U USER reduces them');
  else reduceRights(user, group);
}

/**
 * Have process.exit wait for no thread: one that hangs in a system call, as a write to a dead disk, does not
 * end. Answers how to take that back.
 */
export function exitWithoutThreads(): () => void {
  const leave = (code: number): void => exitNow(code);
  process.once('exit', leave);
  return () => process.off('exit', leave);
}
