import { failure, libc } from './call.js';
import { captureSupport } from './load.js';

// Files

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Take a lock on an open file. False when `nonblocking` and somebody else holds it. Released when the file is
 * closed.
 */
export function flock(fd: number, exclusive: boolean, nonblocking: boolean): boolean {
  const operation = (exclusive ? LOCK_EX : LOCK_SH) | (nonblocking ? LOCK_NB : 0);
  if (libc('flock')(fd, operation) === 0) return true;
  const error = failure('flock');
  if (error.code === 'EAGAIN') return false;
  throw error;
}

// include/uapi/linux/fcntl.h, include/uapi/asm-generic/fcntl.h
const F_SETLEASE = 1024;
const F_WRLCK = 1;
const F_UNLCK = 2;

/**
 * True when nobody else has the file open for anything (a write lease is granted only then); false also when
 * that cannot be told.
 */
export function isOnlyOpener(fd: number): boolean {
  if (libc('fcntl')(fd, F_SETLEASE, F_WRLCK) !== 0) return false;
  libc('fcntl')(fd, F_SETLEASE, F_UNLCK);
  return true;
}

// include/uapi/asm-generic/poll.h
const POLLOUT = 4;
/** struct pollfd { int fd; short events; short revents } */
const pollfd = new Int32Array(2);
let canPoll: boolean | undefined;

/**
 * Whether a short write (up to PIPE_BUF) to a pipe, socket or terminal returns at once, if only with an
 * error; true also where that cannot be asked. Files have always room.
 */
export function hasRoom(fd: number): boolean {
  canPoll ??= captureSupport().available;
  if (!canPoll) return true;
  pollfd[0] = fd;
  pollfd[1] = POLLOUT;
  return libc('poll')(pollfd, 1, 0) !== 0;
}

const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;

/**
 * Rename that never replaces: EEXIST when `to` exists; ENOSYS or EINVAL where it is not offered (use link and
 * unlink).
 */
export function renameNoReplace(from: string, to: string): void {
  if (libc('renameat2')(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) === 0) return;
  throw failure(`rename ${from} to`, to);
}
