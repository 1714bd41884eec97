/** What every stage does on its own thread, around its work; the other end is stage.ts. */
import type { MessagePort } from 'node:worker_threads';
import { failureForThread } from '../../base/errors.js';
import type { Emit } from '../writer/writer-task.js';

export async function runStage(port: MessagePort, work: (emit: Emit) => void | Promise<void>): Promise<void> {
  const emit: Emit = (event) => port.postMessage(event);
  emit({ type: 'up' });
  try {
    await work(emit);
  } catch (error) {
    throw failureForThread(error);
  } finally {
    port.close();
  }
}
