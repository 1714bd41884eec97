/**
 * Says on the log that the kernel dropped messages, and what to do about it; a loss that continues is
 * reported once
 * in a while.
 */
import type { Logger } from 'pino';
import { CERTAINTIES, LOSS_CAUSES, LossCause } from '../../event/gap.js';
import type { Loss } from '../netlink/receiver.js';
import type { SourceCounts } from '../stage/message-source.js';

const QUIET_MS = 10_000;

const advice: Readonly<Record<number, string>> = {
  [LossCause.bufferTooSmall]: 'a larger -b holds more',
  [LossCause.readerStalled]: 'the recorder was stopped or got no CPU; -N gives it priority',
  [LossCause.parserStalled]: 'the parser got no CPU; -N gives it priority, a larger -B covers longer stalls',
  [LossCause.diskStalled]: 'the disk was too slow or full; larger -b and -B cover longer stalls',
};

/** As in "17 lost by the kernel". */
export function lossText({ lost, deliveryFailures }: Omit<SourceCounts, 'received'>): string {
  if (deliveryFailures === 0) return `${lost} lost by the kernel`;
  return `at most ${lost} lost by the kernel (delivery_failures ${deliveryFailures})`;
}

/** As in ", 3 only partly readable"; empty when everything was readable. */
export function partialText(partial: number): string {
  return partial === 0 ? '' : `, ${partial} only partly readable`;
}

export class LossLog {
  readonly #log: Logger;
  #saidAtMs = Number.NEGATIVE_INFINITY;
  /** Not said yet. */
  #lost = 0;
  #isUpperBound = false;
  #cause = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  add({ lost, cause, certainty }: Readonly<Loss>): void {
    this.#lost += lost;
    this.#cause = Math.max(this.#cause, cause);
    this.#isUpperBound ||= CERTAINTIES[certainty] === 'at-most';
    const waitMs = this.#saidAtMs + QUIET_MS - performance.now();
    if (waitMs <= 0) this.#say();
    else this.#timer ??= setTimeout(() => this.#say(), waitMs).unref();
  }

  /** Say what has not been said. */
  end(): void {
    if (this.#lost > 0) this.#say();
  }

  #say(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const count = `${this.#isUpperBound ? 'at most ' : ''}${this.#lost}`;
    const cause = LOSS_CAUSES[this.#cause];
    this.#log.warn(
      { lost: this.#lost, cause },
      `the kernel dropped ${count} events (${cause}): ${advice[this.#cause]}; the log has the gap`,
    );
    this.#saidAtMs = performance.now();
    this.#lost = 0;
    this.#isUpperBound = false;
    this.#cause = 0;
  }
}
