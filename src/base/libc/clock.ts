import { SystemFailure } from '../errors.js';
import type { Clock } from '../time/clock.js';
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

// struct timex of <sys/timex.h>: u32 modes at 0 (0: only ask), s32 status at 40
const TIMEX_BYTES = 208;
const TIMEX_STATUS_WORD = 10;
const STA_UNSYNC = 0x0040;

/**
 * Whether somebody disciplines the kernel's clock (NTP, PTP), and says that it is right. False where that
 * cannot be asked.
 */
export function isClockSynchronised(): boolean {
  const timex = new Uint32Array(TIMEX_BYTES / 4);
  try {
    return libc('adjtimex')(timex) >= 0 && (timex[TIMEX_STATUS_WORD] & STA_UNSYNC) === 0;
  } catch (error) {
    if (!(error instanceof SystemFailure)) throw error;
    return false;
  }
}

export const systemClock: Clock = {
  wallUs: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  isSynchronised: isClockSynchronised,
};
