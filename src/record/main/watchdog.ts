/**
 * Notices a stage that does not get on: something is published in the ring it takes from, and it takes
 * nothing. Main thread, a few words every other second; it keeps nobody alive.
 */
import type { Logger } from 'pino';
import { HEAD_WORD, type RingMemory, TAIL_WORD } from '../ring/layout.js';

const LOOK_MS = 2000;
const STALLED_MS = 10_000;

export interface WatchedStage {
  readonly name: string;
  readonly ring: RingMemory;
  /** What keeps it, as far as known; the end of a sentence. */
  readonly obstacle: () => string;
}

interface Watched extends WatchedStage {
  /** Released slots when last looked at. */
  tail: number;
  /** Without progress for so long, while this thread looked. */
  stalledMs: number;
  said: boolean;
}

export class Watchdog {
  readonly #stages: Watched[];
  #lookedAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** `stalledMs`: a stage without progress for so long is reported as stalled. */
  constructor(
    stages: readonly WatchedStage[],
    readonly log: Logger,
    readonly stalledMs = STALLED_MS,
    readonly lookMs = LOOK_MS,
  ) {
    this.#stages = stages.map((stage) => ({ ...stage, tail: 0, stalledMs: 0, said: false }));
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), this.lookMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What is wrong with which stage; empty when all is well. */
  get stalled(): Readonly<Record<string, string>> {
    const stages = this.#stages.filter(({ said }) => said);
    return Object.fromEntries(
      stages.map(({ name, stalledMs, obstacle }) => [
        name,
        `no progress for ${seconds(stalledMs)}: ${obstacle()}`,
      ]),
    );
  }

  look(): void {
    const nowMs = performance.now();
    // When this thread did not run either (a stopped process, no CPU), nobody is to blame for that time.
    const passedMs = Math.min(nowMs - this.#lookedAtMs, 2 * this.lookMs);
    this.#lookedAtMs = nowMs;
    for (const stage of this.#stages) this.#judge(stage, passedMs);
  }

  #judge(stage: Watched, passedMs: number): void {
    const { name, ring, obstacle } = stage;
    const tail = Atomics.load(ring.control, TAIL_WORD);
    const idle = tail === Atomics.load(ring.control, HEAD_WORD);
    if (idle || tail !== stage.tail) {
      if (stage.said) this.log.info(`the ${name} is making progress again after ${seconds(stage.stalledMs)}`);
      stage.tail = tail;
      stage.stalledMs = 0;
      stage.said = false;
      return;
    }
    stage.stalledMs += passedMs;
    if (stage.said || stage.stalledMs < this.stalledMs) return;
    stage.said = true;
    const since = new Date(Date.now() - stage.stalledMs).toISOString();
    this.log.error(`the ${name} has made no progress since ${since}: ${obstacle()}`);
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
