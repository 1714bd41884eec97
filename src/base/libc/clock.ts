import { libc } from './call.js';

/** Sleep on this thread, synchronously, for at most a second. */
export function sleepMicroseconds(us: number): void {
  libc('usleep')(us);
}

const CLOCK_REALTIME = 0;
const timespec = new Uint32Array(4);

/** Wall clock, microseconds since the epoch, without an allocation. */
export function wallClockUs(): number {
  libc('clock_gettime')(CLOCK_REALTIME, timespec);
  // struct timespec { s64 tv_sec; s64 tv_nsec }, little-endian
  return (timespec[1] * 2 ** 32 + timespec[0]) * 1e6 + Math.floor(timespec[2] / 1000);
}
