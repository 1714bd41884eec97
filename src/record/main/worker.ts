/**
 * One stage of a recording as the main thread sees it: a worker with one task that lasts as long as the
 * recording.
 */
import { once } from 'node:events';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { compiledFile } from '../../base/package-root.js';
import { errorFromThread } from '../../base/thread-failure.js';

export class Stage<Said> {
  /**
   * Resolves when the task ended properly, rejects with why it died. All that it said has been heard by then.
   */
  readonly done: Promise<unknown>;
  readonly #pool: Piscina;
  readonly #port: MessagePort;
  readonly #up: Promise<unknown>;

  /** Starts workers/NAME.js with the task that `taskOf` makes around the port it is to speak through. */
  constructor(
    name: 'parser' | 'writer' | 'table',
    taskOf: (port: MessagePort) => unknown,
    hear: (said: Said) => void,
  ) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#up = once(port1, 'message');
    port1.on('message', hear);
    const filename = compiledFile(`workers/${name}.js`).href;
    const idleTimeout = Number.POSITIVE_INFINITY;
    this.#pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, idleTimeout });
    this.#pool.on('error', () => {}); // of a thread that died without a task; `done` tells of the others
    this.done = this.#pool
      .run(taskOf(port2), { transferList: [port2] })
      .catch((failure) => {
        throw errorFromThread(failure);
      })
      .finally(() => {
        // Its last words may still wait in the port.
        for (let said = receiveMessageOnPort(port1); said; said = receiveMessageOnPort(port1))
          hear(said.message);
      });
    this.done.catch(() => {}); // whoever waits for something else races with it
  }

  tell(message: unknown): void {
    this.#port.postMessage(message);
  }

  /** End the thread, whatever it does. */
  async end(): Promise<void> {
    // Node 20 aborts the process when a thread is ended while it loads modules.
    await Promise.race([this.#up, this.done.catch(() => {})]);
    this.#port.close();
    await this.#pool.destroy();
  }
}
