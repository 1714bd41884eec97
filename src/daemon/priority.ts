/** `-N`: the nice value of every thread of this process. Linux keeps one per thread; later threads inherit their maker's. */
import { readdirSync } from 'node:fs';
import { setPriority as setPriorityOf } from 'node:os';
import { errnoCode, SystemFailure } from '../errors.js';

/** Before rights are reduced: a lower value than now needs CAP_SYS_NICE. Throws SystemFailure. */
export function setPriority(nice: number): void {
  for (const thread of threads()) {
    try {
      setPriorityOf(thread, nice);
    } catch (error) {
      const { code, message } = (error as { info?: { code: string; message: string } }).info ?? {};
      if (code === 'ESRCH') continue; // the thread has ended meanwhile
      const what =
        code === 'EACCES' || code === 'EPERM'
          ? 'not permitted; a value below the present one needs root'
          : message;
      throw new SystemFailure('set priority', code ?? errnoCode(error), `-N ${nice}: ${what}`, {
        cause: error,
      });
    }
  }
}

/** Thread ids; where there is no /proc the process alone. */
function threads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [0];
  }
}
