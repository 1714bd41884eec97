/** Thread entry of the table keeper: wiring only. One endless task, ended by the stop message. */
import type { TableTask } from '../src/table/messages.js';
import { TableService } from '../src/table/service.js';

export default function keepTable(task: TableTask): Promise<string> {
  return new TableService(task).run();
}
