/** Thread entry of the table keeper: wiring only. One endless task, ended by the stop message. */
import type { TableTask } from '../src/table/messages.js';
import { TableService } from '../src/table/service.js';

export default async function keepTable(task: TableTask): Promise<void> {
  await new TableService(task).run();
}
