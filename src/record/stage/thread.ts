/** What every stage does on its own thread, around its work; the other end is src/record/main/worker.ts. */
import type { MessagePort } from 'node:worker_threads';
import { failureForThread } from '../../base/thread-failure.js';

/** What any stage may say to the main thread. */
export type StageEvent =
  /** The thread has loaded its modules. */
  | { readonly type: 'up' }
  | { readonly type: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly message: string };

export type Emit<Said = StageEvent> = (event: Said | StageEvent) => void;

export async function runStage<Said = StageEvent>(
  port: MessagePort,
  work: (emit: Emit<Said>) => void | Promise<void>,
): Promise<void> {
  const emit: Emit<Said> = (event) => port.postMessage(event);
  emit({ type: 'up' });
  try {
    await work(emit);
  } catch (error) {
    throw failureForThread(error);
  } finally {
    port.close();
  }
}
