/** Clocks, injected where a test must set them. */

export interface Clock {
  /** Wall clock, microseconds since the epoch. It may step. */
  wallUs(): number;
  /** Never goes back, counts from anywhere. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  wallUs: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
};
