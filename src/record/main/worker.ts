/** A worker thread of a recording as the main thread sees it: one task, as long as the recording. */
import { once } from 'node:events';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { compiledFile } from '../../base/package-root.js';
import { errorFromThread } from '../../base/thread-failure.js';

interface Running {
  readonly pool: Piscina;
  readonly port: MessagePort;
  /** Its first word: the modules are loaded. */
  readonly up: Promise<unknown>;
}

export class WorkerThread<Said> {
  /**
   * Resolves when the task ended properly, rejects with why it died. All that it said has been heard by then.
   */
  readonly done: Promise<unknown>;
  #follow!: (task: Promise<unknown>) => void;
  #running: Running | undefined;

  /** Of workers/NAME.js. `taskOf` makes its task around the port that it is to speak through. */
  constructor(
    readonly name: 'parser' | 'writer' | 'table',
    readonly taskOf: (port: MessagePort) => unknown,
    readonly hear: (said: Said) => void,
  ) {
    this.done = new Promise((resolve) => {
      this.#follow = resolve;
    });
    this.done.catch(() => {}); // whoever waits for something else races with it
  }

  /** Once. */
  start(): void {
    const { name, taskOf, hear } = this;
    const { port1: port, port2 } = new MessageChannel();
    const up = once(port, 'message');
    port.on('message', hear);
    const filename = compiledFile(`workers/${name}.js`).href;
    const idleTimeout = Number.POSITIVE_INFINITY;
    const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, idleTimeout });
    pool.on('error', () => {}); // of a thread that died without a task; `done` tells of the others
    this.#running = { pool, port, up };
    const task = pool
      .run(taskOf(port2), { transferList: [port2] })
      .catch((failure) => {
        throw errorFromThread(failure);
      })
      .finally(() => {
        // Its last words may still wait in the port.
        for (let said = receiveMessageOnPort(port); said; said = receiveMessageOnPort(port))
          hear(said.message);
      });
    this.#follow(task);
  }

  tell(message: unknown): void {
    this.#running?.port.postMessage(message);
  }

  /** End the thread, whatever it does; one that was never started has ended. */
  async end(): Promise<void> {
    if (this.#running === undefined) return;
    const { pool, port, up } = this.#running;
    // Node 20 aborts the process when a thread is ended while it loads modules.
    await Promise.race([up, this.done.catch(() => {})]);
    port.close();
    await pool.destroy();
  }
}
