/** Thread entry of the table keeper: wiring only. One endless task, ended by the stop message. */
import { runStage } from '../src/record/stage-thread.js';
import type { TableTask } from '../src/table/messages.js';
import { TableService } from '../src/table/service.js';

export default function keepTable(task: TableTask): Promise<void> {
  return runStage(task.port, () => new TableService(task).run());
}
