/**
 * A program under test while it runs: is it there, has it caught up, what does it cost. It may die at any
 * moment.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from '../../test/lab/namespace.js';
import type { ObservedProcess, ProcessExit } from '../../test/lab/process.js';
import { type Listener, listeners } from './inside.js';
import { cpuMs, peakRssKiB, processTree } from './processes.js';

const LOOK_MS = 50;
/** So long without work (at most one tick of CPU) it has done what there was to do. */
const QUIET_MS = 300;
const QUIET_CPU_MS = 10;
const READY_SECONDS_MAX = 20;
const CATCH_UP_SECONDS_MAX = 60;
const STOP_SECONDS_MAX = 30;

export class Watch {
  /** Of the process and all it started. */
  peakRssKiB = 0;
  /** The most events that the kernel was seen to have dropped for it. */
  kernelDrops = 0;
  /** CPU time of its start: until it listened and rested. In steps of 10 ms. */
  startCpuMs = 0;
  alive = true;
  readonly #looking: NodeJS.Timeout;

  constructor(
    readonly process: ObservedProcess,
    readonly namespace: Namespace,
  ) {
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    void process.exit.then(() => {
      this.alive = false;
    });
  }

  /** Until it listens to events and rests. @throws Error when it ends before, or never does. */
  async ready(): Promise<void> {
    const deadlineMs = Date.now() + READY_SECONDS_MAX * 1000;
    while (this.#listeners().length === 0) {
      if (!this.alive) {
        const { code, stderr } = await this.process.exit;
        throw new Error(`ended at its start: ${lastLine(stderr) || `exit code ${code}`}`);
      }
      if (Date.now() > deadlineMs) throw new Error(`did not listen within ${READY_SECONDS_MAX} s`);
      await sleep(LOOK_MS);
    }
    await this.caughtUp();
    this.startCpuMs = this.#cpuMs();
  }

  /**
   * Until nothing waits in its socket and it rests, or it is gone, or a minute has passed; false for the
   * last.
   */
  async caughtUp(): Promise<boolean> {
    const deadlineMs = Date.now() + CATCH_UP_SECONDS_MAX * 1000;
    let restingSinceMs = Date.now();
    let cpuThen = this.#cpuMs();
    while (this.alive && Date.now() - restingSinceMs < QUIET_MS) {
      if (Date.now() > deadlineMs) return false;
      await sleep(LOOK_MS);
      const cpuNow = this.#cpuMs();
      const queued = this.#listeners().some(({ queuedBytes }) => queuedBytes > 0);
      if (!queued && cpuNow - cpuThen <= QUIET_CPU_MS) continue;
      restingSinceMs = Date.now();
      cpuThen = cpuNow;
    }
    return true;
  }

  /** Stop it in its own way, with patience; then by force. */
  async stop(): Promise<ProcessExit> {
    this.#lookLast();
    const force = setTimeout(() => this.#killAll(), STOP_SECONDS_MAX * 1000);
    try {
      return await this.process.stop();
    } finally {
      clearTimeout(force);
    }
  }

  /** End it and all it started as a power cut would. */
  async kill(): Promise<ProcessExit> {
    this.#lookLast();
    this.#killAll();
    return this.process.exit;
  }

  #killAll(): void {
    if (!this.alive) return;
    for (const pid of processTree(this.process.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
  }

  #lookLast(): void {
    this.#look();
    clearInterval(this.#looking);
  }

  #listeners(): Listener[] {
    return listeners(this.process.pid, this.namespace);
  }

  #cpuMs(): number {
    return cpuMs(processTree(this.process.pid));
  }

  #look(): void {
    const rssKiB = peakRssKiB(processTree(this.process.pid));
    if (rssKiB > this.peakRssKiB) this.peakRssKiB = rssKiB;
    const drops = this.#listeners().reduce((sum, listener) => sum + listener.drops, 0);
    if (drops > this.kernelDrops) this.kernelDrops = drops;
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)!.trim();
}
