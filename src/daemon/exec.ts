/** Start this program again in its own place: same process, same standard streams, same arguments, all threads new. */
import { createRequire } from 'node:module';
import { SystemFailure } from '../errors.js';

// include/uapi/asm-generic/fcntl.h
const F_SETFD = 2;

/**
 * Does not return. `kept` stay open beside the standard streams; Node closes every other descriptor on the way, because it marks
 * all that it was started with. Linux; throws SystemFailure. Nothing may have been started that has to be ended.
 */
export function restartInPlace(kept: readonly number[]): never {
  // Only numbers and strings cross here and no memory is kept, so this may stand outside src/netlink/libc.ts.
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load(null);
  const fcntl = libc.func('int fcntl(int fd, int command, int argument)');
  const execv = libc.func('int execv(const char *path, const char **argv)');
  for (const fd of [0, 1, 2, ...kept]) fcntl(fd, F_SETFD, 0);
  execv(process.execPath, [process.argv0, ...process.execArgv, ...process.argv.slice(1), null]);
  throw new SystemFailure(
    'execv',
    'UNKNOWN',
    `${process.execPath}: cannot be started again (errno ${koffi.errno()})`,
  );
}
