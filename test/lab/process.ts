/**
 * A program under observation, in a namespace or not: its output, signals, exit, CPU time and memory. Made
 * for the recorder.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onExit } from './cleanup.js';
import type { Namespace } from './namespace.js';

/** The command line's entry, compiled. */
export const recorderEntry = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface ProcessExit {
  /** Exit code; 128 + number after a signal, as a shell says. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
}

export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const PROGRESS_FD = 3;
const REPORT_FD = 4;
/**
 * bash times the program to the millisecond, whatever it is and however it ends (a parent in Node cannot:
 * libuv reaps the child before anybody can ask). The program replaces the shell between them, so its pid is
 * known before it runs.
 */
const TIMED = `TIMEFORMAT='%U %S'; LC_NUMERIC=C
{ time sh -c 'echo $$ >&${REPORT_FD}; exec "$@" ${REPORT_FD}>&- 2>&5 5>&-' sh "$@"; } 5>&2 2>&${REPORT_FD}`;

export class ObservedProcess {
  /** Pid of the program itself. */
  pid = 0;
  /** All of standard error and of the progress pipe (`--progress-fd 3`) so far. */
  stderr = '';
  progress = '';
  readonly exit: Promise<ProcessExit>;
  #stdout = '';
  #report = '';
  #ended = false;

  private constructor(child: ChildProcess) {
    collect(child.stdout!, (text) => {
      this.#stdout += text;
    });
    collect(child.stderr!, (text) => {
      this.stderr += text;
    });
    collect(child.stdio[PROGRESS_FD] as Readable, (text) => {
      this.progress += text;
    });
    collect(child.stdio[REPORT_FD] as Readable, (text) => {
      this.#report += text;
    });
    const forget = onExit(() => this.kill());
    this.exit = once(child, 'close').then(([code]) => {
      this.#ended = true;
      forget();
      const [userSeconds, systemSeconds] = this.#report.trim().split('\n').at(-1)!.split(' ').map(Number);
      return {
        code: code as number,
        stdout: this.#stdout,
        stderr: this.stderr,
        cpuUserMs: userSeconds * 1000,
        cpuSystemMs: systemSeconds * 1000,
      };
    });
  }

  /** Start a program and answer when its pid is known; `namespace` undefined: where we are. */
  static async start(
    namespace: Namespace | undefined,
    command: string,
    args: readonly string[],
    options: ProcessOptions = {},
  ): Promise<ObservedProcess> {
    const words = namespace ? ['ip', 'netns', 'exec', namespace.name, command, ...args] : [command, ...args];
    const env = { ...(options.env ?? process.env) };
    // Certificates that Node would read at each start: 37 ms that nobody needs here.
    delete env.NODE_EXTRA_CA_CERTS;
    const spawnOptions: SpawnOptions = { ...options, env, stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'] };
    const observed = new ObservedProcess(spawn('bash', ['-c', TIMED, 'bash', ...words], spawnOptions));
    await observed.until(() => observed.#report.includes('\n'), 'its pid');
    observed.pid = Number.parseInt(observed.#report, 10);
    return observed;
  }

  /** Start the recorder (`ctrecorder ARGS`). */
  static recorder(
    namespace: Namespace | undefined,
    args: readonly string[],
    options: ProcessOptions = {},
  ): Promise<ObservedProcess> {
    return ObservedProcess.start(namespace, process.execPath, [recorderEntry, ...args], options);
  }

  /**
   * Wait until standard error says so, and answer the match. @throws Error with what it said instead, when it
   * ends before.
   */
  async says(pattern: RegExp): Promise<RegExpMatchArray> {
    await this.until(() => pattern.test(this.stderr), String(pattern));
    return this.stderr.match(pattern)!;
  }

  /** Wait for a condition on what the program has written so far (`stderr`, `progress`). */
  async until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) {
      if (this.#ended) throw new Error(`${what} never came; the program ended and said: ${this.stderr}`);
      await Promise.race([new Promise((resolve) => setTimeout(resolve, 5)), this.exit]);
    }
  }

  /** Of a recorder with `--progress-fd 3`: events that it has acknowledged. */
  durableEvents(): number {
    return Number([...this.progress.matchAll(/"events":(\d+)/g)].at(-1)?.[1] ?? 0);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Signal the program and wait for its end. */
  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<ProcessExit> {
    if (!this.#ended) this.signal(name);
    return this.exit;
  }

  /** The most memory it ever had resident, while it runs. */
  peakRssKiB(): number {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'latin1'))?.[1]);
  }

  /** CPU time so far, user and system, in steps of 10 ms, while it runs. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** End it at once, if it still runs. */
  kill(): void {
    if (this.#ended || this.pid === 0) return;
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

function collect(stream: Readable, take: (text: string) => void): void {
  stream.setEncoding('utf8').on('data', take);
}
