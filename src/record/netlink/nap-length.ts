/**
 * How long the drain loop naps: as long as the socket's buffer allows, since fewer, larger drains cost less.
 * Main thread, once per drain.
 */

/** Fewer, larger batches cost less; a drain costs 20 us, and the parser's waking as much again. */
const NAP_US_MIN = 1000;
const NAP_US_MAX = 5000;
/**
 * Longer naps save wake-ups, but more messages than fit into the caches cost more each: so only while it
 * would take this long to fill NAP_FILL of the buffer.
 */
const QUIET_US = 20_000;
const QUIET_NAP_US_MAX = 20_000;
/**
 * Naps are as long as the buffer takes to be filled to this share: the rest is for a thread that gets the CPU
 * late.
 */
const NAP_FILL = 1 / 16;
/**
 * When little comes, naps are still so short that a flood out of nothing, this fast, fills only so much of
 * the buffer in one.
 */
const FLOOD_EVENTS_PER_SECOND = 300_000;
const FLOOD_FILL = 1 / 4;

export class NapLength {
  /** Of the next nap, microseconds. */
  us: number;
  readonly #isFixed: boolean;
  readonly #usMax: number;

  /** `bufferEvents`: what the buffer holds. With `fixedMs` all naps are so long. */
  constructor(bufferEvents: number, fixedMs?: number) {
    this.#isFixed = fixedMs !== undefined;
    this.us = fixedMs === undefined ? NAP_US_MIN : fixedMs * 1000;
    const floodUs = (bufferEvents * FLOOD_FILL * 1e6) / FLOOD_EVENTS_PER_SECOND;
    this.#usMax = Math.max(NAP_US_MIN, Math.min(floodUs, QUIET_NAP_US_MAX));
  }

  /** The buffer was this full after a nap. It grows slowly and shrinks at once: a flood comes suddenly. */
  adapt(fill: number): void {
    if (this.#isFixed) return;
    const wantedUs = fill > 0 ? (this.us * NAP_FILL) / fill : QUIET_US;
    const longestUs = wantedUs < QUIET_US ? NAP_US_MAX : QUIET_NAP_US_MAX;
    this.us = Math.round(Math.min(wantedUs, this.us * 1.5, longestUs, this.#usMax));
    if (this.us < NAP_US_MIN) this.us = NAP_US_MIN;
  }
}
