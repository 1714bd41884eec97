/**
 * Tells the parser whether the kernel may send events twice: while another program listens in reliable mode
 * (conntrack/repeats.ts). Main thread, ten times a second under traffic.
 */
import type { Logger } from 'pino';
import type { Listeners } from '../netlink/listeners.js';

/** What waited for a listener that is gone is sent again at once; this long after it nothing can be left. */
const LINGER_MS = 60_000;

export class RepeatWatch {
  #on = false;
  #seenAtMs = Number.NEGATIVE_INFINITY;

  /** `announce`: called at every change. */
  constructor(
    readonly listeners: Listeners,
    readonly announce: (possible: boolean) => void,
    readonly log: Logger,
  ) {}

  look(): void {
    const nowMs = performance.now();
    if (this.listeners.someIsReliable()) this.#seenAtMs = nowMs;
    const possible = nowMs - this.#seenAtMs < LINGER_MS;
    if (possible === this.#on) return;
    this.#on = possible;
    this.announce(possible);
    this.log.info(
      possible
        ? 'another program is listening to conntrack events in reliable mode: events that the kernel repeats for it are recorded once'
        : 'no other program is listening to conntrack events in reliable mode any more',
    );
  }
}
