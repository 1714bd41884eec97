/** Thread entry of the table keeper: wiring only. One endless task, ended by the stop message. */
import { bindFunctions } from '../src/base/libc/call.js';
import { runStage } from '../src/record/stage/thread.js';
import type { TableTask } from '../src/record/table/messages.js';
import { TableService } from '../src/record/table/service.js';

export default function keepTable(task: TableTask): Promise<void> {
  // Before the stage says that it is up: until then nobody ends the thread.
  bindFunctions(
    'clock_gettime',
    'gettid',
    'socket',
    'bind',
    'setsockopt',
    'getsockopt',
    'send',
    'recv',
    'close',
  );
  return runStage(task.port, () => new TableService(task).run());
}
