/**
 * A script of the lab running in a namespace as its own process, asked and answering over IPC, one request at
 * a time.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.js';

export class Helper<Request, Answer> {
  readonly #child: ChildProcess;

  private constructor(
    readonly script: string,
    child: ChildProcess,
  ) {
    this.#child = child;
  }

  /** Start `test/lab/SCRIPT.ts` (compiled) and wait until it says it is ready. */
  static async start<Request, Answer>(
    namespace: Namespace,
    script: string,
    argument: unknown = null,
  ): Promise<Helper<Request, Answer>> {
    const file = fileURLToPath(new URL(`${script}.js`, import.meta.url));
    const child = namespace.spawn(process.execPath, [...process.execArgv, file, JSON.stringify(argument)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const helper = new Helper<Request, Answer>(script, child);
    await helper.#answer();
    return helper;
  }

  async ask(request: Request): Promise<Answer> {
    this.#child.send(request as object);
    return (await this.#answer()) as Answer;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const done = () => {
        this.#child.off('message', onMessage).off('exit', onExit);
      };
      const onMessage = (message: unknown) => {
        done();
        resolve(message);
      };
      const onExit = (code: number | null, signal: string | null) => {
        done();
        reject(new Error(`lab: ${this.script} ended (${signal ?? code}) before it answered`));
      };
      this.#child.on('message', onMessage).on('exit', onExit);
    });
  }
}
