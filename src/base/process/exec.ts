/**
 * Start this program again in its own place: same process, same standard streams, same arguments, all threads
 * new.
 */
import { execv, keepAcrossExec } from '../libc/process.js';

/**
 * Does not return. `kept` stay open beside the standard streams; Node closes every other descriptor on the
 * way, because it marks all that it was started with. Linux; throws SystemFailure. Nothing may have been
 * started that has to be ended.
 */
export function restartInPlace(kept: readonly number[]): never {
  for (const fd of [0, 1, 2, ...kept]) keepAcrossExec(fd);
  return execv(process.execPath, [process.argv0, ...process.execArgv, ...process.argv.slice(1)]);
}
