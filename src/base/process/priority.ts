/**
 * `-N`: the nice value of every thread of this process. Linux keeps one per thread; later threads inherit
 * their maker's.
 */
import { readdirSync } from 'node:fs';
import { getPriority, setPriority as setPriorityOf } from 'node:os';
import { errnoCode, isNodeSystemError, SystemFailure, systemErrorText } from '../errors.js';

/** Before rights are reduced: a lower value than now needs CAP_SYS_NICE. Throws SystemFailure. */
export function setPriority(nice: number): void {
  for (const thread of threads()) {
    try {
      setPriorityOf(thread, nice);
    } catch (error) {
      const code = errnoCode(error);
      if (code === 'ESRCH') continue; // the thread has ended meanwhile
      if (code === undefined || !isNodeSystemError(error)) throw error;
      const what = isRefusal(error)
        ? 'not permitted; a value below the current one needs root'
        : systemErrorText(error);
      throw new SystemFailure('set priority', code, `-N ${nice}: ${what}`, { cause: error });
    }
  }
}

/** By so much the thread that takes the events precedes all others. */
export const RECEIVER_AHEAD = 10;

/**
 * Without `-N`: this thread, which takes the events, gets the CPU as soon as it wakes, if that is permitted.
 * The others have the ring to wait in; the socket's buffer may last 11 ms (docs/tuning.md).
 */
export function preferThisThread(): void {
  try {
    setPriorityOf(0, Math.max(-20, getPriority(0) - RECEIVER_AHEAD));
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

function isRefusal(error: unknown): boolean {
  const code = errnoCode(error);
  return code === 'EACCES' || code === 'EPERM';
}

/** Thread ids; where there is no /proc the process alone. */
function threads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [0];
  }
}
